"""The words in which people report: which labels there are, and which values they may have."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Literal

from sentinel.core.matching import like
from sentinel.core.model import PRIORITIES, CauseClass

# How alike two words are (1 is equal) before one is taken for the other misspelt; more where new words are welcome.
NEAR = 0.6
NEAR_OPEN = 0.75
WANTED = "wanted"

# Rule CLS-10: what a cause is. Recorded as proposed, corrected by people.
CAUSES: dict[str, CauseClass] = {
    "bad_input": "intrinsic",
    "unstable_setting": "intrinsic",
    "volume_growth": "intrinsic",
    "host_network": "extrinsic",
    "overload": "extrinsic",
    "ddos": "extrinsic",
    "intrusion": "extrinsic",
    "lapsed_contract": "extrinsic",
}
# Rule CLS-10: whose doing it is, where that is not the provider's business; reported apart from the provider's targets.
ATTRIBUTED: dict[str, Literal["customer"]] = {"lapsed_contract": "customer"}

YES_NO = ("yes", "no")
GRADES = ("high", "medium", "low")
REQUESTED = (
    "password_reset",
    "access_rights",
    "file_restore",
    "pbx_configuration",
    "account_removal",
    "new_account",
    "new_pc",
    "new_phone",
    "software_update",
    "software_install",
    "printer_install",
    "backup_configuration",
    "network_security",
    "internet_line",
    "minor_change",
    "device_not_ordered",
    "long_request",
    "assistance",
)
# What is asked with a fixed choice of answers.
CLOSED: dict[str, tuple[str, ...]] = {
    "kind": ("incident", "request"),
    "scope": ("company", "site", "department", "management", "user"),
    "symptom": ("down", "degraded", "unreachable"),
    "workaround": YES_NO,
    "cannot_work": YES_NO,
    "data_loss": YES_NO,
    "urgent": YES_NO,
    "impact": GRADES,
    "urgency": GRADES,
    "cause": tuple(CAUSES),
    "priority": PRIORITIES,
}
# What the catalogue names; a customer has more of them.
OPEN: dict[str, tuple[str, ...]] = {
    "asset": (
        "server",
        "switch",
        "firewall",
        "pbx",
        "mail_server",
        "computer",
        "printer",
        "network_folder",
        "remote_access",
        "mail_client",
        "application",
        "internet",
    ),
    "category": REQUESTED,
}
LABELS = (*CLOSED, *OPEN, WANTED)
SPELT = {"true": "yes", "false": "no"}


def read_value(label: str, value: str, own: Collection[str] = ()) -> str:
    """Return a value of one of ``LABELS`` as rules know it; ``own`` holds the patterns that the rules in use have.

    Raises:
        ValueError: it is none; the text says what there is, and what was probably meant.
    """
    known = CLOSED.get(label) or OPEN.get(label, ())
    if CLOSED.get(label) == YES_NO:
        value = SPELT.get(value, value)
    if value in known or any(pattern and like(value, pattern) for pattern in own):
        return value
    near = nearest(value, (*known, *own), NEAR if label in CLOSED else NEAR_OPEN)
    if label in CLOSED or near or not value:
        raise ValueError(f"{label} is one of {', '.join(known)}, not '{value}'{near}")
    return value


def nearest(word: str, known: Collection[str], likeness: float = NEAR) -> str:
    """Return the end of a sentence that suggests the nearest known word; empty when none is near."""
    near = get_close_matches(word, [one for one in known if one], n=1, cutoff=likeness)
    return f"; did you mean `{near[0]}`?" if near else ""
