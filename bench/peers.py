"""What the engine is measured against and on: nginx, blackbox_exporter, a name server, each a process here."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme

PAGE_BYTES = 606
STARTS_WITHIN_S = 10.0
STOPS_WITHIN_S = 10.0

NGINX = """\
daemon off; master_process off; pid {folder}/nginx.pid; error_log /dev/null;
events {{ worker_connections 8192; }}
http {{
  access_log off; server_tokens off; default_type text/html;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{
    listen 127.0.0.1:{http} backlog=8192;
    listen 127.0.0.1:{https} ssl backlog=8192;
    ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
    root {folder}; location / {{ try_files /page.html =404; }}
  }}
}}
"""
BLACKBOX = """\
modules:
  http: {{prober: http, timeout: 5s, http: {{preferred_ip_protocol: ip4, tls_config: {{ca_file: {folder}/ca.pem}}}}}}
  tcp: {{prober: tcp, timeout: 5s, tcp: {{preferred_ip_protocol: ip4}}}}
  icmp: {{prober: icmp, timeout: 5s, icmp: {{preferred_ip_protocol: ip4}}}}
  dns: {{prober: dns, timeout: 5s, dns: {{preferred_ip_protocol: ip4, query_name: www.example.org, query_type: A}}}}
"""


@dataclass(frozen=True)
class Peers:
    """Where everybody listens, and who blackbox_exporter is."""

    folder: Path
    http: int
    https: int
    dns: int
    blackbox: int
    blackbox_pid: int

    def target(self, kind: str) -> str:
        return {
            "http": f"http://127.0.0.1:{self.http}/page",
            "https": f"https://127.0.0.1:{self.https}/page",
            "tcp": f"127.0.0.1:{self.http}",
            "icmp": "127.0.0.1",
            "dns": f"127.0.0.1:{self.dns}",
        }[kind]


def missing() -> str:
    """Name the program that is not here; nothing when all are."""
    return next((name for name in ("nginx", "prometheus-blackbox-exporter") if not _path(name)), "")


@contextmanager
def peers(folder: Path) -> Iterator[Peers]:
    """Run them all on loopback until the block ends."""
    http, https, dns, blackbox = free_ports(4)
    _certificates(folder)
    (folder / "page.html").write_bytes(b"<p>" + b"x" * (PAGE_BYTES - 8) + b"</p>\n")
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, http=http, https=https))
    (folder / "blackbox.yml").write_text(BLACKBOX.format(folder=folder))
    with ExitStack() as held:
        held.enter_context(running(_path("nginx"), "-c", folder / "nginx.conf", "-p", folder))
        held.enter_context(
            running(shutil.which("python3") or "python3", Path(__file__).with_name("nameserver.py"), dns)
        )
        arguments = (f"--config.file={folder}/blackbox.yml", f"--web.listen-address=127.0.0.1:{blackbox}")
        exporter = held.enter_context(running(_path("prometheus-blackbox-exporter"), *arguments))
        for port in (http, https, blackbox):
            wait_for(port)
        yield Peers(folder, http, https, dns, blackbox, exporter.pid)


@contextmanager
def running(*command: object) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    line = [str(part) for part in command]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        holders = [held.enter_context(socket.socket()) for _ in range(count)]
        for holder in holders:
            holder.bind(("127.0.0.1", 0))
        return [int(holder.getsockname()[1]) for holder in holders]


def wait_for(port: int, within_s: float = STARTS_WITHIN_S) -> None:
    """Wait until somebody listens.

    Raises:
        ConnectionError: nobody does.
    """
    ends = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except ConnectionError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def cpu_s(pid: int) -> float:
    """Return the processor time of a process, all threads together, to the nanosecond."""
    return time.clock_gettime((~pid << 3) | 2)  # What clock_getcpuclockid(3) returns.


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> bytes:
    """Ask on a connection that is kept, as Prometheus does; return the body."""
    writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:200]
    lowered = head.lower()
    if b"content-length:" in lowered:
        return await reader.readexactly(int(lowered.partition(b"content-length:")[2].partition(b"\r\n")[0]))
    parts = []
    while size := int((await reader.readline()).strip(), 16):
        parts.append((await reader.readexactly(size + 2))[:-2])
    await reader.readline()
    return b"".join(parts)


def _certificates(folder: Path) -> None:
    authority = trustme.CA()
    leaf = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    for blob in leaf.cert_chain_pems:
        blob.write_to_path(folder / "cert.pem", append=True)


def _path(name: str) -> str:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin") or ""
