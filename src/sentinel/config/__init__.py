"""What people write, read with all its mistakes at once: ``load`` is the door, ``Setup`` what comes out."""
