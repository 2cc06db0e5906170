"""How good suggestions are, over pairs of bulletins, and the trivial baseline beside them. Pure.

A suggestion of an incident of several bulletins suggests every pair of its members (`labelled.pairs_of`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from schemas.bulletin import Bulletin
from tests.incidents.labelled import Labels, Pair, filed_pairs, pairs_of, said_pairs


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """What suggestions are worth; pairs that share an `incident_id` count nowhere.

    Attributes:
        right: pairs suggested that belong together.
        wrong: pairs suggested that do not.
        missed: pairs that belong together and were not suggested.
        unsaid_right: of `right`, those that no reference joins either, directly or through others.
        unsaid_missed: of `missed`, the same.
        joined: hard negative pairs that were suggested, and all there are, by reason.
        found: hard positive pairs that were suggested, and all there are, by reason.
    """

    right: int
    wrong: int
    missed: int
    unsaid_right: int
    unsaid_missed: int
    joined: Mapping[str, tuple[int, int]]
    found: Mapping[str, tuple[int, int]]

    @property
    def precision(self) -> float:
        """Of what is suggested, how much is right; 1 where nothing is suggested."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 1.0

    @property
    def recall(self) -> float:
        """Of what belongs together, how much is suggested."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 1.0

    @property
    def unsaid_recall(self) -> float:
        """Recall over pairs that nothing in the bulletins joins by id."""
        both = self.unsaid_right + self.unsaid_missed
        return self.unsaid_right / both if both else 1.0

    def lines(self) -> list[str]:
        """The figures as lines for a person."""
        out = [
            (
                f"precision {self.precision:.3f}, recall {self.recall:.3f} "
                f"({self.right} right, {self.wrong} wrong, {self.missed} missed); "
                f"recall of pairs that no id joins {self.unsaid_recall:.3f}"
            )
        ]
        for what, table in (("hard negatives joined", self.joined), ("hard positives found", self.found)):
            parts = ", ".join(f"{reason} {n}/{of}" for reason, (n, of) in sorted(table.items()))
            out.append(
                f"{what} {sum(n for n, _ in table.values())}/{sum(of for _, of in table.values())}: {parts}"
            )
        return out


def score(suggested: Iterable[Pair], bulletins: Mapping[str, Bulletin], labels: Labels) -> Score:
    """Compare suggested pairs with what is true.

    Args:
        suggested: pairs of names; those that share an `incident_id` are left out.
        bulletins: all bulletins by name.
        labels: what belongs together.
    """
    filed = filed_pairs(bulletins)
    said = said_pairs(bulletins)
    given = frozenset(suggested) - filed
    true = labels.true_pairs() - filed
    right, missed = given & true, true - given

    def counted(hard: Iterable[tuple[str, Pair]]) -> dict[str, tuple[int, int]]:
        kept = [(reason, pair) for reason, pair in hard if pair not in filed]
        all_, got = (
            Counter(reason for reason, _ in kept),
            Counter(reason for reason, pair in kept if pair in given),
        )
        return {reason: (got[reason], of) for reason, of in all_.items()}

    return Score(
        right=len(right),
        wrong=len(given - true),
        missed=len(missed),
        unsaid_right=len(right - said),
        unsaid_missed=len(missed - said),
        joined=counted((each.reason, each.pair) for each in labels.negatives),
        found=counted((each.reason, each.pair) for each in labels.positives),
    )


def baseline(bulletins: Mapping[str, Bulletin]) -> frozenset[Pair]:
    """The trivial suggestion: every two bulletins that have one observable in common, letter by letter."""
    groups: dict[tuple[str, str], set[str]] = {}
    for name, bulletin in bulletins.items():
        for each in bulletin.observables:
            groups.setdefault((each.type, str(each.value or each.value_hmac)), set()).add(name)
    return pairs_of(groups.values())


def closed(pairs: Iterable[Pair]) -> frozenset[Pair]:
    """Pairs, and those that follow when who belongs with two others makes all three one incident."""
    group: dict[str, set[str]] = {}
    for one, other in (sorted(pair) for pair in pairs):
        both = group.get(one, {one}) | group.get(other, {other})
        group.update(dict.fromkeys(both, both))
    return pairs_of({id(each): each for each in group.values()}.values())
