"""The ssh probe: the greeting, from fakes; the host key, from a real sshd and from asyncssh's own server."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from pydantic import ValidationError

from sentinel.probes import ssh
from sentinel.probes.ssh import KIND, SshOptions
from tests.fakes.names import Names
from tests.fakes.tcp_peer import TcpPeer, says
from tests.probes.seeing import Attempt, see
from tests.real.components import where
from tests.real.process import free_port, started

NOBODYS = "SHA256:" + "A" * 43
PRIVILEGE_FOLDER = Path("/run/sshd")  # sshd does not start as root without it.


@pytest.mark.parametrize(
    "greeting", ["SSH-2.0-OpenSSH_9.2p1\r\n", "SSH-1.99-old\n", "Authorised use only\r\nSSH-2.0-x\r\n"]
)
async def test_a_server_that_greets_is_fine(greeting: str) -> None:
    async with TcpPeer(says(greeting)) as peer:
        seen = await see(KIND, target=peer.address)
        assert (seen.reason, seen.detail) == ("", "")
        await peer.emptied()


@pytest.mark.parametrize(
    ("greeting", "words"),
    [
        ("SSH-1.5-ancient\r\n", "no version of SSH that is still in use"),
        ("HTTP/1.1 400 Bad Request\r\n" * 60, "more than 50 lines, the first of them “HTTP/1.1 400 Bad Request”"),
        ("x" * 70_000, "a line longer than 64 KiB"),
    ],
)
async def test_what_is_no_ssh_fails_in_words(greeting: str, words: str) -> None:
    async with TcpPeer(says(greeting)) as peer:
        seen = await see(KIND, target=peer.address)
    assert (seen.reason, words in seen.detail) == ("protocol", True), seen.detail


async def test_the_greeting_is_compared() -> None:
    async with TcpPeer(says("SSH-2.0-OpenSSH_7.4\r\n")) as peer:
        seen = await see(KIND, target=peer.address, expect={"banner": "OpenSSH_9"})
    assert seen.detail == f"{peer.address} greets with “SSH-2.0-OpenSSH_7.4”; 'OpenSSH_9' is expected"


async def test_a_denied_address_is_not_spoken_to() -> None:
    names = Names({"a.example.org": ["169.254.169.254"]})
    assert (await Attempt(resolver=names).at(KIND, {"target": "a.example.org:22"})).reason == "denied"


@pytest.mark.parametrize("after", ["", "\x00\x00\x00\x0c" + "x" * 64, "\xff" * 300])
async def test_a_key_that_is_never_shown_ends_in_words(after: str) -> None:
    async with TcpPeer(says(f"SSH-2.0-x\r\n{after}")) as peer:
        seen = await Attempt(told_s=1).at(KIND, {"target": peer.address, "expect": {"host_key": NOBODYS}})
        await peer.emptied()
    assert seen.reason in {"protocol", "timeout"}
    assert peer.address in seen.detail


async def test_a_server_that_hangs_up_in_the_middle_of_the_key_says_so() -> None:
    async def greet(_reader: Any, writer: Any) -> None:
        writer.write(b"SSH-2.0-x\r\n")

    async with TcpPeer(greet) as peer:
        seen = await see(KIND, target=peer.address, expect={"host_key": NOBODYS})
    assert (seen.reason, "shows no host key: " in seen.detail) == ("protocol", True)


async def test_a_key_is_known_by_its_line_as_well_as_by_its_fingerprint() -> None:
    key = asyncssh.generate_private_key("ecdsa-sha2-nistp256")
    line = key.export_public_key().decode()
    server = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key])
    try:
        target = f"127.0.0.1:{server.get_port()}"
        for known in (line, key.get_fingerprint(), [NOBODYS, line]):
            seen = await see(KIND, target=target, expect={"host_key": known})
            assert (seen.reason, seen.detail) == ("", "")
        seen = await see(KIND, target=target, expect={"host_key": NOBODYS})
        assert seen.reason == "host_key"
        assert key.get_fingerprint() in seen.detail
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Sshd:
    """A real one, with two keys."""

    target: str
    keys: dict[str, str]


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    port, keys = free_port(), {}
    for kind in ("ed25519", "rsa"):
        file = tmp_path / kind
        subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", file], check=True, timeout=20)
        shown = subprocess.run(["ssh-keygen", "-l", "-f", file], check=True, capture_output=True, text=True, timeout=20)
        keys[kind] = shown.stdout.split()[1]
    if os.geteuid() == 0:
        PRIVILEGE_FOLDER.mkdir(mode=0o755, exist_ok=True)
    config = tmp_path / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nPidFile none\nHostKey {tmp_path}/ed25519\nHostKey {tmp_path}/rsa\n"
    )
    log = tmp_path / "sshd.log"
    with started([where("sshd"), "-D", "-e", "-f", config], tmp_path, lambda: "listening" in log.read_text()):
        yield Sshd(f"127.0.0.1:{port}", keys)


@pytest.mark.real("sshd")
async def test_a_real_server_is_known_by_any_of_its_keys(sshd: Sshd) -> None:
    for fingerprint in sshd.keys.values():
        seen = await see(KIND, target=sshd.target, expect={"banner": "^SSH-2.0-OpenSSH", "host_key": fingerprint})
        assert (seen.reason, seen.detail) == ("", "")
    seen = await see(KIND, target=sshd.target, expect={"host_key": NOBODYS})
    assert seen.reason == "host_key"
    assert all(fingerprint in seen.detail for fingerprint in sshd.keys.values())


def test_without_the_extra_the_configuration_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "LIBRARY", "nothing_of_that_name")
    with pytest.raises(ValidationError, match="needs the extra `ssh`") as caught:
        SshOptions.model_validate({"target": "a:22", "expect": {"host_key": NOBODYS}})
    assert caught.value.errors()[0]["ctx"]["suggestion"] == "pip install 'sentinel-ops[ssh]'"
    SshOptions.model_validate({"target": "a:22"})


@pytest.mark.parametrize("key", ["MD5:aa:bb", "SHA256:short", "ssh-ed25519", "ssh-ed25519 not*base64", ""])
def test_what_is_no_key_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="not a host key"):
        SshOptions.model_validate({"target": "a:22", "expect": {"host_key": key}})
