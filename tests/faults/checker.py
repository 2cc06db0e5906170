"""Judges a history: whether the promises held, whatever was broken meanwhile. Pure.

- nothing accepted is missing at a hub that may read it (lost)
- nothing is admitted that its authority did not say (forged), or in another form than it said it (altered), or by a hub
  that may not read it (overheard), or by a key that ended a minute before (late key)
- nothing is admitted twice, and nothing out of the order of its channel unless it says so of itself; what was withdrawn
  may come again
- every forgery that got into a stream lies in quarantine (unnoticed)
- after a fault there are acknowledgements again, and after the last one everything comes to rest
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import TypeVar

import msgspec

from tests.faults.history import (
    Accepted,
    Admitted,
    AnyEvent,
    Fault,
    Forged,
    Kept,
    Mended,
    Reads,
    Refused,
    Revoked,
    Stored,
    Withdrawn,
)

E = TypeVar("E")
LEADER = "kill-leader"


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds within which things must have come to rest."""

    leader: float = 15.0
    """From the death of a stream's leader, or from an acknowledgement after it, to the next acknowledgement."""
    drain: float = 60.0
    """From the end of the last fault and of all speaking to the last admission."""
    revoked: float = 60.0
    """From a revocation to the last admission of what its key has signed."""


PROMISES = Bounds(leader=math.inf, drain=math.inf, revoked=math.inf)
"""No bound in seconds: what must hold on a machine of any speed."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a history comes to; each tuple names what went wrong."""

    accepted: int
    untold: int
    """Kept by an author that was killed before it could tell that it was accepted."""
    stored: int
    forgeries: int
    faults: dict[str, int]
    lost: tuple[str, ...]
    twice: tuple[str, ...]
    forged: tuple[str, ...]
    altered: tuple[str, ...]
    overheard: tuple[str, ...]
    late_key: tuple[str, ...]
    unnoticed: tuple[str, ...]
    disordered: dict[str, int]
    """By hub and channel, how many bulletins stand after a later one."""
    gaps: dict[str, float]
    """By kind of fault, the longest time without any acknowledgement that followed one."""
    drain: float

    def broken(self, bounds: Bounds) -> list[str]:
        """The promises that did not hold, each in a sentence."""
        found = [f"{len(cases)} {name}: {cases[0]}" for name in COUNTED if (cases := getattr(self, name))]
        found += [f"{count} out of order at {where}" for where, count in sorted(self.disordered.items())]
        if self.accepted == 0:
            found.append("nothing was accepted, so nothing was tried")
        if self.gaps.get(LEADER, 0.0) > bounds.leader:
            found.append(f"{self.gaps[LEADER]:.1f} s without an acknowledgement after a leader's death")
        if self.drain > bounds.drain:
            found.append(f"{self.drain:.1f} s until everything had arrived")
        return found


COUNTED = ("lost", "twice", "forged", "altered", "overheard", "late_key", "unnoticed")


def judge(history: Iterable[AnyEvent], bounds: Bounds) -> Verdict:
    """What a history comes to."""
    by_type: defaultdict[type, list[AnyEvent]] = defaultdict(list)
    for event in history:
        by_type[type(event)].append(event)

    def all_of(kind: type[E]) -> list[E]:
        return by_type[kind]  # type: ignore[return-value]

    accepted = {each.digest: each for each in all_of(Accepted)}
    said: dict[str, Accepted | Kept] = {each.digest: each for each in all_of(Kept)} | accepted
    places = {(each.channel, each.seq) for each in said.values()}
    revoked = {each.authority: each.at for each in all_of(Revoked)}
    reads = {each.hub: frozenset(each.channels) for each in all_of(Reads)}
    refused = {(each.hub, each.digest) for each in all_of(Refused)}
    rows: dict[str, dict[int, Admitted]] = {hub: {} for hub in reads}
    lost, twice, forged, altered, overheard, late = (list[str]() for _ in range(6))
    for each in all_of(Admitted):
        first = rows.setdefault(each.hub, {}).setdefault(each.row, each)
        if first.digest != each.digest:
            altered.append(f"{each.hub}: row {each.row} became {each.digest}")
    withdrawn = {(each.hub, each.row) for each in all_of(Withdrawn)}
    disordered: Counter[str] = Counter()
    for hub, told in rows.items():
        seen: set[str] = set()
        last: defaultdict[str, int] = defaultdict(int)
        for _, each in sorted(told.items()):
            named = f"{hub}: {each.channel} number {each.seq}, {each.digest}"
            ours = said.get(each.digest)
            if ours is None:
                (altered if (each.channel, each.seq) in places else forged).append(named)
                continue
            if each.digest not in seen and (ours.channel, ours.seq) != (each.channel, each.seq):
                altered.append(named)
            if each.channel not in reads.get(hub, ()):
                overheard.append(named)
            if each.at > revoked.get(issuer(each.channel), math.inf) + bounds.revoked:
                late.append(named)
            if (hub, each.row) in withdrawn:
                continue
            if each.digest in seen:
                twice.append(named)
                continue
            seen.add(each.digest)
            if each.seq < last[each.channel] and not each.filled:
                disordered[f"{hub}, {each.channel}"] += 1
            last[each.channel] = max(last[each.channel], each.seq)
        lost += [
            f"{hub}: {each.channel} number {each.seq}, {each.digest}"
            for each in said.values()
            if each.channel in reads.get(hub, ())
            and each.digest not in seen
            and issuer(each.channel) not in revoked
        ]
    forgeries = all_of(Forged)
    stored = {each.digest: each.at for each in all_of(Stored)}
    quiet = max([each.at for each in (*all_of(Accepted), *all_of(Mended), *all_of(Fault))], default=0.0)
    ended = max((each.at for told in rows.values() for each in told.values()), default=0.0)
    return Verdict(
        accepted=len(accepted),
        untold=len(said) - len(accepted),
        stored=len(stored),
        forgeries=len(forgeries),
        faults=dict(Counter(each.kind for each in all_of(Fault))),
        lost=tuple(lost),
        twice=tuple(twice),
        forged=tuple(forged),
        altered=tuple(altered),
        overheard=tuple(overheard),
        late_key=tuple(late),
        unnoticed=tuple(
            f"{hub}: {each.kind}, {each.digest}"
            for each in forgeries
            for hub, channels in reads.items()
            if each.digest not in said and each.channel in channels and (hub, each.digest) not in refused
        ),
        disordered=dict(disordered),
        gaps=_gaps(all_of(Fault), sorted(stored.values())),
        drain=max(0.0, ended - quiet),
    )


def issuer(channel: str) -> str:
    """Whose channel it is."""
    return channel.partition("/")[0]


def _gaps(faults: list[Fault], acknowledged: list[float]) -> dict[str, float]:
    """The longest silence after each kind of fault, until the next fault; without end, when no acknowledgement followed."""
    found: dict[str, float] = {}
    faults = sorted(faults, key=lambda each: each.at)
    ends = [*(each.at for each in faults[1:]), math.inf]
    for fault, end in zip(faults, ends, strict=False):
        # A silence that began under this fault is its own, even where the next one came before it had ended.
        after = [at for at in acknowledged if at >= fault.at]
        within = [at for at in after if at < end]
        times = [fault.at, *within, *after[len(within) : len(within) + 1]]
        longest = max((b - a for a, b in itertools.pairwise(times)), default=math.inf)
        found[fault.kind] = max(found.get(fault.kind, 0.0), longest)
    return found
