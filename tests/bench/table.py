"""What the runs of a benchmark come to: medians and spread, and the gates, as ratios inside the one run. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import NamedTuple

MANY, EACH = "tocsin publish_many", "tocsin publish"
UNSIGNED, JWS = "FastStream + pydantic, unsigned", "FastStream + pydantic + JWS"
PLAIN = "plain signed (msgspec + Ed25519)"
RAW, RAW_ALWAYS = "raw JetStream", "raw JetStream, sync always"
FLOOR = "floor of tocsin's design"
BATCHED, SINGLE = "catch-up, batch-signed", "catch-up, singly signed"
BATCHED_YARD, SINGLE_YARD = f"{BATCHED}: yardstick", f"{SINGLE}: yardstick"

Run = Mapping[str, float]
"""What one run gave, by name of the quantity."""
Runs = Mapping[str, Sequence[Run]]
"""The runs of each contestant that count."""


class Gate(NamedTuple):
    """A median must be at most, or at least, so many times that of another; of no other, so much itself."""

    name: str
    quantity: str
    bound: float
    than: str = ""

    @property
    def at_most(self) -> bool:
        """Only of a rate more is better."""
        return self.quantity != "per_s"


GATES = (
    Gate(MANY, "cpu", 0.80, UNSIGNED),
    Gate(MANY, "cpu", 0.40, JWS),
    Gate(MANY, "per_s", 1.1, UNSIGNED),
    Gate(MANY, "per_s", 2.6, JWS),
    Gate(MANY, "per_s", 1.4, PLAIN),
    Gate(EACH, "per_s", 1.0, UNSIGNED),
    Gate(BATCHED, "cpu", 1.0, BATCHED_YARD),
    Gate(SINGLE, "cpu", 1.8, SINGLE_YARD),
    Gate(MANY, "rss", 80.0),
    Gate(EACH, "rss", 80.0),
)
_WORDS = {"cpu": "CPU", "per_s": "rate", "rss": "hub's memory in MB"}


class Judged(NamedTuple):
    """A gate, what was found (a ratio, or the median itself), and whether it is reached."""

    gate: Gate
    found: float
    reached: bool


def middle(runs: Sequence[Run], quantity: str) -> float:
    """The median of a quantity."""
    return median(run[quantity] for run in runs)


def judged(found: Runs) -> Iterator[Judged]:
    """The gates whose contestants took part."""
    for gate in GATES:
        if not found.get(gate.name) or (gate.than and not found.get(gate.than)):
            continue
        value = middle(found[gate.name], gate.quantity)
        if gate.than:
            value /= middle(found[gate.than], gate.quantity)
        yield Judged(gate, value, value <= gate.bound if gate.at_most else value >= gate.bound)


def lines(found: Runs) -> Iterator[str]:
    """A table in Markdown, CPU first; spreads are the least and the most of the rounds that count."""
    yield "| contestant | CPU s per 1 000 | of it producer, broker, consumer | bulletins/s | p50, p99 ms at 200/s | rounds |"
    yield "|---|---|---|---|---|---|"
    for name, runs in found.items():
        if not runs:
            yield f"| {name} | | | | | 0 |"
            continue
        parts = ", ".join(f"{middle(runs, part):.3f}" for part in ("producer", "broker", "consumer"))
        late = f"{middle(runs, 'p50'):.1f}, {middle(runs, 'p99'):.1f}" if "p50" in runs[0] else ""
        yield (
            f"| {name} | {_spread(runs, 'cpu', '.3f')} | {parts} | {_spread(runs, 'per_s', '.0f')} | {late} | {len(runs)} |"
        )


def gate_lines(found: Runs) -> Iterator[str]:
    """A line for each gate: the ratio, the bound, and whether it is reached."""
    yield "| gate | found | bound | |"
    yield "|---|---|---|---|"
    for gate, value, reached in judged(found):
        what = f"{gate.name}, {_WORDS[gate.quantity]}" + (f", to {gate.than}" if gate.than else "")
        sign, times = "≤" if gate.at_most else "≥", " ×" if gate.than else ""
        yield f"| {what} | {value:.2f}{times} | {sign} {gate.bound:g}{times} | {'reached' if reached else 'not reached'} |"


def _spread(runs: Sequence[Run], quantity: str, form: str) -> str:
    values = [run[quantity] for run in runs]
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
