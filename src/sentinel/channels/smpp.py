"""SMS by SMPP 3.4: one line to an SMS centre, on which messages leave, and receipts and answers come in.

The line is bound as long as the daemon runs. It is made anew when it is gone, after a pause that grows; a message that
finds it gone makes it anew at once. What came in is on disk before the centre is told that it was taken.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import zlib
from contextlib import suppress
from datetime import timedelta
from typing import Annotated, Any, Final

from pydantic import Field, field_validator, model_validator

from sentinel.channels import smpp_pdu as pdu
from sentinel.channels.base import ChannelKind, Message, Options, Surroundings, Undelivered
from sentinel.channels.listening import Ears, NotKept
from sentinel.channels.smpp_pdu import Alphabet, IdForm, Sms
from sentinel.channels.smpp_session import Broken, Line, Session, connect
from sentinel.channels.sms_inbound import Heard, Receipt, international
from sentinel.config.fields import Duration, Flag, Port, Secret, quoted, wrong

TIMEOUT: Final = timedelta(seconds=15)
KEEPALIVE: Final = timedelta(seconds=30)
THROTTLED_S: Final = 5.0  # SMPP has no word for how long a centre wants to be left alone.
PAUSE_FIRST_S: Final = 1.0
PAUSE_MAX_S: Final = 60.0
REFUSED_PAUSE_S: Final = 30.0  # A centre that refuses our password may lock the account that asks again and again.
PARTS_WAIT_S: Final = 10.0
TEXTS_MAX: Final = 100  # that wait for their parts
SYSTEM_ID_MAX: Final = 15
PASSWORD_MAX: Final = 8
SENDER_MAX: Final = 20
FAILED: Final = frozenset({"EXPIRED", "DELETED", "UNDELIV", "REJECTD"})


class SmppOptions(Options):
    """Where the centre is, how it knows us, and what it takes its default alphabet and its ids to be."""

    host: str
    port: Port = 2775
    tls: Flag = False
    ca_file: str = ""
    system_id: Annotated[str, Field(min_length=1, max_length=SYSTEM_ID_MAX)]
    password: Secret
    system_type: Annotated[str, Field(max_length=12)] = ""
    sender: Annotated[str, Field(max_length=SENDER_MAX)] = ""
    alphabet: Alphabet = "gsm7"
    submit_ids: IdForm = "text"
    receipt_ids: IdForm = "text"
    keepalive: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(minutes=10))] = KEEPALIVE
    timeout: Annotated[Duration, Field(le=timedelta(seconds=30))] = TIMEOUT

    @field_validator("password")
    @classmethod
    def _fits(cls, password: Secret) -> Secret:
        if len(password.reveal()) > PASSWORD_MAX or not password.reveal().isascii():
            raise wrong(f"a password of SMPP has at most {PASSWORD_MAX} plain characters")
        return password

    @field_validator("sender")
    @classmethod
    def _sendable(cls, sender: str) -> str:
        if not sender.isascii() or not sender.isprintable():
            raise wrong(f"{quoted(sender)} is not a sender", "at most 11 letters and digits, or a number")
        return sender

    @field_validator("ca_file")
    @classmethod
    def _readable(cls, value: str) -> str:
        try:
            if value:
                ssl.create_default_context(cafile=value)
        except (OSError, ssl.SSLError) as error:
            raise wrong(f"{quoted(value)} is not a file of authorities: {error}") from None
        return value

    @model_validator(mode="after")
    def _consistent(self) -> SmppOptions:
        if self.ca_file and not self.tls:
            raise wrong("`ca_file` is for TLS", "write `tls: yes`")
        return self


class SmppSender:
    """Sends SMS over the line, and hears what comes in on it."""

    def __init__(self, options: SmppOptions, surroundings: Surroundings) -> None:
        self._options = options
        self._line = Line(
            host=options.host,
            port=options.port,
            system_id=options.system_id,
            password=options.password.reveal(),
            system_type=options.system_type,
            tls=ssl.create_default_context(cafile=options.ca_file or None) if options.tls else None,
            policy=surroundings.policy,
            timeout_s=options.timeout.total_seconds(),
            keepalive_s=options.keepalive.total_seconds(),
        )
        self._opening = asyncio.Lock()
        self._session: Session | None = None
        self._ears: Ears | None = None
        self._refused: tuple[float, Undelivered] | None = None
        self._texts: dict[tuple[str, int, int], _Text] = {}

    async def send(self, message: Message) -> str:
        """Hand the SMS to the centre, and return its id for it: that of the last part, which completes the text.

        Raises:
            Undelivered: it was not taken.
        """
        session = await self._bound()
        # Ours, in the one field there is for it: what is sent twice bears the same (rule DSP-3).
        ours = zlib.crc32(message.id.encode()) & 0xFFFF
        taken = ""
        for segment in pdu.parts_of(message.sms, self._options.alphabet, ours):
            body = pdu.submit(self._options.sender, message.to, segment, ours)
            taken = await self._submit(session, body)
        return pdu.same_id(taken, self._options.submit_ids) or message.id

    async def _submit(self, session: Session, body: bytes) -> str:
        host = self._options.host
        try:
            async with asyncio.timeout(self._line.timeout_s):
                answer = await session.ask(pdu.SUBMIT_SM, body)
        except TimeoutError as error:
            raise Undelivered(f"{host} did not answer in {self._line.timeout_s:g} s", outcome="timeout") from error
        except Broken as error:
            raise Undelivered(f"{host} broke off", outcome="timeout") from error
        if answer.status == pdu.OK and answer.command == pdu.SUBMIT_SM | pdu.ANSWER:
            return pdu.taken_as(answer.body)
        busy = answer.status in {pdu.THROTTLED, pdu.QUEUE_FULL}
        raise Undelivered(
            f"{host} answered {pdu.said(answer.status)}",
            permanent=answer.status in pdu.PERMANENT,
            after_s=THROTTLED_S if busy else None,
        )

    async def check(self) -> None:
        """Bind, or ask whether the line still stands; nothing is sent.

        Raises:
            Undelivered: the centre is not there, or refuses us.
        """
        session = await self._bound()
        try:
            async with asyncio.timeout(self._line.timeout_s):
                await session.ask(pdu.ENQUIRE_LINK)
        except (Broken, TimeoutError) as error:
            raise Undelivered(f"{self._options.host} does not answer") from error

    async def close(self) -> None:
        """Unbind."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def listen(self, ears: Ears) -> None:
        """Keep the line, and hand over what comes in on it, until cancelled."""
        self._ears = ears
        pause_s = PAUSE_FIRST_S
        try:
            while True:
                with suppress(Undelivered):
                    session = await self._bound()
                    pause_s = PAUSE_FIRST_S
                    await session.ended.wait()
                await asyncio.sleep(pause_s * random.uniform(0.8, 1.2))  # noqa: S311  so that not all come at once
                pause_s = min(PAUSE_MAX_S, pause_s * 2)
        finally:
            self._ears = None  # What comes now is answered with "later", and comes again.

    async def _bound(self) -> Session:
        """Return the line, made anew if it is gone.

        Raises:
            Undelivered: it cannot be made.
        """
        async with self._opening:
            if self._session is not None and self._session.alive:
                return self._session
            loop = asyncio.get_running_loop()
            if self._refused is not None and loop.time() < self._refused[0]:
                raise self._refused[1]
            await self.close()
            self._refused = None
            try:
                self._session = await connect(self._line, self._take)
            except Undelivered as failure:
                if failure.permanent:
                    self._refused = loop.time() + REFUSED_PAUSE_S, failure
                raise
            return self._session

    # What comes in ----------------------------------------------------------------------------------------------

    async def _take(self, sms: Sms) -> int:
        """Take an SMS of the centre's; return the status to answer it with."""
        ears = self._ears
        if ears is None:
            return pdu.LATER
        try:
            if sms.esm_class & pdu.KIND_MASK == pdu.RECEIPT:
                await self._became(sms, ears)
            elif sms.esm_class & pdu.KIND_MASK == 0:
                await self._heard(sms, ears)
        except NotKept:
            return pdu.LATER
        return pdu.OK

    async def _became(self, sms: Sms, ears: Ears) -> None:
        name, state, error = pdu.receipt(sms)
        reference = pdu.same_id(name, self._options.receipt_ids)
        if reference and state == "DELIVRD":
            await ears.became(Receipt(reference, "delivered"))
        elif reference and state in FAILED:
            await ears.became(Receipt(reference, "failed", " ".join(filter(None, (state, error.strip("0"))))))

    async def _heard(self, sms: Sms, ears: Ears) -> None:
        default: Alphabet = "gsm7" if self._options.alphabet == "ucs2" else self._options.alphabet
        text, part = pdu.read_text(sms, default)
        number = international(sms.sender)
        if not number:
            return
        if part is None or part.total < 2 or len(self._texts) >= TEXTS_MAX:
            await ears.heard(Heard(number, text))
            return
        key = (number, part.reference, part.total)
        whole = self._texts.get(key)
        if whole is None:
            whole = self._texts[key] = _Text(part.total)
        await whole.add(part.number, text)
        # Each part is answered when the whole is on disk; whoever comes first hands it over.
        if self._texts.pop(key, None) is whole:
            whole.kept = asyncio.ensure_future(ears.heard(Heard(number, whole.text)))
        assert whole.kept is not None, "who took it out has begun to hand it over"
        await asyncio.shield(whole.kept)


class _Text:
    """A text of which parts are still to come: it waits for them, for ten seconds at most."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._parts: dict[int, str] = {}
        self._whole = asyncio.Event()
        self.kept: asyncio.Future[None] | None = None

    async def add(self, number: int, text: str) -> None:
        self._parts[number] = text
        if len(self._parts) >= self._total:
            self._whole.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(PARTS_WAIT_S):
                await self._whole.wait()

    @property
    def text(self) -> str:
        return "".join(text for _, text in sorted(self._parts.items()))


def _build(options: Any, surroundings: Surroundings) -> SmppSender:
    return SmppSender(options, surroundings)


KIND = ChannelKind("smpp", SmppOptions, _build, "mobile")
