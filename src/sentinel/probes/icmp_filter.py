"""A filter in the kernel for raw ICMP sockets: other people's echo replies must not even wake us.

A raw socket hears every reply that the machine gets, so that each ping of another program would cost us a turn of the
loop. The filter only saves work: what passes it is still believed only with the right cookie.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from typing import Final

from sentinel.probes.icmp_packet import ECHO_REPLY_4, ECHO_REPLY_6

SO_ATTACH_FILTER: Final = 26  # Linux's number, which Python's socket module does not name.
IDENTITY_AT: Final = 4  # Bytes into the ICMP header.
INSTRUCTION: Final = struct.Struct("@HBBI")  # struct sock_filter: code, jump if true, jump if false, operand
# Classic BPF, by the names of linux/filter.h.
LDX_HEADER_LENGTH, LDX_NUMBER, LDB_INDIRECT, LDH_INDIRECT, JUMP_EQUAL, RETURN = 0xB1, 0x01, 0x50, 0x48, 0x15, 0x06
ALL_OF_IT, NOTHING = 0xFFFF_FFFF, 0


def only_ours(raw: socket.socket, version: int, identity: int) -> None:
    """Have a raw socket take echo replies of one identity only, and all complaints of routers."""
    four = version == 4
    program = (
        # Where the ICMP header begins: IPv4 packets come with their own header, IPv6 ones without.
        (LDX_HEADER_LENGTH if four else LDX_NUMBER, 0, 0, 0),
        (LDB_INDIRECT, 0, 0, 0),
        (JUMP_EQUAL, 0, 2, ECHO_REPLY_4 if four else ECHO_REPLY_6),
        (LDH_INDIRECT, 0, 0, IDENTITY_AT),
        (JUMP_EQUAL, 0, 1, identity),
        (RETURN, 0, 0, ALL_OF_IT),
        (RETURN, 0, 0, NOTHING),
    )
    code = ctypes.create_string_buffer(b"".join(INSTRUCTION.pack(*each) for each in program))
    raw.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(program), ctypes.addressof(code)))
