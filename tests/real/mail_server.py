"""Postfix and Dovecot in a folder of their own: what they read, and how they are started and ended."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import trustme

from tests.real.process import listens
from tests.waiting import wait_until

MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.example.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
maillog_file = {log}
maillog_file_prefixes = /var, /tmp
mynetworks =
alias_maps =
alias_database =
virtual_mailbox_domains = example.org
virtual_mailbox_base = {folder}/boxes
virtual_mailbox_maps = inline:{{ alice@example.org=alice/ }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_cert_file = {folder}/server.pem
smtpd_tls_key_file = {folder}/server.pem
smtpd_sasl_type = dovecot
smtpd_sasl_path = {folder}/dovecot/auth
smtpd_recipient_restrictions = check_recipient_access inline:{{
    {{ grey@example.org = 450 4.2.0 Greylisted, try later }},
    {{ full@example.org = 452 4.2.2 Mailbox full }},
    {{ closing@example.org = 421 4.3.2 closing }} }},
    reject_unauth_destination
"""
MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_client_restrictions=permit_sasl_authenticated,reject
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
tlsmgr unix - - n 1000? 1 tlsmgr
"""
DOVECOT = """
base_dir = {folder}/dovecot
log_path = {folder}/dovecot.log
protocols =
ssl = no
auth_mechanisms = plain login
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {folder}/users
}}
service auth {{
  unix_listener auth {{
    mode = 0666
  }}
}}
service stats {{
  unix_listener stats-writer {{
    mode = 0666
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def lay_out(folder: Path, port: int) -> str:
    """Write all that the two servers read, and return the certificate to trust."""
    folder.chmod(0o755)
    owner = pwd.getpwnam("postfix")
    for name in ("etc", "queue", "data", "boxes", "dovecot"):
        (folder / name).mkdir()
    os.chown(folder / "data", owner.pw_uid, owner.pw_gid)
    os.chown(folder / "boxes", owner.pw_uid, owner.pw_gid)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
    values = {"folder": folder, "port": port, "uid": owner.pw_uid, "gid": owner.pw_gid, "log": folder / "log"}
    (folder / "etc" / "main.cf").write_text(MAIN.format(**values))
    (folder / "etc" / "master.cf").write_text(MASTER.format(**values))
    (folder / "etc" / "dynamicmaps.cf").touch()
    (folder / "dovecot.conf").write_text(DOVECOT.format(**values))
    (folder / "users").write_text("sentinel:{PLAIN}correct horse\n")
    return str(folder / "ca.pem")


@contextlib.contextmanager
def running(arguments: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server in a session of its own, and end it with all its children."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    wait_until(lambda: listens(port) or server.poll() is not None, "Postfix listens")
    assert server.poll() is None, "Postfix ended at once"
