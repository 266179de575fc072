"""Results become verdicts: streaks, and an ordered list of rules of which the first that matches decides (rule CLS-2).

Pure: told the facts, it answers; ``explain`` also says why the rules before did not match.
"""

from sentinel.rules.deciding import Deciding
from sentinel.rules.facts import DEGRADED, Facts, Match, Rejected, Rule, calendar_of, kind_of, mismatch
from sentinel.rules.streaks import Track, Turn, judge
from sentinel.rules.verdict import (
    FROM_IMPACT,
    LEVEL_OF,
    OTHERWISE,
    PRIORITY_OF,
    SEVERITY_OF,
    USUAL,
    classify,
    explain,
)

__all__ = [
    "DEGRADED",
    "FROM_IMPACT",
    "LEVEL_OF",
    "OTHERWISE",
    "PRIORITY_OF",
    "SEVERITY_OF",
    "USUAL",
    "Deciding",
    "Facts",
    "Match",
    "Rejected",
    "Rule",
    "Track",
    "Turn",
    "calendar_of",
    "classify",
    "explain",
    "judge",
    "kind_of",
    "mismatch",
]
