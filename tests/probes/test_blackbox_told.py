"""``/config`` and ``/logs`` beside ``/probe``: what is kept, what is found, what is never shown."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sentinel.probes.base import Failed, Sight
from sentinel.probes.blackbox import load
from sentinel.probes.blackbox_told import HISTORY_MAX, History, Run, modules_page
from sentinel.probes.net import TargetPolicy
from tests.fakes.names import Names

SECRETS = """\
modules:
  a:
    prober: websocket
    websocket:
      http_config: {authorization: {type: Basic, credentials: canary-1}}
      headers: {X-Key: {values: [canary-2]}, X: {values: [plain], secrets: [canary-3]}}
      query_response: [{send: canary-4}]
  b: {prober: grpc, grpc: {metadata: {authorization: [canary-5], other: canary-6}}}
  c:
    prober: http
    http:
      headers: {Cookie: canary-7, Accept: "text/*, #1"}
      body: canary-8
      basic_auth: {username: sonde, password_file: FILE}
"""


def run(history: History, target: str, *, failed: bool = False, module: str = "tcp") -> None:
    sight = Sight(target, 5.0, Names(), TargetPolicy(), now=datetime(2026, 11, 22, tzinfo=UTC))
    sight.fact("seen")
    failure = Failed("connect", "nobody") if failed else None
    history.add(Run(history.next(), module, "tcp", target, "prober: tcp\n", sight, failure, "probe_success 1\n"))


def test_the_last_probes_are_kept_and_those_that_failed_for_longer():
    history = History()
    run(history, "failed", failed=True)
    run(history, "worked")
    for number in range(HISTORY_MAX):
        run(history, f"t{number}")
    assert len(list(history)) == HISTORY_MAX + 1
    assert history.answer({"id": "0"}).text.startswith(
        "Logs for the probe:\nBeginning probe module=tcp probe=tcp timeout_seconds=5\nseen\nProbe failed"
    )
    assert history.answer({"target": "failed"}).status == 200
    assert history.answer({"id": "1"}).status == history.answer({"target": "worked"}).status == 404


def test_of_a_target_the_newest_probe_is_shown_and_of_a_module_when_one_is_named():
    history = History()
    for module in ("one", "two"):
        run(history, "a", module=module)
    assert "module=two" in history.answer({"target": "a"}).text
    assert "module=one" in history.answer({"target": "a", "module": "one"}).text
    assert history.answer({"target": "a", "module": "three"}).text == "Probe target not found\n"


@pytest.mark.parametrize("query", [{}, {"id": "1", "target": "a"}, {"module": "one"}])
def test_a_question_for_both_or_neither_is_refused(query: dict[str, str]):
    assert History().answer(query).status == 400


def test_no_secret_is_shown_wherever_it_stands_and_the_rest_is(tmp_path: Path):
    (tmp_path / "p").write_text("canary-10")
    file = tmp_path / "blackbox.yml"
    file.write_text(SECRETS.replace("FILE", str(tmp_path / "p")))
    page = modules_page({name: module.written for name, module in load(file).items()}).text
    assert "canary" not in page
    for text in ("username: sonde", f"password_file: {tmp_path}/p", 'Accept: "text/*, #1"', "follow_redirects: true"):
        assert text in page
