"""The real servers and tools that tests use: how each is found, and the Debian package that brings it.

Standard library only: tools/install-components reads this table before anything is tested.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

# Where Debian puts servers, which are not on everybody's PATH.
PLACES = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
HERE = Path(__file__).resolve().parent
TOOLS = HERE.parents[1] / ".tools"


@dataclass(frozen=True)
class Component:
    """A program that must exist. ``program`` is a name looked for on the PATH, or an absolute path.

    ``package`` may name several, with spaces between.

    What comes from PyPI has ``requirements``, with hashes, and a virtual environment of its own, whose Python it is.
    """

    program: str
    package: str
    requirements: str = ""

    def path(self) -> Path | None:
        """Return where the program is, or None."""
        found = shutil.which(self.program, path=f"{os.environ.get('PATH', '')}:{PLACES}")
        return Path(found) if found else None


COMPONENTS = {
    "alertmanager": Component("prometheus-alertmanager", "prometheus-alertmanager"),
    "amtool": Component("amtool", "prometheus-alertmanager"),
    "bearerbox": Component("bearerbox", "kannel"),
    "blackbox": Component("prometheus-blackbox-exporter", "prometheus-blackbox-exporter"),
    "chromium": Component("chromium", "chromium"),
    "chronyd": Component("chronyd", "chrony"),
    "dovecot": Component("dovecot", "dovecot-core"),
    "dovecot-imap": Component("/usr/lib/dovecot/imap", "dovecot-imapd"),
    "faketime": Component("faketime", "faketime"),
    "ip": Component("ip", "iproute2"),
    "iptables": Component("iptables", "iptables"),
    "mariadb": Component("mariadbd", "mariadb-server"),
    "nagios-plugins": Component("/usr/lib/nagios/plugins/check_dummy", "monitoring-plugins-basic"),
    "nginx": Component("nginx", "nginx-light"),
    "openssl": Component("openssl", "openssl"),
    "postfix": Component("postfix", "postfix"),
    "postgresql": Component("/usr/lib/postgresql/15/bin/postgres", "postgresql-15"),
    "prometheus": Component("prometheus", "prometheus"),
    "promtool": Component("promtool", "prometheus"),
    "opsgenie-sdk": Component(
        str(TOOLS / "opsgenie-sdk/bin/python"), "opsgenie-sdk of PyPI", str(HERE / "opsgenie_sdk.txt")
    ),
    "ps": Component("ps", "procps"),
    "puma": Component("puma", "puma"),
    "redis": Component("redis-server", "redis-server"),
    "roundup": Component(str(TOOLS / "roundup/bin/python"), "roundup of PyPI", str(HERE / "roundup.txt")),
    "rt-server": Component(
        "/usr/share/request-tracker5/libexec/rt-server", "request-tracker5 rt5-db-sqlite rt5-standalone starman"
    ),
    "redmine": Component("/usr/share/redmine/bin/rails", "redmine redmine-sqlite"),
    "smsbox": Component("smsbox", "kannel"),
    "smsd": Component("/usr/sbin/smsd", "smstools"),
    "snmpd": Component("snmpd", "snmpd"),
    "sshd": Component("sshd", "openssh-server"),
    "strace": Component("strace", "strace"),
    "systemd": Component("/lib/systemd/systemd", "systemd"),
    "systemd-analyze": Component("systemd-analyze", "systemd"),
}


def where(name: str) -> Path:
    """Return the path of a component that the test is marked to need."""
    found = COMPONENTS[name].path()
    assert found is not None, f"{name} is not installed: mark the test @pytest.mark.real({name!r})"
    return found


def absent(names: tuple[str, ...]) -> list[str]:
    """Return a line for each of these components that is not on this machine."""
    return [f"{name} (Debian package {COMPONENTS[name].package})" for name in names if COMPONENTS[name].path() is None]


def packages_absent() -> list[str]:
    """Return the Debian packages that would bring what is absent."""
    absent = (one for one in COMPONENTS.values() if one.path() is None and not one.requirements)
    return sorted({package for one in absent for package in one.package.split()})


def environments_absent() -> list[Component]:
    """Return what is absent and comes from PyPI."""
    return [one for one in COMPONENTS.values() if one.requirements and one.path() is None]
