"""Answers every question on a UDP port with the address 192.0.2.1: a name server that costs as little as one can."""

from __future__ import annotations

import socket
import sys

ANSWER = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01"


def main(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        server.bind(("127.0.0.1", port))
        while True:
            asked, sender = server.recvfrom(512)
            end = asked.index(b"\0", 12) + 5  # The question ends; EDNS and the like are left out.
            head = asked[:2] + b"\x81\x80" + b"\0\1\0\1\0\0\0\0"
            server.sendto(head + asked[12:end] + ANSWER, sender)


if __name__ == "__main__":
    main(int(sys.argv[1]))
