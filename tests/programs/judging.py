"""What a run of whole programs comes to: the checker's verdict, and what only programs can do wrong. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from tests.faults.checker import PROMISES, Verdict
from tests.faults.history import Admitted, AnyEvent, Withdrawn
from tests.programs.process import Ended

TRACEBACK = "Traceback (most recent call last)"


class Spared(msgspec.Struct, frozen=True, kw_only=True):
    """What a damage that nothing can mend has cost, and with which reason that was said before it did harm."""

    digests: frozenset[str]
    reason: str


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that was found out about a run."""

    verdict: Verdict
    ended: tuple[Ended, ...] = ()
    """Programs that ended when nobody had ended them and nothing excused it."""
    traces: tuple[str, ...] = ()
    """Programs in whose log a traceback stands."""
    views: tuple[str, ...] = ()
    """Where a view shows something else than the store holds."""
    green: tuple[str, ...] = ()
    """What was said to be well while it was not."""
    unsaid: tuple[str, ...] = ()
    """What should have been said, and was not."""
    clinging: tuple[str, ...] = ()
    """Programs that SIGTERM did not end, or not with the exit code 0."""
    waiting: Mapping[str, int] = {}
    """By authority, what still had to go out when everything else was at rest."""
    offered: int = 0
    made: int = 0
    """Documents that were given to the adapter, and the bulletins that it made of them."""

    def broken(self) -> list[str]:
        """What did not hold, each in a sentence."""
        found = self.verdict.broken(PROMISES)
        found += [
            f"{each.name} ended by itself, exit code {each.code}: {last_line(each.said)}"
            for each in self.ended
        ]
        for name, cases in (
            ("wrote a traceback", self.traces),
            ("differs", self.views),
            ("falsely green", self.green),
            ("not said", self.unsaid),
            ("did not end well", self.clinging),
        ):
            found += [f"{name}: {case}" for case in cases]
        found += [
            f"{count} of {who} still wait to be sent" for who, count in sorted(self.waiting.items()) if count
        ]
        if self.offered != self.made:
            found.append(f"{self.offered} documents became {self.made} bulletins")
        return found


def last_line(text: str) -> str:
    """What a program said last."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][-300:] if lines else "it said nothing"


def sparing(verdict: Verdict, spared: Iterable[Spared]) -> Verdict:
    """The verdict in which what a damage has cost is not lost, for it was said; whatever else went wrong still did."""
    cost = frozenset[str]().union(*(each.digests for each in spared))
    return msgspec.structs.replace(
        verdict, lost=tuple(each for each in verdict.lost if each.rpartition(" ")[2] not in cost)
    )


def held_by(events: Iterable[AnyEvent], hub: str) -> list[tuple[str, int, str]]:
    """Channel, number and digest of what a hub's store holds, in the order of its rows."""
    rows: dict[int, Admitted] = {}
    for each in events:
        if isinstance(each, Admitted) and each.hub == hub:
            rows[each.row] = each
        elif isinstance(each, Withdrawn) and each.hub == hub:
            rows.pop(each.row, None)
    return [(each.channel, each.seq, each.digest) for _, each in sorted(rows.items())]


def differences(view: str, shown: Iterable[str], held: Iterable[str], *, ordered: bool) -> list[str]:
    """Where a view and the store differ, by digest.

    Args:
        view: what it is called.
        shown: what the view shows.
        held: what the store holds.
        ordered: whether the order is to be the same.
    """
    shown, held = list(shown), list(held)
    there, owed = Counter(shown), Counter(held)
    found = [f"{view} lacks {digest}" for digest in owed - there]
    found += [f"{view} shows {digest} too often" for digest in there - owed]
    if ordered and not found and shown != held:
        found.append(f"{view} shows another order")
    return found
