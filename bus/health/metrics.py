"""The health of a program as Prometheus metrics, with the extra `[metrics]`; docs/health.md lists them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from bus.health.facts import Facts
from bus.health.report import SEVERITY, Report

if TYPE_CHECKING:
    from prometheus_client import Metric


def metrics_text(
    current: Callable[[], tuple[Facts, Report, dt.datetime]], program: str
) -> Callable[[], bytes] | None:
    """A function that returns the metrics in the text format; None if the extra is not installed.

    Args:
        current: gives (facts, report, moment), all as of now.
        program: the name of the program, a label of `tocsin_program_info`.
    """
    try:
        from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
        from prometheus_client.registry import Collector
    except ModuleNotFoundError:
        return None

    class Health(Collector):
        """The collector for each scrape."""

        def collect(self) -> Iterable[Metric]:
            """All families."""
            return families(*current(), program)

    registry = CollectorRegistry()
    registry.register(Health())
    ProcessCollector(registry=registry)
    return lambda: generate_latest(registry)


def families(facts: Facts, report: Report, now: dt.datetime, program: str) -> Iterator[Metric]:
    """All families of metrics of a program."""
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    about = {"program": program, "identity": facts.identity}
    yield InfoMetricFamily("tocsin_program", "Which program this is, and of whom.", value=about)
    level = GaugeMetricFamily(
        "tocsin_health_level", "Worst level of a condition: 0 ok, 1 warning, 2 bad.", labels=["condition"]
    )
    for name in dict.fromkeys(each.name for each in report.conditions):
        level.add_metric([name], max(SEVERITY[each.level] for each in report.of(name)))
    yield level
    yield GaugeMetricFamily(
        "tocsin_health_verdict", "Worst level of all: 0 ok, 1 warning, 2 bad.", value=SEVERITY[report.verdict]
    )
    for name, text, value in _numbers(facts, now):
        if value is not None:
            yield GaugeMetricFamily(name, text, value=float(value))
    left = GaugeMetricFamily(
        "tocsin_key_left_seconds", "Until a key or certificate ends.", labels=["use", "kid"]
    )
    for key in facts.keys:
        if key.not_after is not None:
            left.add_metric([key.use, key.kid], _left(key.not_after, now) or 0.0)
    yield left
    tasks = GaugeMetricFamily("tocsin_task_alive", "1 while a task of the program runs.", labels=["task"])
    for task in facts.tasks:
        tasks.add_metric([task.name], int(task.alive))
    yield tasks


def _numbers(facts: Facts, now: dt.datetime) -> Iterator[tuple[str, str, float | None]]:
    """(name, help, value) of each metric without labels; the value is None if unknown."""
    if (reader := facts.reader) is not None:
        yield "tocsin_reader_attached", "1 while all granted streams are attached.", reader.attached
        yield "tocsin_reader_caught_up", "1 while channels may be judged by what is held.", reader.caught_up
        yield "tocsin_reader_reading", "1 while it reads, 0 while it stands by.", reader.standing == "reading"
        yield "tocsin_reader_behind_bulletins", "Bulletins not yet taken in.", reader.behind
        yield "tocsin_reader_lag_seconds", "Age of the oldest of them.", reader.lag_s
    if (bus := facts.bus) is not None:
        yield "tocsin_bus_reached", "1 while the broker answers.", bus.reached
    if (trust := facts.trust) is not None:
        yield "tocsin_trust_fresh", "1 while the registry is known to be current.", trust.state == "fresh"
        yield "tocsin_registry_version", "Version of the registry in force.", trust.version
        yield "tocsin_registry_left_seconds", "Until the registry expires.", _left(trust.expires, now)
        yield "tocsin_beacon_left_seconds", "Until the beacon expires.", _left(trust.beacon_until, now)
    if (outbox := facts.outbox) is not None:
        yield "tocsin_outbox_waiting_bulletins", "Bulletins that must still go out.", outbox.waiting
        yield "tocsin_outbox_parked_bulletins", "Bulletins that the broker refused.", outbox.parked
        age = 0.0 if outbox.oldest_at is None else (now - outbox.oldest_at).total_seconds()
        yield "tocsin_outbox_oldest_seconds", "Age of the oldest that waits.", max(0.0, age)
        yield "tocsin_outbox_behind", "1 while it must not publish.", bool(outbox.behind)
    if (clock := facts.clock) is not None:
        yield "tocsin_clock_ahead_seconds", "This clock ahead of the broker's.", clock.ahead_s
    if (disk := facts.disk) is not None:
        yield "tocsin_disk_free_bytes", "Free on the disk of the state folder.", disk.free
        yield "tocsin_disk_day_bytes", "What a day needs at the pace of the last one.", disk.a_day
    if (lease := facts.lease) is not None:
        yield "tocsin_lease_ours", "1 while this program holds the lease of its store.", lease.ours
    if (refused := facts.refused) is not None:
        yield "tocsin_own_refused_bulletins", "Own bulletins that a hub has refused.", refused.count


def _left(moment: dt.datetime | None, now: dt.datetime) -> float | None:
    return None if moment is None else (moment - now).total_seconds()
