"""What `make bench` makes of its runs: when a run was quiet, and which gates are reached."""

from __future__ import annotations

import pytest

from tests.bench import table
from tests.bench.machine import Load, load_of, share_of_others

STAT = "cpu  100 20 30 700 50 1 2 3 40 5\ncpu0 1 1 1 1 1 1 1 1 0 0\n"


def runs(**quantities: float) -> list[table.Run]:
    """One run of a contestant."""
    return [quantities]


def test_idle_and_waiting_for_a_disk_are_not_spent() -> None:
    """Of the counts of the machine; what guests took stands in user already."""
    found = load_of(STAT)
    assert found.busy_s / found.all_s == pytest.approx(156 / 906)


@pytest.mark.parametrize(("own_s", "share"), [(2.0, 0.05), (3.0, 0.0), (3.5, 0.0)])
def test_others_are_what_is_spent_beside_us(own_s: float, share: float) -> None:
    """As a share of all processors; rounding makes it no less than nothing."""
    assert share_of_others(Load(5.0, 50.0), Load(8.0, 70.0), own_s) == pytest.approx(share)


@pytest.mark.parametrize(
    ("many", "unsigned", "reached"),
    [((0.8, 110.0), (1.0, 100.0), [True, True]), ((0.81, 109.0), (1.0, 100.0), [False, False])],
)
def test_a_gate_is_a_ratio_of_medians(
    many: tuple[float, float], unsigned: tuple[float, float], reached: list[bool]
) -> None:
    """Of processor time at most so much, of a rate at least."""
    found = {
        table.MANY: runs(cpu=many[0], per_s=many[1], rss=80.0),
        table.UNSIGNED: runs(cpu=unsigned[0], per_s=unsigned[1]),
    }
    assert [each.reached for each in table.judged(found) if each.gate.than] == reached


def test_a_gate_whose_contestant_was_left_out_is_not_judged() -> None:
    """As with `--only`."""
    assert list(table.judged({table.UNSIGNED: runs(cpu=1.0, per_s=1.0)})) == []


def test_a_row_has_the_median_and_the_spread() -> None:
    """And no latency where none was asked for."""
    parts = {"producer": 0.1, "broker": 0.1, "consumer": 0.1, "per_s": 100.0}
    found: table.Runs = {table.RAW: [{"cpu": cpu, **parts} for cpu in (0.3, 0.1, 0.2)]}
    assert list(table.lines(found))[-1] == (
        "| raw JetStream | 0.200 (0.100 to 0.300) | 0.100, 0.100, 0.100 | 100 (100 to 100) |  | 3 |"
    )
