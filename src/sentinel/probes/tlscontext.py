"""The TLS options that several kinds share, and the contexts made from them: each made once, as that costs 17 ms."""

from __future__ import annotations

import ssl
import warnings
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sentinel.config.fields import Flag, Host, wrong
from sentinel.probes.base import Failed

CONTEXTS_MAX = 64

Version: TypeAlias = Literal["TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"]

# The names sort as the versions do.
VERSIONS: dict[str, ssl.TLSVersion] = {
    "TLSv1.0": ssl.TLSVersion.TLSv1,
    "TLSv1.1": ssl.TLSVersion.TLSv1_1,
    "TLSv1.2": ssl.TLSVersion.TLSv1_2,
    "TLSv1.3": ssl.TLSVersion.TLSv1_3,
}


class TlsOptions(BaseModel):
    """How to speak TLS to a target: which authorities to trust, which name to ask for, what to show of ourselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    verify: Flag = True
    server_name: Host | None = None
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    min_version: Version | None = None
    max_version: Version | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> TlsOptions:
        if self.key_file is not None and self.cert_file is None:
            raise wrong("`key_file` needs `cert_file`")
        if self.min_version and self.max_version and self.min_version > self.max_version:
            raise wrong("`min_version` is above `max_version`")
        return self


class _YesOrMore:
    """Lets ``yes`` stand for the options as they come, and ``no`` for none."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._as_options, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "on", "off"]}, handler(core)]}

    @staticmethod
    def _as_options(value: object) -> object:
        word = value.strip().lower() if isinstance(value, str) else value
        if word in (True, "yes", "on", "true"):
            return {}
        return None if word in (False, "no", "off", "false") else value


YesOrTls = Annotated[TlsOptions | None, _YesOrMore()]
"""``tls: yes``, ``tls: no`` or ``tls: {verify: no}``."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything a context is made from; ``stamps`` change when a file does, so that a new one is read."""

    verify: bool = True
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    lowest: str = "TLSv1.2"
    highest: str = "TLSv1.3"
    lenient: bool = False
    stamps: tuple[tuple[int, int], ...] = ()


def context(options: TlsOptions) -> ssl.SSLContext:
    """Return the context for these options: TLS 1.2 and later, unless they say otherwise.

    Raises:
        Failed: ``tls`` a file cannot be read or used.
    """
    return _made(
        Recipe(
            options.verify,
            options.ca_file,
            options.cert_file,
            options.key_file,
            options.min_version or min("TLSv1.2", options.max_version or "TLSv1.2"),
            options.max_version or "TLSv1.3",
            lenient=min(options.min_version or "TLSv1.2", options.max_version or "TLSv1.2") < "TLSv1.2",
        )
    )


def lenient_context(options: TlsOptions, only: str | None = None) -> ssl.SSLContext:
    """Return a context that trusts anybody and speaks any version, or only one: to look, never to rely on.

    Raises:
        Failed: ``tls`` the client certificate cannot be read or used.
    """
    lowest, highest = (only, only) if only else ("TLSv1.0", "TLSv1.3")
    return _made(Recipe(False, None, options.cert_file, options.key_file, lowest, highest, lenient=True))


def _made(recipe: Recipe) -> ssl.SSLContext:
    stamps = []
    for path in (recipe.ca_file, recipe.cert_file, recipe.key_file):
        if path is not None:
            try:
                seen = path.stat()
            except OSError as error:
                raise Failed("tls", f"cannot read {path}: {error.strerror}") from error
            stamps.append((seen.st_mtime_ns, seen.st_size))
    try:
        return _context(replace(recipe, stamps=tuple(stamps)))
    except OSError as error:
        named = " or ".join(str(path) for path in (recipe.ca_file, recipe.cert_file, recipe.key_file) if path)
        raise Failed("tls", f"cannot use {named}: {error.strerror or error}") from error


@lru_cache(maxsize=CONTEXTS_MAX)
def _context(recipe: Recipe) -> ssl.SSLContext:
    if recipe.verify:
        made = ssl.create_default_context(cafile=recipe.ca_file)
        made.hostname_checks_common_name = False  # As browsers and Go: only the alternative names count.
    else:
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    made.options |= ssl.OP_NO_RENEGOTIATION  # A peer could have us shake hands again and again (threat T6).
    if recipe.lenient:
        made.set_ciphers("ALL:@SECLEVEL=0")  # Versions before 1.2 need hashes that level 1 refuses.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Old versions are asked for on purpose.
        made.minimum_version = VERSIONS[recipe.lowest]
        made.maximum_version = VERSIONS[recipe.highest]
    if recipe.cert_file is not None:
        made.load_cert_chain(recipe.cert_file, recipe.key_file)
    return made
