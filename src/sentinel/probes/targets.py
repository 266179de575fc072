"""One target or several: what the kinds that look at plain hosts and ports have in common."""

from __future__ import annotations

from functools import lru_cache
from typing import Self

from pydantic import Field, model_validator

from sentinel.config.fields import Flag, Host, HostPort, OneOrMany, quoted, wrong
from sentinel.probes.base import Options, Sight
from sentinel.probes.net import Family, IPAddress, find

TARGETS_MAX = 1000
ENDPOINTS_KEPT_MAX = 16_384


class HostOptions(Options):
    """``ip_protocol`` is the family to prefer; the other one is taken too, unless ``ip_protocol_fallback: no``."""

    ip_protocol: Family = "ip4"
    ip_protocol_fallback: Flag = True

    async def find(self, sight: Sight, host: str) -> IPAddress:
        """Resolve a host under these options.

        Raises:
            Failed: ``dns``, ``denied``.
        """
        return await find(sight, host, self.ip_protocol, fallback=self.ip_protocol_fallback)


class PortOptions(HostOptions):
    """The options of a kind that looks at ``host:port``: ``target`` or ``targets``, and one of them is needed."""

    target: HostPort | None = None
    many: OneOrMany[HostPort] = Field((), alias="targets", max_length=TARGETS_MAX)

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        check_targets(self.target, self.many)
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each ``host:port``."""
        return _together(self.target, self.many)


class PlainOptions(HostOptions):
    """The options of a kind that looks at hosts: ``target`` or ``targets``, and one of them is needed."""

    target: Host | None = None
    many: OneOrMany[Host] = Field((), alias="targets", max_length=TARGETS_MAX)

    @model_validator(mode="after")
    def _has_target(self) -> Self:
        check_targets(self.target, self.many)
        return self

    def targets(self) -> tuple[str, ...]:
        """Name each host."""
        return _together(self.target, self.many)


def check_targets(one: object, many: tuple[object, ...], one_is: str = "target") -> None:
    """See to it that one of the two is given, and that nothing is looked at twice.

    Raises:
        PydanticCustomError: it is not so.
    """
    if one is None and not many:
        raise wrong(f"`{one_is}` is missing", f"write `{one_is}: …`, or `targets: […, …]`")
    if one is not None and many:
        raise wrong(f"`{one_is}` and `targets` are both given", "put them all in `targets`")
    twice = [str(each) for each in many if many.count(each) > 1]
    if twice:
        raise wrong(f"`targets` names {quoted(twice[0])} twice")


def _together(one: object, many: tuple[object, ...]) -> tuple[str, ...]:
    return (str(one),) if one is not None else tuple(str(each) for each in many)


@lru_cache(maxsize=ENDPOINTS_KEPT_MAX)
def endpoint(target: str) -> HostPort:
    """Read a ``host:port`` that is looked at again and again, as ``HostPort.read`` does."""
    return HostPort.read(target)
