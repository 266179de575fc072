"""A GSM modem on a pseudo terminal: takes SMS as PDUs, and has one in its memory when somebody has answered."""

from __future__ import annotations

import os
import pty
import re
import select
import threading
import tty
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LOOK_EVERY_S = 0.05
STAMP = "62111212227000"  # 2026-11-21 21:22:07, its digits in pairs the wrong way round.


@dataclass
class Modem:
    """The modem; ``link`` leads to its terminal. It sends nothing while it is ``dead``."""

    link: Path
    dead: bool = False
    pdus: list[str] = field(default_factory=list)
    memory: dict[int, str] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._ours, theirs = pty.openpty()
        tty.setraw(self._ours)
        tty.setraw(theirs)
        self._theirs = theirs
        self.link.symlink_to(os.ttyname(theirs))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        os.close(self._ours)
        os.close(self._theirs)

    def receive(self, number: str, text: str) -> None:
        """Put an SMS of somebody into the memory: SMS-DELIVER (3GPP TS 23.040, 9.2.2.1) in UCS-2."""
        content = text.encode("utf-16-be")
        self.memory[len(self.memory) + 1] = (
            f"0004{len(number):02X}91{_swapped(number)}0008{STAMP}{len(content):02X}{content.hex().upper()}"
        )

    def report(self, reference: int, number: str, status: int) -> None:
        """Put a status report into the memory (9.2.2.3)."""
        self.memory[len(self.memory) + 1] = (
            f"0006{reference:02X}{len(number):02X}91{_swapped(number)}{STAMP}{STAMP}{status:02X}"
        )

    def _run(self) -> None:
        buffer = b""
        taking = False
        while not self._ended.is_set():
            if not select.select([self._ours], [], [], LOOK_EVERY_S)[0]:
                continue
            buffer += os.read(self._ours, 4096)
            if taking:
                if b"\x1a" in buffer:
                    self.pdus.append(buffer.partition(b"\x1a")[0].decode("latin-1").strip())
                    buffer, taking = b"", False
                    self._answer(f"+CMGS: {len(self.pdus)}\r\n\r\nOK")
                continue
            while b"\r" in buffer:
                line, buffer = buffer.split(b"\r", 1)
                command = line.strip().decode("latin-1").upper()
                if command:
                    self.said.append(command)
                    taking = self._command(command)

    def _command(self, command: str) -> bool:
        """Answer a command; tell whether a PDU follows."""
        if self.dead:
            return False
        if command.startswith("AT+CMGS"):
            os.write(self._ours, b"\r\n> ")
            return True
        if found := re.fullmatch(r"AT\+CMGR=(\d+)", command):
            pdu = self.memory.get(int(found[1]))
            self._answer(f"+CMGR: 0,,{len(pdu) // 2 - 1}\r\n{pdu}\r\n\r\nOK" if pdu else "OK")
        elif found := re.fullmatch(r"AT\+CMGD=(\d+)", command):
            self.memory.pop(int(found[1]), None)
            self._answer("OK")
        else:
            used = len(self.memory)
            known = {
                "AT+CPIN?": "+CPIN: READY\r\n\r\n",
                "AT+CREG?": "+CREG: 0,1\r\n\r\n",
                "AT+CSQ": "+CSQ: 20,0\r\n\r\n",
                "AT+CPMS?": f'+CPMS: "SM",{used},10,"SM",{used},10,"SM",{used},10\r\n\r\n',
            }
            self._answer(known.get(command, "") + "OK")
        return False

    def _answer(self, text: str) -> None:
        os.write(self._ours, f"\r\n{text}\r\n".encode())


def _swapped(number: str) -> str:
    even = number + "F" * (len(number) % 2)
    return "".join(even[at + 1] + even[at] for at in range(0, len(even), 2))
