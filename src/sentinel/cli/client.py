"""Talks to the daemon: HTTP over its control socket, or over TCP when asked, by the standard library alone."""

from __future__ import annotations

import getpass
import http.client
import json
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sentinel.cli.asked import Asked, Ended, Exit
from sentinel.cli.output import print_json, safe
from sentinel.places import SERVICE_CONFIG, SOCKET_NAME

TIMEOUT_S = 60.0
SILENT_S = 60.0
LINE_MAX_BYTES = 64 * 1024
PAGES_MAX = 1_000
TOKEN = re.compile(r"[!-~]{1,512}")
NEXT_PAGE = re.compile(r'<(/(?!/)[^>]*)>; *rel="next"')
ANSWER_MAX_BYTES = 64 * 1024 * 1024
SERVICE_SOCKET = Path("/run/sentinel/control.sock")
DATABASE_FILE = re.compile(r"""^[^#\n]*sqlite:///([^\s"'},?#]+)""", re.MULTILINE)


class Daemon:
    """The running daemon, as far as commands need it."""

    def __init__(self, asked: Asked, within_s: float = TIMEOUT_S) -> None:
        self._asked = asked
        self._within_s = within_s
        # Who names a socket means it, whatever the environment says.
        self._url = asked.url or ("" if asked.socket else os.environ.get("SENTINEL_URL", ""))
        self._where = self._url or str(find_socket(asked))
        self._token = token_of(asked) if self._url else ""
        self._next = ""

    def get(self, *path: str, **query: Any) -> Any:
        """Ask for something; an empty parameter is left out.

        Raises:
            Ended: the daemon cannot be reached, or does not know it.
        """
        asked = urlencode({name: value for name, value in query.items() if value not in ("", None)}, doseq=True)
        return self._call("GET", _path(path) + (f"?{asked}" if asked else ""), None)

    def all(self, *path: str, **query: Any) -> list[Any]:
        """Ask for a whole list, page by page.

        Raises:
            Ended: the daemon cannot be reached, or does not know it.
        """
        found = list(self.get(*path, **query))
        for _ in range(PAGES_MAX):
            if not self._next:
                break
            found += self._call("GET", self._next, None)
        return found

    def text(self, *path: str, **query: Any) -> str:
        """Ask for a text, such as a report; an empty parameter is left out.

        Raises:
            Ended: the daemon cannot be reached, or does not know it.
        """
        asked = urlencode({name: value for name, value in query.items() if value not in ("", None)})
        status, text = self._answer("GET", _path(path) + (f"?{asked}" if asked else ""), None)
        return text.decode("utf-8", "replace") if status // 100 == 2 else str(self._read(status, text))

    def post(self, *path: str, **body: Any) -> Any:
        """Ask for something to be done.

        Raises:
            Ended: the daemon cannot be reached, or refuses.
        """
        if self._url and not self._token and not body.get("by", "named"):
            body["by"] = getpass.getuser()  # Over TCP nobody can tell who asks.
        return self._call("POST", _path(path), {name: value for name, value in body.items() if value not in ("", None)})

    def delete(self, *path: str, **query: Any) -> Any:
        """Ask for something to end; an empty parameter is left out.

        Raises:
            Ended: the daemon cannot be reached, or refuses.
        """
        asked = urlencode({name: value for name, value in query.items() if value not in ("", None)})
        return self._call("DELETE", _path(path) + (f"?{asked}" if asked else ""), None)

    def follow(self) -> Stream:
        """Follow what changes, as open pages do.

        Raises:
            Ended: the daemon cannot be reached, or refuses.
        """
        connection = self._connection()
        with self._told_apart():
            connection.connect()
        sock = connection.sock  # Of an answer that ends with its connection the socket is not to be had later.
        answer = self._asked_on(connection, "GET", "/live", None)
        if answer.status != 200 or not answer.getheader("Content-Type", "").startswith("text/event-stream"):
            with closing(connection), answer:
                self._read(answer.status, answer.read(ANSWER_MAX_BYTES))
            raise Ended(f"What answers on {self._where} is no Sentinel.", Exit.UNREACHABLE)
        return Stream(connection, answer, sock)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        return self._read(*self._answer(method, path, body))

    def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, bytes]:
        with closing(self._connection()) as connection:
            answer = self._asked_on(connection, method, path, body)
            with self._told_apart():
                text = answer.read(ANSWER_MAX_BYTES)
        self._next = next_page(answer.getheader("Link", ""))
        return answer.status, text

    def _asked_on(
        self, connection: http.client.HTTPConnection, method: str, path: str, body: dict[str, Any] | None
    ) -> http.client.HTTPResponse:
        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        with self._told_apart():
            connection.request(method, path, content, headers)
            return connection.getresponse()

    @contextmanager
    def _told_apart(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise Ended(
                f"The daemon's socket {self._where} may not be used by this user: {error.strerror}.", Exit.UNREACHABLE
            ) from error
        except (OSError, http.client.HTTPException) as error:
            why = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise Ended(
                f"The daemon does not answer on {self._where}: {why}. Is it running?", Exit.UNREACHABLE
            ) from error

    def _connection(self) -> http.client.HTTPConnection:
        if not self._url:
            return OverSocket(self._where, self._within_s)
        parts = urlsplit(self._url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise Ended(f"'{safe(self._url)}' is no URL of a daemon; write http://127.0.0.1:9115", Exit.USAGE)
        if self._token and parts.scheme == "http" and not is_this_machine(parts.hostname):
            raise Ended("A token is not sent in clear to another machine; write https://…", Exit.USAGE)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname, parts.port, timeout=self._within_s)

    def _read(self, status: int, text: bytes) -> Any:
        try:
            found = json.loads(text)
        except ValueError as error:
            raise Ended(f"What answers on {self._where} is no Sentinel.", Exit.UNREACHABLE) from error
        if status // 100 == 2:
            return found
        detail = str(found.get("detail", f"the daemon answered {status}")) if isinstance(found, dict) else str(status)
        if status in {429, 503}:
            raise Ended(safe(detail), Exit.UNREACHABLE)
        if self._asked.json:
            print_json({"refused": detail})
        raise Ended(safe(detail), Exit.BAD)


class Stream:
    """What the daemon says as it happens: that something has changed, never what it is now.

    It writes a line at least every 25 seconds; one that says nothing for ``SILENT_S`` is dead.
    """

    def __init__(
        self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, sock: socket.socket
    ) -> None:
        self._connection = connection
        self._answer = answer
        self._socket = sock
        sock.settimeout(SILENT_S)

    def wait(self) -> bool:
        """Return whether something has changed, once the daemon says so or says that it is there.

        Raises:
            OSError: the stream is over.
        """
        try:
            line = self._answer.readline(LINE_MAX_BYTES)
        except http.client.HTTPException as error:
            raise OSError(str(error) or type(error).__name__) from error
        if not line:
            raise ConnectionResetError("the stream has ended")
        return line.startswith(b"data:") and line != b"data: \n"

    def end(self) -> None:
        """Make the stream be over for whoever waits on it, from another thread."""
        with suppress(OSError):  # It may be gone already.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the stream."""
        self._answer.close()
        self._connection.close()


class OverSocket(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, within_s: float = TIMEOUT_S) -> None:
        super().__init__("localhost", timeout=within_s)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def token_of(asked: Asked) -> str:
    """Return the token to show: as asked, else as the environment says; empty for none.

    Raises:
        Ended: the file cannot be read, or holds none.
    """
    if asked.token:
        return asked.token
    file = asked.token_file or (None if "SENTINEL_TOKEN" in os.environ else os.environ.get("SENTINEL_TOKEN_FILE"))
    if file is None:
        text = os.environ.get("SENTINEL_TOKEN", "")
    else:
        try:
            text = Path(file).read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise Ended(f"The token cannot be read from {safe(str(file))}: {why}.", Exit.USAGE) from error
    text = text.strip()
    if not TOKEN.fullmatch(text) and (text or file):
        raise Ended("What is given as a token is none: one line of visible characters.", Exit.USAGE)
    return text


def is_this_machine(host: str) -> bool:
    """Tell whether what is sent to a host stays on this machine."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def next_page(link: str) -> str:
    """Return the path of the next page that a ``Link`` header names; empty for none."""
    found = NEXT_PAGE.search(link)
    return found[1] if found else ""


def find_socket(asked: Asked) -> Path:
    """Return where the daemon of the configuration in question listens.

    Somebody who names a configuration means its daemon, never the one that this machine runs as a service.
    """
    if asked.socket is not None:
        return asked.socket
    if os.environ.get("SENTINEL_SOCKET"):
        return Path(os.environ["SENTINEL_SOCKET"])
    named = asked.config is not None or bool(os.environ.get("SENTINEL_CONFIG"))
    config = asked.config_path()
    if SERVICE_SOCKET.exists() and (not named or config.absolute() == SERVICE_CONFIG):
        return SERVICE_SOCKET
    beside = config.absolute().parent / SOCKET_NAME
    if beside.exists() or not config.exists():
        return beside
    return socket_named_in(config) or configured_socket(config) or beside


def socket_named_in(config: Path) -> Path | None:
    """Return the socket beside a database that the text of a configuration names, if there is one.

    Whoever takes an incident while somebody else has just broken the file must still be heard.
    """
    try:
        text = config.read_text(errors="replace")
    except OSError:
        return None
    folder = config.absolute().parent
    sockets = ((folder / file).with_name(SOCKET_NAME) for file in DATABASE_FILE.findall(text))
    return next((found for found in sockets if found.exists()), None)


def configured_socket(config: Path) -> Path | None:
    """Return where a configuration puts the socket: beside its database, when that is a file.

    It is what ``places.control_path`` returns, without reading the whole configuration.
    """
    from sentinel.cli.loading import load_or_end

    url = load_or_end(config).setup.storage.url
    scheme, _, file = url.reveal().partition(":///") if url else ("", "", "")
    folder = config.absolute().parent
    return (folder / file.partition("?")[0]).with_name(SOCKET_NAME) if scheme == "sqlite" and file else None


def _path(parts: tuple[str, ...]) -> str:
    return "/api/v1/" + "/".join(quote(part, safe="") for part in parts)
