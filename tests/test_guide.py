"""The operations manager's guide is what Sentinel does: every file and command of it, on a daemon of its own."""

from __future__ import annotations

import difflib

from tests.guide import BLOCK, EXAMPLE, FILE, GUIDE, followed, normalised


def test_the_guide_shows_what_its_commands_print(tmp_path):
    text = GUIDE.read_text()
    shown = followed(text, tmp_path)
    difference = difflib.unified_diff(normalised(text).splitlines(), shown.splitlines(), "the guide", "printed", n=2)
    different = "\n".join(difference)
    assert not different, different


def test_the_example_is_the_file_that_the_guide_grows():
    blocks = [block[2] for block in BLOCK.finditer(GUIDE.read_text()) if block[1] == "yaml"]
    assert "\n".join(text.rstrip("\n") + "\n" for text in blocks if not FILE.match(text)) == EXAMPLE.read_text()
