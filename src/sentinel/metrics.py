"""Every metric Sentinel exports, in one table; the ``probe_*`` families are in ``probes/help.py``.

Labels come from closed sets, base units everywhere, instants are absent rather than zero.
"""

from __future__ import annotations

import platform
from collections import Counter as Count
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from typing import Final, Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from sentinel import __version__
from sentinel.core import events as e
from sentinel.core import requests
from sentinel.core.crisis_events import CrisisOpened
from sentinel.core.model import PRIORITIES
from sentinel.core.state import Incident

RUN_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
LAG_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
PERSON_S = (60, 300, 900, 1_800, 3_600, 7_200, 14_400)
REPAIR_S = (900, 1_800, 3_600, 7_200, 14_400, 28_800, 86_400, 172_800, 432_000)
LATENCY_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3_600, 14_400)


@dataclass(frozen=True, slots=True)
class Metric:
    """One line of the table. A ``state`` metric is a gauge that is looked up when asked for."""

    name: str
    kind: Literal["counter", "gauge", "histogram", "state"]
    labels: tuple[str, ...]
    help: str
    buckets: tuple[float, ...] = ()


METRICS: Final[tuple[Metric, ...]] = (
    Metric("sentinel_probes", "state", ("type", "state"), "Probes configured, by type and state (ok, failing, pending, muted, paused)"),
    Metric("sentinel_probe_runs_total", "counter", ("type", "result"), "Probe runs ended, by result (success, failure, timeout, error)"),
    Metric("sentinel_probe_run_duration_seconds", "histogram", ("type",), "Duration of probe runs", RUN_S),
    Metric("sentinel_probe_schedule_lag_seconds", "histogram", (), "Delay between the planned and the actual start of probe runs", LAG_S),
    Metric("sentinel_probe_runs_skipped_total", "counter", ("reason",), "Planned probe runs that did not start, by reason (overrun, shutdown, budget), or that came to nothing (isolated, budget)"),
    Metric("sentinel_probe_runs_doubtful_total", "counter", ("reason",), "Probe runs that the host's own trouble may have spoilt, by reason (lag, descriptors, memory, network, loss, bug)"),
    Metric("sentinel_host_short", "state", ("of",), "1 while the host is short of descriptors or memory, and probes wait"),
    Metric("sentinel_clock_held_seconds", "state", (), "By how much the clock of the host has jumped without being followed yet; 0 when it is followed"),
    Metric("sentinel_alerts_received_total", "counter", ("source", "status"), "Alerts received from others, by source and status (firing, resolved)"),
    Metric("sentinel_alerts_invalid_total", "counter", ("source",), "Alerts received that could not be read"),
    Metric("sentinel_alerts_suppressed_total", "counter", ("reason",), "Alerts not dispatched, by reason (duplicate, silence, inhibition, maintenance, level)"),
    Metric("sentinel_incidents", "state", ("service", "priority", "state"), "Incidents not yet closed, by state (open, acknowledged, waiting_customer, waiting_third_party, resolved)"),
    Metric("sentinel_overload", "state", (), "Whether the team is overloaded and works strictly by its targets"),
    Metric("sentinel_requests", "state", ("service", "priority", "state"), "Requests not yet closed, by state (open, acknowledged, planned, pending, in_progress, done)"),
    Metric("sentinel_incident_opened_total", "counter", ("service", "level", "priority", "source"), "Incidents opened"),
    Metric("sentinel_incident_closed_total", "counter", ("service", "priority", "outcome"), "Incidents closed, by outcome (resolved, false_alarm, duplicate)"),
    Metric("sentinel_incident_escalated_total", "counter", ("service", "to"), "Incidents raised to a higher level"),
    Metric("sentinel_incident_detection_seconds", "histogram", (), "Time from the first failed probe run to the opening of the incident", LATENCY_S),
    Metric("sentinel_incident_acknowledge_seconds", "histogram", ("priority",), "Time from the opening to the acknowledgement", PERSON_S),
    Metric("sentinel_incident_resolve_seconds", "histogram", ("priority",), "Time from the opening to the resolution, pauses taken off", REPAIR_S),
    Metric("sentinel_incident_oldest_unacknowledged_timestamp_seconds", "state", ("priority",), "When the oldest unacknowledged incident was opened, in unixtime; absent without one"),
    Metric("sentinel_service_in_maintenance", "state", ("service", "level"), "1 during a planned maintenance"),
    Metric("sentinel_sla_target_seconds", "state", ("sla", "priority", "clock"), "Agreed time, by clock (ack, workaround, resolve), in seconds of its own calendar"),
    Metric("sentinel_sla_remaining_seconds", "state", ("service", "priority", "clock"), "Least time left among open incidents; negative once breached; absent without one"),
    Metric("sentinel_sla_outcomes_total", "counter", ("service", "priority", "clock", "result"), "Clocks ended, by result (met, breached)"),
    Metric("sentinel_notifications_total", "counter", ("channel", "result"), "Notifications ended, by result (accepted, delivered, failed, expired, rate_limited)"),
    Metric("sentinel_notification_attempts_total", "counter", ("channel", "outcome"), "Attempts to hand a notification to its gateway, by outcome (ok, retry, refused, timeout)"),
    Metric("sentinel_provider_messages_total", "counter", ("channel", "provider", "result"), "Messages given to one of several providers of a channel, by what came of them (taken, refused, retry, timeout; by its receipts delivered, failed)"),
    Metric("sentinel_notification_replies_total", "counter", ("channel", "action"), "Answers and reports received from people, by what came of them (acknowledge, escalate, resolve, note, open, unknown, stranger, automatic, limited, forged)"),
    Metric("sentinel_notification_latency_seconds", "histogram", ("channel",), "Time from the event to the acceptance by the gateway", LATENCY_S),
    Metric("sentinel_notification_queue_length", "state", ("channel",), "Notifications waiting to be sent"),
    Metric("sentinel_notification_queue_oldest_timestamp_seconds", "state", ("channel",), "When the oldest waiting notification was queued, in unixtime; absent when the queue is empty"),
    Metric("sentinel_channel_up", "gauge", ("channel",), "Whether the last attempt or self-test of the channel succeeded"),
    Metric("sentinel_channel_credit", "state", ("channel",), "Credit left at the gateway, in its own unit"),
    Metric("sentinel_escalation_steps_total", "counter", ("policy", "step", "result"), "Escalation steps taken, by result (notified, skipped, nobody)"),
    Metric("sentinel_escalations_exhausted_total", "counter", ("service",), "Incidents of which no step of the escalation reached anybody"),
    Metric("sentinel_isolated", "state", (), "1 while the host itself is cut off: its canaries fail, and targets are unknown"),
    Metric("sentinel_oncall_info", "state", ("rota", "person"), "1 for the person on call now"),
    Metric("sentinel_oncall_filled_until_timestamp_seconds", "state", ("rota",), "Until when the rota has no gap, in unixtime"),
    Metric("sentinel_crisis_started_total", "counter", ("service",), "Crises started"),
    Metric("sentinel_crisis_step_late_seconds", "state", ("service",), "How late the most overdue step of the chronogram is; 0 when on time"),
    Metric("sentinel_crisis_update_due_timestamp_seconds", "state", ("service",), "When the next communication is due, in unixtime"),
    Metric("sentinel_reviews_overdue", "state", (), "Post-mortem reports past their due date"),
    Metric("sentinel_ticket_operations_total", "counter", ("backend", "operation", "result"), "Operations on the ticket backend"),
    Metric("sentinel_ticket_sync_lag_seconds", "state", ("backend",), "Age of the oldest change not yet in the ticket backend"),
    Metric("sentinel_tickets_late", "state", ("backend",), "Tickets not opened within the agreed time"),
    Metric("sentinel_alive_pings_total", "counter", ("result",), "Cycles of the dead man's switch, by result (sent, failed, held back because the self-test failed)"),
    Metric("sentinel_alive_place_up", "state", ("place",), "Whether the place elsewhere heard the last word that was sent to it"),
    Metric("sentinel_self_test_failing", "state", ("check",), "1 while this part of the self-test fails (probes, store, outbox, channels, canary, loopback, lag, loops)"),
    Metric("sentinel_self_test_passed_timestamp_seconds", "state", (), "When the self-test last passed, in unixtime; absent before that"),
    Metric("sentinel_canaries_total", "counter", ("result",), "Canaries, by result (sent, back, lost)"),
    Metric("sentinel_canary_seconds", "histogram", (), "Time from the sending of a canary to its coming back", LATENCY_S),
    Metric("sentinel_canary_back_timestamp_seconds", "state", (), "When a canary last came back, in unixtime; absent before that"),
    Metric("sentinel_peer_up", "state", ("peer",), "0 while the other Sentinel is silent, or its self-test fails"),
    Metric("sentinel_peer_last_seen_timestamp_seconds", "state", ("peer",), "When the other Sentinel last answered or called, in unixtime"),
    Metric("sentinel_last_gasps_total", "counter", ("result",), "Messages past all channels, by result (sent, failed)"),
    Metric("sentinel_status_page_subscribers", "state", ("page", "state"), "Subscribers of a status page, by state (confirmed, suspended since a mail to them came back, waiting to confirm)"),
    Metric("sentinel_build_info", "gauge", ("version", "revision", "python"), "Version of the running program"),
    Metric("sentinel_config_last_reload_successful", "gauge", (), "Whether the last configuration reload succeeded"),
    Metric("sentinel_config_last_reload_success_timestamp_seconds", "gauge", (), "When the configuration was last loaded, in unixtime"),
    Metric("sentinel_config_hash", "gauge", (), "Hash of the configuration in use"),
    Metric("sentinel_watchdog_last_cycle_timestamp_seconds", "state", (), "When every probe had last been run within its interval, in unixtime"),
    Metric("sentinel_event_loop_lag_seconds", "histogram", (), "Delay of the event loop, sampled each second", LAG_S),
    Metric("sentinel_worker_up", "state", ("worker",), "Whether the probe worker runs"),
    Metric("sentinel_worker_targets", "state", ("worker",), "Targets that are the probe worker's"),
    Metric("sentinel_worker_in_flight", "state", ("worker",), "Runs under way in the probe worker"),
    Metric("sentinel_worker_event_loop_lag_seconds", "state", ("worker",), "Delay of the probe worker's event loop, as last sampled"),
    Metric("sentinel_worker_result_delay_seconds", "state", ("worker",), "Time that the probe worker's last word took to be heard"),
    Metric("sentinel_worker_resident_memory_bytes", "state", ("worker",), "Memory that the probe worker holds"),
    Metric("sentinel_worker_restarts_total", "counter", ("reason",), "Probe workers started anew, by reason (ended, hung, garbled, start)"),
    Metric("sentinel_bugs_total", "counter", ("where",), "Errors of Sentinel itself that were caught at the edge of a task"),
    Metric("sentinel_store_operation_seconds", "histogram", ("operation",), "Duration of operations on the database", RUN_S),
    Metric("sentinel_store_size_bytes", "state", (), "Size of the database"),
    Metric("sentinel_http_requests_total", "counter", ("handler", "method", "code"), "HTTP requests served"),
    Metric("sentinel_http_request_duration_seconds", "histogram", ("handler",), "Duration of HTTP requests", RUN_S),
)  # fmt: skip

Sample = tuple[tuple[str, ...], float]

# The closed sets of labels: what stands on the page from the start, so that rate() sees the first event.
BUGS = ("probe", "run", "judge", "timers", "dispatch", "loop")  # And the names of the daemon's loops.
ALERT_SOURCES = ("alertmanager", "webhook", "dynatrace", "opsgenie", "pagerduty", "hook")
MUTED_FOR = ("silence", "maintenance", "inhibition", "duplicate", "map")
RUN_RESULTS = ("success", "failure", "timeout", "error")
DOUBTS = ("lag", "descriptors", "memory", "network", "loss", "bug")
TICKET_OPERATIONS = ("put", "changes")
TRY_OUTCOMES = ("ok", "retry", "refused", "timeout")
MESSAGE_RESULTS = ("accepted", "delivered", "failed", "expired", "rate_limited")
PROVIDER_RESULTS = ("taken", "refused", "retry", "timeout", "delivered", "failed")
WORKER_ENDS = ("ended", "hung", "garbled", "start")
ALIVE_RESULTS = ("sent", "failed", "held")
CANARY_RESULTS = ("sent", "back", "lost")
GASP_RESULTS = ("sent", "failed")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the configuration of now can count: kinds of probes, channels, their providers, services, back-ends."""

    kinds: frozenset[str] = frozenset()
    channels: frozenset[str] = frozenset()
    providers: frozenset[tuple[str, str]] = frozenset()
    services: frozenset[str] = frozenset()
    backends: frozenset[str] = frozenset()


# When a counter was made is nobody's question, and an eighth of the page.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library's own


class Meters:
    """The metrics, ready to be counted. ``states`` are looked up when a page is asked for."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._made: dict[str, Counter | Gauge | Histogram] = {}
        self._found: dict[tuple[str, tuple[str, ...]], Counter | Gauge | Histogram] = {}
        self.states: dict[str, Callable[[], Iterable[Sample]]] = {}
        self.expected = Expected()
        self.attempted: Callable[[str, str], None] = lambda _channel, _outcome: None
        for metric in METRICS:
            match metric.kind:
                case "counter":
                    made: Counter | Gauge | Histogram = Counter(
                        metric.name, metric.help, metric.labels, registry=self.registry
                    )
                case "gauge":
                    made = Gauge(metric.name, metric.help, metric.labels, registry=self.registry)
                case "histogram":
                    made = Histogram(
                        metric.name, metric.help, metric.labels, buckets=metric.buckets, registry=self.registry
                    )
                case "state":
                    continue
            self._made[metric.name] = made
        self.registry.register(_States(self))
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.set("sentinel_build_info", 1, __version__, "", platform.python_version())

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter."""
        made = self._of(name, labels)
        assert isinstance(made, Counter), f"{name} is not a counter"
        made.inc(by)

    def set(self, name: str, value: float, *labels: str) -> None:
        """Set a gauge."""
        made = self._of(name, labels)
        assert isinstance(made, Gauge), f"{name} is not a gauge"
        made.set(value)

    def observe(self, name: str, value: float, *labels: str) -> None:
        """Add an observation to a histogram."""
        made = self._of(name, labels)
        assert isinstance(made, Histogram), f"{name} is not a histogram"
        made.observe(value)

    def _of(self, name: str, labels: tuple[str, ...]) -> Counter | Gauge | Histogram:
        """Return what counts under these labels; the library takes a lock and two loops to find it, each run thrice."""
        found = self._found.get((name, labels))
        if found is None:
            made = self._made[name]
            found = self._found[name, labels] = made.labels(*labels) if labels else made
        return found

    def expect(self, expected: Expected) -> None:
        """Put on the page, at nothing, what has not happened yet and can."""
        self.expected = expected
        sets: dict[str, Iterable[tuple[str, ...]]] = {
            "sentinel_probe_runs_total": product(sorted(expected.kinds), RUN_RESULTS),
            "sentinel_probe_run_duration_seconds": product(sorted(expected.kinds)),
            "sentinel_probe_runs_skipped_total": [("overrun",), ("budget",)],
            "sentinel_probe_runs_doubtful_total": product(DOUBTS),
            "sentinel_alerts_received_total": product(ALERT_SOURCES, ("firing", "resolved")),
            "sentinel_alerts_invalid_total": product(ALERT_SOURCES),
            "sentinel_alerts_suppressed_total": product(MUTED_FOR),
            "sentinel_notifications_total": product(sorted(expected.channels), MESSAGE_RESULTS),
            "sentinel_notification_attempts_total": product(sorted(expected.channels), TRY_OUTCOMES),
            "sentinel_provider_messages_total": [(*one, how) for one in expected.providers for how in PROVIDER_RESULTS],
            "sentinel_notification_latency_seconds": product(sorted(expected.channels)),
            "sentinel_escalations_exhausted_total": product(sorted(expected.services)),
            "sentinel_crisis_started_total": product(sorted(expected.services)),
            "sentinel_ticket_operations_total": product(sorted(expected.backends), TICKET_OPERATIONS, TRY_OUTCOMES),
            "sentinel_incident_acknowledge_seconds": product(PRIORITIES),
            "sentinel_incident_resolve_seconds": product(PRIORITIES),
            "sentinel_bugs_total": product(BUGS),
            "sentinel_alive_pings_total": product(ALIVE_RESULTS),
            "sentinel_canaries_total": product(CANARY_RESULTS),
            "sentinel_last_gasps_total": product(GASP_RESULTS),
            "sentinel_worker_restarts_total": product(WORKER_ENDS),
        }
        for name, labelled in sets.items():
            for labels in labelled:
                self._made[name].labels(*labels)

    # What several places count ----------------------------------------------------------------------------------

    def attempt(self, channel: str, outcome: str) -> None:
        """Count one try to hand a message over."""
        self.count("sentinel_notification_attempts_total", channel, outcome)
        self.attempted(channel, outcome)
        if outcome != "refused":  # A refused address says nothing about the channel.
            self.set("sentinel_channel_up", float(outcome == "ok"), channel)

    def provider(self, channel: str, provider: str, result: str) -> None:
        """Count what came of a message at a provider, empty for the channel's own; nothing where there is one only."""
        if (channel, provider or channel) in self.expected.providers:
            self.count("sentinel_provider_messages_total", channel, provider or channel, result)

    def ended(self, channel: str, result: str, waited_s: float) -> None:
        """Count a message that is accepted or given up."""
        self.count("sentinel_notifications_total", channel, result)
        if result == "accepted":
            self.observe("sentinel_notification_latency_seconds", waited_s, channel)

    def ticket(self, backend: str, result: str, operation: str = "put") -> None:
        """Count one try at a ticket, or at asking for what was changed in the back-end."""
        self.count("sentinel_ticket_operations_total", backend, operation, result)

    def stored(self, operation: str, took_s: float) -> None:
        """Count one call of the database, by the name of the store's method; from any thread."""
        self.observe("sentinel_store_operation_seconds", took_s, operation)

    def served(self, handler: str, method: str, code: int, took_s: float | None) -> None:
        """Count one request; ``handler`` is the pattern of its path, from the table of routes.

        ``took_s`` is nothing for a stream: it lasts as long as somebody looks.
        """
        self.count("sentinel_http_requests_total", handler, method if method in METHODS else "other", str(code))
        if took_s is not None:
            self.observe("sentinel_http_request_duration_seconds", took_s, handler)

    def alerts_heard(self, source: str, firing: int, resolved: int, invalid: int) -> None:
        """Count alerts from elsewhere: how many fire, are over, make no sense."""
        self.count("sentinel_alerts_received_total", source, "firing", by=firing)
        self.count("sentinel_alerts_received_total", source, "resolved", by=resolved)
        self.count("sentinel_alerts_invalid_total", source, by=invalid)

    def bug(self, where: str) -> None:
        """Count an error of Sentinel itself."""
        self.count("sentinel_bugs_total", where)

    def happened(self, written: Sequence[tuple[Incident, e.Event]]) -> None:
        """Count what incidents went through."""
        for state, event in written:
            if state.kind == "request":
                continue  # Nothing has failed; requests are counted by themselves.
            self._ended(state)
            match event:
                case e.Opened():
                    self.count(
                        "sentinel_incident_opened_total",
                        state.service,
                        str(state.level),
                        state.priority,
                        event.signal.source,
                    )
                    if event.signal.source == "probe":
                        waited = (event.at - event.signal.since).total_seconds()
                        self.observe("sentinel_incident_detection_seconds", max(0.0, waited))
                case e.Acknowledged():
                    waited = (event.at - state.opened_at).total_seconds()
                    self.observe("sentinel_incident_acknowledge_seconds", waited, state.priority)
                case e.Resolved():
                    paused = sum((pause.ends_at - pause.begins_at).total_seconds() for pause in state.pauses)
                    took = (event.at - state.opened_at).total_seconds() - paused
                    self.observe("sentinel_incident_resolve_seconds", took, state.priority)
                case e.Closed():
                    self.count("sentinel_incident_closed_total", state.service, state.priority, "resolved")
                case e.Merged():
                    self.count("sentinel_incident_closed_total", state.service, state.priority, "duplicate")
                case e.Raised():
                    self.count("sentinel_incident_escalated_total", state.service, str(event.level))
                case e.Escalated():
                    result = "notified" if event.tell else "nobody"
                    self.count("sentinel_escalation_steps_total", state.service, str(event.place), result)
                case CrisisOpened():
                    self.count("sentinel_crisis_started_total", state.service)
                case e.Exhausted():
                    self.count("sentinel_escalations_exhausted_total", state.service)

    def _ended(self, state: Incident) -> None:
        """Count the clocks that the last event has ended."""
        for clock, one in state.clocks.items():
            if one.ended_by == state.sequence:
                result = "met" if one.standing == "met" else "breached"
                self.count("sentinel_sla_outcomes_total", state.service, state.priority, clock, result)


class _States(Collector):
    """Looks the state metrics up when a page is written."""

    def __init__(self, meters: Meters) -> None:
        self._meters = meters

    def describe(self) -> Iterator[Family]:
        yield from ()

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            if metric.kind == "state":
                family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
                for labels, value in self._meters.states.get(metric.name, tuple)():
                    family.add_metric(labels, value)
                yield family


def incident_counts(open_: Iterable[Incident]) -> list[Sample]:
    """Return how many incidents there are by service, priority and state."""
    counted = Count((state.service, state.priority, _state_of(state)) for state in open_ if state.kind == "incident")
    return [(labels, float(number)) for labels, number in counted.items()]


def request_counts(open_: Iterable[Incident]) -> list[Sample]:
    """Return how many requests there are by service, priority and state."""
    counted = Count((one.service, one.priority, requests.shown(one)) for one in open_ if one.kind == "request")
    return [(labels, float(number)) for labels, number in counted.items()]


def _state_of(state: Incident) -> str:
    """Return the state as the metrics have it: whom a pending incident waits for matters, who works on one does not."""
    if state.phase == "pending":
        return f"waiting_{state.waits_on}"
    return "acknowledged" if state.phase == "in_progress" else state.phase


def reviews_overdue(followed: Iterable[Incident]) -> list[Sample]:
    """Return how many reports were due and are not final (rule REX-3)."""
    late = sum(state.review is not None and state.review.owed and state.review.overdue for state in followed)
    return [((), float(late))]


def oldest_unacknowledged(open_: Iterable[Incident]) -> list[Sample]:
    """Return when the oldest incident that nobody has was opened, by priority."""
    oldest: dict[str, datetime] = {}
    for state in open_:
        if state.phase == "open" and state.kind == "incident":
            oldest[state.priority] = min(oldest.get(state.priority, state.opened_at), state.opened_at)
    return [((priority,), moment.timestamp()) for priority, moment in oldest.items()]
