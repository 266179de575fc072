"""The invariants of reliability.md that the simulator checks, and where; what it leaves to other tests, and why."""

from __future__ import annotations

CHECKED: dict[str, str] = {
    "I1": "each event's messages are owed in its transaction; steps tell whom they must (telling); somebody hears, or "
    "it is said that nobody can be reached (oracle._hope)",
    "I2": "a message goes out again only if the daemon died or was never told (letters.attempted); ids never change",
    "I3": "no step is taken that nobody wants; exactly the pages are withdrawn that serve nobody any more (telling)",
    "I4": "what time brings is owed, due, not early, at most 5 s late but for excuses (oracle._in_time, excuses)",
    "I5": "at the end of a quiet time each ticket is where its incident is (oracle.close)",
    "I7": "the row that wakes an incident is never later than what it is owed (oracle._woken)",
    "I8": "what the desk believes is on disk; every log folds to its snapshot; one seed, one trace",
    "I9": "done: the gateway took it under that reference; dead: refused for ever, or tried for four hours; nothing "
    "waits once its channel is well; who can be told by another way is (letters, telling)",
    "I11": "what a person was told is done is on disk (oracle.promised)",
    "I13": "due times and warnings are those of a second arithmetic, whatever was stopped, stepped or restarted, and "
    "each is said once (promises, hours, case)",
    "I14": "a reload changes no open incident; its timers and messages go on (world.reload, and all of the above)",
    "I15": "what an incident remembers and the tasks of the daemon are bounded; the loop never spins",
    "I16": "sequences without gaps, times that never go back, a chain of hashes that holds",
}
ELSEWHERE: dict[str, str] = {
    "I6": "how many messages one person gets in an hour is not bounded yet; letters.py is where it belongs",
    "I10": "probes are not part of this world: tests/engine/test_scheduler.py and test_judge.py",
    "I12": "neither is the network of the host",
}
# What the incident core learns next has its place in ``case.owed`` (what time brings) and ``telling`` (whom it tells):
# the other ladder when opening hours begin or end, crises and their messages, reviews.
