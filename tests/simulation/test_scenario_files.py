"""What is wrong with a scenario file is said at its place, all at once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sentinel.cli.simulate import known_of
from sentinel.config.errors import ConfigError
from sentinel.simulation.acts import ACTS
from sentinel.simulation.scenario import read
from tests.simulation.playing import campus


@pytest.fixture(scope="module")
def known():
    return known_of(campus())


def mistakes(text: str, known, folder) -> list[str]:
    path = folder / "s.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read(path, known, {})
    return [str(one).removeprefix(f"{folder}/") for one in caught.value.mistakes]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", ["s.yaml:1:1: the file does not hold a mapping; start with `fail:`"]),
        ("[moodle-login]", ["s.yaml:1:1: the file does not hold a mapping; start with `fail:`"]),
        ("recover: 3h", ["s.yaml:1:1: `fail` is missing"]),
        ("fail: [moodle-logn]", ["s.yaml:1:8: there is no probe or service 'moodle-logn' (at fail.0); "
                                 "did you mean `moodle-login`?"]),
        ("fail: web-frontends/web2.example.org:444", [
            "s.yaml:1:7: the probe `web-frontends` has no target 'web2.example.org:444' (at fail); "
            "did you mean `web2.example.org:443`?"]),
        ("fail: campus\nrecover: 300", ["s.yaml:2:10: '300' is not a duration (at recover); write `300s` or `300m`"]),
        ("fail: campus\nrecover: 40d", ["s.yaml:2:10: '40d' is too large (at recover); at most `31d`"]),
        ("fail: campus\nrecovr: 3h", ["s.yaml:2:1: unknown key `recovr` (at recovr); did you mean `recover`?"]),
        ("fail: moodle-login\nreason: cert_day", ["s.yaml:2:9: none of these probes fails for 'cert_day'"]),
        ("fail: campus\ndo: [{at: 5m}]", ["s.yaml:2:6: `act` is missing (at do.0)"]),
        ("fail: campus\ndo:\n- {at: 5m, act: acknowlege}", ["s.yaml:3:17: unknown act 'acknowlege' (at do.0.act); "
                                                            "did you mean `acknowledge`?"]),
        ("fail: campus\ndo: [{act: acknowledge}]", ["s.yaml:2:6: `at` is missing (at do.0)"]),
        ("fail: campus\ndo: [{at: 5m, act: acknowledge, bye: amina}]", [
            "s.yaml:2:33: unknown key `bye` (at do.0.bye); did you mean `by`?"]),
        ("fail: campus\ndo: [{at: 5m, act: acknowledge, by: amin}]", [
            "s.yaml:2:37: there is no person 'amin' (at do.0.by); did you mean `amina`?"]),
        ("fail: campus\ndo: [{at: 5m, act: resolve, service: campos}]", [
            "s.yaml:2:38: there is no service 'campos' (at do.0.service); did you mean `campus`?"]),
        ("fail: campus\ndo: [{at: 5m, act: recategorise, priority: P9}]", [
            "s.yaml:2:44: 'P9' is not one of P1, P2, P3, P4 (at do.0.priority)"]),
        ("fail: campus\ndo: [5m]", ["s.yaml:2:6: this is not an act (at do.0); write `{at: 15m, act: acknowledge}`"]),
        ("fail: [a\n", ["s.yaml:2:1: "]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_place(text, said, known, tmp_path):
    found = mistakes(text, known, tmp_path)
    assert len(found) == len(said)
    for line, start in zip(found, said, strict=True):
        assert line.startswith(start), line


def test_all_mistakes_are_told_at_once(known, tmp_path):
    text = "fail: nowhere\nrecover: soon\ndo:\n- {at: 5m, act: pend, by: nobody}\n- {at: x, act: resume}\n"
    assert len(mistakes(text, known, tmp_path)) == 4


def test_a_file_that_is_not_there_is_said(known, tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml:1:1: cannot be read: No such file or directory"):
        read(tmp_path / "none.yaml", known, {})


def test_whatever_people_can_do_can_be_written(known, tmp_path):
    path = tmp_path / "s.yaml"
    needs = {"step": ", step: ack", "messages": ", every: 30m", "activate": ", level: 2", "change": ", change: CHG-1"}
    needs |= dict.fromkeys(("join", "leave"), ", person: bruno")
    lines = [f"- {{at: {number}m, act: {act}{needs.get(act, '')}}}" for number, act in enumerate(ACTS)]
    path.write_text("fail: campus\nrecover: 1h\ndo:\n" + "\n".join(lines))
    scenario = read(path, known, {})
    assert [act.kind for act in scenario.do] == list(ACTS)
    assert scenario.ends == timedelta(hours=1)


def test_without_a_word_of_recovery_the_first_resolution_ends_the_fault(known, tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("fail: campus\ndo: [{at: 3h, act: resolve}, {at: 2h, act: resolve}]")
    assert read(path, known, {}).ends == timedelta(hours=2)
