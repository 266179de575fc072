"""The accounts in force, and the sessions of those who signed in.

Of a session only the digest is kept, so that a copy of the database opens nothing. Sessions outlive a restart: nobody
signs in anew at three in the morning because the daemon was updated.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from typing import Final

import argon2
import msgspec
import pyotp
import structlog
from argon2 import PasswordHasher
from msgspec.structs import replace

from sentinel.core import accounts
from sentinel.core.accounts import Account, Disabled, Enabled, Fact, Invited, PasswordSet, SecondSet
from sentinel.core.model import Refused
from sentinel.engine.clock import Clock
from sentinel.engine.ledger import Ledger
from sentinel.engine.sealing import Sealer, Unsealable, is_sealed
from sentinel.store.base import OutboxRow, Store, StoreUnavailable
from sentinel.store.plain_rows import Record

log = structlog.get_logger(__name__)

SUBJECT: Final = "account"
SESSIONS: Final = "session"
IDLE_MAX: Final = timedelta(hours=12)
AGE_MAX: Final = timedelta(days=7)
SEEN_EVERY: Final = timedelta(minutes=5)  # How exactly it is kept when a session was used last.
SESSIONS_MAX: Final = 2_000
SESSIONS_EACH_MAX: Final = 20  # Beyond that the oldest of a person ends.
HASHING_MAX: Final = 2  # At once: each takes 64 MiB for a tenth of a second.
CODE_STEP_S: Final = 30  # RFC 6238; the code before and the one after are taken too.
ISSUER: Final = "Sentinel"


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody signed in. ``way`` says how (``password``, ``oidc``); ``agent`` is what a browser calls itself."""

    id: str
    person: str
    way: str
    began_at: datetime
    seen_at: datetime
    agent: str = ""
    client: str = ""

    def in_force(self, now: datetime) -> bool:
        """Tell whether it is taken."""
        return now - self.seen_at < IDLE_MAX and now - self.began_at < AGE_MAX


_decoder = msgspec.json.Decoder(Session)
_Decide = Callable[[Account], list[Fact]]


def digest_of(text: str) -> str:
    """Return what is kept of a secret instead of its text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Accounts:
    """Knows who may come in by a password, and who has."""

    def __init__(self, store: tuple[Store, Executor], clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._store, self._writer = store
        self._clock = clock
        self._ledger: Ledger[Fact] = Ledger(SUBJECT, Fact, store, clock)
        self._kept: dict[str, Account] = {}  # Every request asks whether there are any.
        self.hasher = hasher or PasswordHasher()
        self.sealer = Sealer()
        self._hashing = asyncio.Semaphore(HASHING_MAX)
        self._sessions: dict[str, Session] = {}
        self._spent: dict[str, int] = {}
        self._nobody = ""  # Verified for whoever is nobody, so that they take as long as somebody (threat T27).

    async def load(self) -> None:
        """Read the accounts, and the sessions that are taken.

        Raises:
            StoreUnavailable: the store cannot be read.
        """
        await self._ledger.load()
        self._fold(self._ledger.streams)
        loop = asyncio.get_running_loop()
        rows = await loop.run_in_executor(self._writer, self._store.records, SESSIONS)
        now = self._clock.now()
        found = (_decoder.decode(row.body) for row in rows)
        self._sessions = {session.id: session for session in found if session.in_force(now)}
        gone = [(SESSIONS, row.name) for row in rows if row.name not in self._sessions]
        if gone:
            await loop.run_in_executor(self._writer, self._store.put_records, (), gone)
        readable = [one.person for one in self.all() if one.second and not is_sealed(one.second)]
        if readable:
            log.warning("second factors are readable in the database; see `sentinel check`", people=len(readable))

    def known(self) -> bool:
        """Tell whether somebody can sign in; whoever was disabled still counts: a door does not open by itself."""
        return any(account.password for account in self._kept.values())

    def all(self) -> list[Account]:
        """Return every account."""
        return list(self._kept.values())

    def of(self, person: str) -> Account:
        """Return the account of a person, an empty one when there is none."""
        return self._kept.get(person) or Account(person=person)

    # Accounts -------------------------------------------------------------------------------------------------------

    async def invite(self, person: str, by: str) -> str:
        """Ask somebody in: return the secret of the link by which they set a password, once, within a day.

        Raises:
            Refused: the account is disabled.
            StoreUnavailable: it is not on disk.
        """
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        invited = Invited(at=now, by=by, digest=digest_of(secret), expires_at=now + accounts.INVITED_FOR)
        await self._add(person, lambda account: accounts.invite(account, invited))
        return secret

    def invited(self, secret: str) -> Account | None:
        """Return whose link a secret is of, if it still works."""
        digest, now = digest_of(secret), self._clock.now()
        found = [one for one in self.all() if one.invited(now) and hmac.compare_digest(one.invitation, digest)]
        return found[0] if found else None

    async def set_password(self, person: str, password: str, by: str) -> None:
        """Set a password; sessions of before end.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        digest = await self._hash(password)
        await self._add(person, lambda _: [PasswordSet(at=self._clock.now(), by=by, digest=digest)])
        await self.end_all(person)

    async def set_second(self, person: str, secret: str, code: str, by: str) -> None:
        """Set a second factor, given a code that proves it works; without a secret take it away.

        Raises:
            Refused: the code is not of this secret.
            StoreUnavailable: it is not on disk.
        """
        if secret and not self._is_code(secret, code):
            raise Refused("This is not the code of now; look at the clock of the telephone.")
        kept = self.sealer.seal(secret, person)
        await self._add(person, lambda _: [SecondSet(at=self._clock.now(), by=by, secret=kept)])

    async def disable(self, person: str, by: str, why: str) -> None:
        """Let nobody in by an account any more; their sessions end at once.

        Raises:
            Refused: it cannot be; the reason is a sentence.
            StoreUnavailable: it is not on disk.
        """
        disabled = Disabled(at=self._clock.now(), by=by, why=why)
        await self._add(person, lambda account: accounts.disable(account, disabled))
        await self.end_all(person)

    async def enable(self, person: str, by: str) -> None:
        """Take an account again.

        Raises:
            Refused: it is not disabled.
            StoreUnavailable: it is not on disk.
        """
        await self._add(person, lambda account: accounts.enable(account, Enabled(at=self._clock.now(), by=by)))

    async def prove(self, person: str, password: str, code: str) -> bool:
        """Tell whether somebody is who they say. Whether there is such a person tells nobody, by no answer and no time.

        A code is taken once.
        """
        self._nobody = self._nobody or await self._hash(secrets.token_hex())
        account = self.of(person)
        usable = account.usable
        known = await self._verify(account.password if usable else self._nobody, password)
        if not (usable and known):
            return False
        if self.hasher.check_needs_rehash(account.password):
            digest = await self._hash(password)
            await self._add(person, lambda _: [PasswordSet(at=self._clock.now(), by=person, digest=digest)])
        return not account.second or self._fits(account, code)

    # Sessions -------------------------------------------------------------------------------------------------------

    async def begin(self, person: str, way: str, *, agent: str = "", client: str = "") -> str:
        """Begin a session; return its secret, which nobody keeps.

        Raises:
            StoreUnavailable: it is not on disk.
            Refused: there are ``SESSIONS_MAX``.
        """
        secret, now = secrets.token_urlsafe(32), self._clock.now()
        gone = [one.id for one in self._sessions.values() if not one.in_force(now)]
        gone += [one.id for one in self.sessions(person)[SESSIONS_EACH_MAX - 1 :]]
        if len(self._sessions) - len(gone) >= SESSIONS_MAX:
            raise Refused(f"{SESSIONS_MAX} people are signed in already.")
        session = Session(
            id=digest_of(secret), person=person, way=way, began_at=now, seen_at=now, agent=agent, client=client
        )
        await self._put([session], gone)
        log.info("signed in", person=person, way=way)
        return secret

    async def find(self, secret: str) -> Session | None:
        """Return the session of a secret, if it is taken; that it was used is kept now and then."""
        session, now = self._sessions.get(digest_of(secret)), self._clock.now()
        if session is None or not session.in_force(now):
            return None
        if self.of(session.person).disabled_at is not None:
            return None
        if now - session.seen_at >= SEEN_EVERY:
            session = replace(session, seen_at=now)
            self._sessions[session.id] = session
            try:
                await self._put([session])
            except StoreUnavailable as error:  # Looking goes on; at worst it ends early after a restart.
                log.warning("a session is not on disk", why=str(error))
        return session

    def sessions(self, person: str) -> list[Session]:
        """Return where somebody is signed in, the last used first."""
        now = self._clock.now()
        found = [one for one in self._sessions.values() if one.person == person and one.in_force(now)]
        return sorted(found, key=lambda one: one.seen_at, reverse=True)

    async def end(self, person: str, session_id: str) -> None:
        """End a session of a person.

        Raises:
            Refused: there is none.
            StoreUnavailable: it is not on disk, and it is still taken.
        """
        session = self._sessions.get(session_id)
        if session is None or session.person != person:
            raise Refused("There is no such session.")
        await self._put((), [session_id])
        log.info("signed out", person=person)

    async def end_all(self, person: str, but: str = "") -> None:
        """End every session of a person but one.

        Raises:
            StoreUnavailable: it is not on disk.
        """
        gone = [one.id for one in self._sessions.values() if one.person == person and one.id != but]
        if gone:
            await self._put((), gone)

    # How it is done -------------------------------------------------------------------------------------------------

    async def _put(self, kept: Sequence[Session], gone: Sequence[str] = ()) -> None:
        rows = [Record(SESSIONS, one.id, msgspec.json.encode(one)) for one in kept]
        names = [(SESSIONS, name) for name in gone]
        await asyncio.get_running_loop().run_in_executor(self._writer, self._store.put_records, rows, names)
        for name in gone:
            self._sessions.pop(name, None)
        for one in kept:
            self._sessions[one.id] = one

    async def _add(self, person: str, decide: _Decide) -> None:
        def added(streams: dict[str, list[Fact]]) -> tuple[str, Sequence[Fact], Sequence[OutboxRow]]:
            self._fold(streams)  # Another writer may have been first.
            return person, decide(self.of(person)), ()

        await self._ledger.add(added)
        facts = self._ledger.streams[person]
        self._kept[person], last = accounts.account_of(person, facts), facts[-1]
        log.info("account", what=last.__struct_config__.tag, person=person, by=last.by)

    def _fold(self, streams: Mapping[str, Sequence[Fact]]) -> None:
        self._kept = {name: accounts.account_of(name, facts) for name, facts in streams.items()}

    async def _hash(self, password: str) -> str:
        async with self._hashing:
            return await asyncio.to_thread(self.hasher.hash, password)

    async def _verify(self, digest: str, password: str) -> bool:
        async with self._hashing:
            try:
                return await asyncio.to_thread(self.hasher.verify, digest, password)
            except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
                return False

    def _fits(self, account: Account, code: str) -> bool:
        """Tell whether a code is of the second factor; of one that cannot be read none is."""
        try:
            secret = self.sealer.open(account.second, account.person)
        except Unsealable as error:
            log.error("second factor not readable; nobody comes in by it", person=account.person, why=str(error))
            return False
        return self._spend(account.person, secret, code)

    def _is_code(self, secret: str, code: str) -> bool:
        return self._step_of(secret, code) is not None

    def _step_of(self, secret: str, code: str) -> int | None:
        """Return of which half minute a code is: of this one, the one before or the one after."""
        written = "".join(code.split())
        now = int(self._clock.now().timestamp()) // CODE_STEP_S
        made = pyotp.TOTP(secret)
        found = [
            at
            for at in (now, now - 1, now + 1)
            if hmac.compare_digest(made.generate_otp(at).encode(), written.encode())
        ]
        return found[0] if found else None

    def _spend(self, person: str, secret: str, code: str) -> bool:
        step = self._step_of(secret, code)
        if step is None or step <= self._spent.get(person, -1):
            return False
        self._spent[person] = step
        return True


def new_second() -> str:
    """Return a secret for a second factor."""
    return pyotp.random_base32()


def second_url(secret: str, person: str, site: str) -> str:
    """Return what an authenticator reads: the secret, whose it is, and of what."""
    return pyotp.TOTP(secret).provisioning_uri(name=person, issuer_name=f"{ISSUER} {site}")
