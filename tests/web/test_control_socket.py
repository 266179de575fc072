from __future__ import annotations

import os
import socket
import stat

import pytest

from sentinel.web.app import control_socket


def test_the_socket_is_for_its_owner_only_whatever_the_umask(tmp_path):
    before = os.umask(0)
    try:
        listener = control_socket(tmp_path / "control.sock")
        assert os.umask(0) == 0
    finally:
        os.umask(before)
    with listener:
        assert stat.S_IMODE((tmp_path / "control.sock").stat().st_mode) == 0o600


def test_a_socket_that_a_dead_daemon_left_is_replaced(tmp_path):
    path = tmp_path / "control.sock"
    control_socket(path).close()
    assert path.exists()
    with control_socket(path) as listener:
        listener.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_socket_that_answers_is_left_alone(tmp_path):
    path = tmp_path / "control.sock"
    with control_socket(path) as listener:
        listener.listen()
        with pytest.raises(OSError, match="another daemon answers"):
            control_socket(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_file_in_its_place_is_left_alone(tmp_path):
    path = tmp_path / "control.sock"
    path.write_text("precious")
    with pytest.raises(FileExistsError, match="not a socket"):
        control_socket(path)
    assert path.read_text() == "precious"
