"""A small Moodle: a front page, a login form with a token, a session cookie that changes at login, a course."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.fakes.web import Received, WebServer, page, redirect

HTML = "Content-Type: text/html; charset=utf-8"
FORM = """<!DOCTYPE html><html><body><h1>Campus</h1>
<form method="post" action="/login/index.php"><input type="hidden" name="logintoken" value="{token}">
<input name="username"><input name="password" type="password"></form>{error}</body></html>"""


@dataclass
class Moodle:
    """What the site knows: one user, the tokens it gave, the sessions it opened; and the ways a test can break it."""

    username: str = "sonde"
    password: str = "p@ss & mot"
    tokens_expire: bool = False
    course_broken: bool = False
    token_missing: bool = False
    web: WebServer = field(default_factory=WebServer)
    _tokens: dict[str, str] = field(default_factory=dict)
    _users: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.web.routes |= {
            "/": page("<h1>Campus</h1><a href='/login/index.php'>Se connecter</a>", "200 OK", HTML),
            "/login/index.php": self._login,
            "/my/": self._dashboard,
            "/course/view.php": self._course,
        }

    def _session(self, received: Received) -> str:
        return received.cookies.get("MoodleSession", "")

    async def _login(self, received: Received, writer: asyncio.StreamWriter) -> None:
        writer.write(self._form(received) if received.method == "GET" else self._enter(received))

    def _form(self, received: Received, error: str = "") -> bytes:
        session = self._session(received) or secrets.token_hex(8)
        token = self._tokens[session] = secrets.token_hex(16)
        if self.tokens_expire:
            self._tokens[session] = "another"
        html = FORM.format(token=token, error=error)
        if self.token_missing:
            html = html.replace("logintoken", "renamed")
        return page(html, "200 OK", HTML, f"Set-Cookie: MoodleSession={session}; path=/; HttpOnly")

    def _enter(self, received: Received) -> bytes:
        fields = {name: values[0] for name, values in parse_qs(received.body.decode()).items()}
        session = self._session(received)
        if fields.get("logintoken") != self._tokens.get(session, "none"):
            return self._form(received, "<p>Votre session a expiré</p>")
        if (fields.get("username"), fields.get("password")) != (self.username, self.password):
            return self._form(received, "<p>Identifiants non valides</p>")
        entered = secrets.token_hex(8)
        self._users.add(entered)
        return redirect("/my/", "303 See Other", f"Set-Cookie: MoodleSession={entered}; path=/; HttpOnly")

    async def _dashboard(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if self._session(received) in self._users:
            writer.write(
                page("<h1>Tableau de bord</h1><a class='course' href='/course/view.php?id=2'>Test</a>", "200 OK", HTML)
            )
        else:
            writer.write(redirect("/login/index.php"))

    async def _course(self, received: Received, writer: asyncio.StreamWriter) -> None:
        if self._session(received) not in self._users:
            writer.write(redirect("/login/index.php"))
        elif self.course_broken:
            writer.write(page("<p>Erreur de lecture de la base de données</p>", "500 Internal Server Error", HTML))
        else:
            writer.write(page(f"<h1>Module de test</h1><p>{received.target}</p>", "200 OK", HTML))
