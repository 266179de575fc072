"""The daemon of a modem as its folders show it: takes files from one, and puts them where the sent or failed ones are.

The real one is in tests/real/test_smstools.py; this one hangs and fails when it is told to.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

LOOK_EVERY_S = 0.02


@dataclass
class SmsDaemon:
    """Sends what lies in ``outgoing``; while it ``hangs`` it holds a file, while it is ``away`` it looks at none."""

    folder: Path
    hangs: bool = False
    fails: bool = False
    away: bool = False
    seen: list[str] = field(default_factory=list)
    sent: list[bytes] = field(default_factory=list)

    def folders(self) -> dict[str, str]:
        """Return the folders as a channel names them."""
        return {name: str(self.folder / name) for name in ("outgoing", "sent", "failed", "incoming")}

    async def __aenter__(self) -> Self:
        for path in self.folders().values():
            Path(path).mkdir()
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        outgoing = self.folder / "outgoing"
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            names = [path.name for path in outgoing.iterdir() if path.name[0] != "." and path.suffix != ".LOCK"]
            for name in [] if self.away else names:
                lock = outgoing / f"{name}.LOCK"
                if lock.exists():
                    continue
                lock.touch()
                self.seen.append(name)
                if self.hangs:
                    continue
                self._send(name)
                lock.unlink()

    def _send(self, name: str) -> None:
        content = (self.folder / "outgoing" / name).read_bytes()
        added = b"Fail_reason: Modem not ready\n" if self.fails else f"Message_id: {len(self.sent) + 1}\n".encode()
        head, _, body = content.partition(b"\n\n")
        into = "failed" if self.fails else "sent"
        if not self.fails:
            self.sent.append(content)
        (self.folder / into / name).write_bytes(head + b"\n" + added + b"\n" + body)
        (self.folder / "outgoing" / name).unlink()
