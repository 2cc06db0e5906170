"""The labelled sets as each is kept in two files, and how it is made from its stories.

`python -m tests.incidents.labelled` writes the files anew; a test holds them to the stories.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from schemas.bulletin import Bulletin
from tests.incidents.writing import Story, stamped

HERE = Path(__file__).parent
SECOND = HERE / "second"
THIRD = HERE / "third"
SETS = (HERE, SECOND, THIRD)
BULLETINS, LABELS = "bulletins.json", "labels.json"

Pair = frozenset[str]
"""Two bulletins, by their names in the labels."""


class Hard(msgspec.Struct, frozen=True, kw_only=True):
    """A pair that is easy to get wrong, and why.

    Attributes:
        a: name of a bulletin.
        b: name of another.
        reason: the class of the reason.
        why: what is so in this pair.
    """

    a: str
    b: str
    reason: str
    why: str

    @property
    def pair(self) -> Pair:
        """The two without an order."""
        return frozenset((self.a, self.b))


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says belongs together.

    Attributes:
        incidents: what happened, by key.
        of: the key of the incident of each bulletin; None where it tells of many or of none.
        negatives: pairs that do not belong together and look so.
        positives: pairs that belong together and do not look so.
    """

    incidents: dict[str, str]
    of: dict[str, str | None]
    negatives: tuple[Hard, ...]
    positives: tuple[Hard, ...]

    def true_pairs(self) -> frozenset[Pair]:
        """Every two bulletins of one incident."""
        return pairs_of(
            [name for name, key in self.of.items() if key == incident] for incident in self.incidents
        )


def pairs_of(groups: Iterable[Iterable[str]]) -> frozenset[Pair]:
    """Every two members of one group: how suggested incidents become suggested pairs."""
    return frozenset(frozenset(two) for group in groups for two in itertools.combinations(set(group), 2))


def filed_pairs(bulletins: Mapping[str, Bulletin]) -> frozenset[Pair]:
    """Pairs that share an `incident_id`: they need no suggestion, and are left out of the score."""
    groups: dict[str, list[str]] = {}
    for name, bulletin in bulletins.items():
        if bulletin.incident_id is not None:
            groups.setdefault(bulletin.incident_id, []).append(name)
    return pairs_of(groups.values())


def said_pairs(bulletins: Mapping[str, Bulletin]) -> frozenset[Pair]:
    """Pairs that `incident_id` and references join, directly or through others."""
    names = {bulletin.id: name for name, bulletin in bulletins.items()}
    group = {name: {name} for name in bulletins}
    ties = [tuple(pair) for pair in filed_pairs(bulletins)]
    ties += [
        (name, names[ref.id])
        for name, bulletin in bulletins.items()
        for ref in bulletin.references
        if ref.id in names
    ]
    for one, other in ties:
        if group[one] is not group[other]:
            group[one] |= group[other]
            for each in group[other]:
                group[each] = group[one]
    return pairs_of(group.values())


def labels_of(
    stories: Sequence[Story],
    negatives: Iterable[tuple[str, str, str, str]],
    positives: Iterable[tuple[str, str, str, str]],
) -> Labels:
    """The labels that the stories and the pairs give."""
    return Labels(
        incidents={tale.key: tale.what for tale in stories if tale.key is not None},
        of={told.name: tale.key for tale in stories for told in tale.told},
        negatives=tuple(Hard(a=a, b=b, reason=reason, why=why) for reason, a, b, why in negatives),
        positives=tuple(Hard(a=a, b=b, reason=reason, why=why) for reason, a, b, why in positives),
    )


def write(folder: Path, bulletins: Mapping[str, Bulletin], labels: Labels) -> None:
    """Write both files; the bulletins one a line."""
    lines = [
        f"{msgspec.json.encode(name).decode()}: {msgspec.json.encode(each).decode()}"
        for name, each in bulletins.items()
    ]
    (folder / BULLETINS).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    (folder / LABELS).write_bytes(msgspec.json.format(msgspec.json.encode(labels), indent=1) + b"\n")


def read(folder: Path = HERE) -> tuple[dict[str, Bulletin], Labels]:
    """The bulletins by name, in order of time, and their labels."""
    return (
        msgspec.json.decode((folder / BULLETINS).read_bytes(), type=dict[str, Bulletin]),
        msgspec.json.decode((folder / LABELS).read_bytes(), type=Labels),
    )


def made(folder: Path = HERE) -> tuple[dict[str, Bulletin], Labels]:
    """A set, from its stories."""
    from tests.incidents import pairs as first_pairs
    from tests.incidents import second, stories_cyber, stories_process, stories_words, third

    sets = {
        HERE: (stories_cyber.STORIES + stories_words.STORIES + stories_process.STORIES, first_pairs),
        SECOND: (second.stories_north.STORIES + second.stories_south.STORIES, second.pairs),
        THIRD: (third.stories.STORIES, third.pairs),
    }
    stories, pairs = sets[folder]
    return stamped(stories), labels_of(stories, pairs.NEGATIVE, pairs.POSITIVE)


if __name__ == "__main__":
    for each in SETS:
        write(each, *made(each))
