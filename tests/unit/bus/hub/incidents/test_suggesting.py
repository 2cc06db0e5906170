"""What is suggested on the labelled set: how much of it is right, how much is found, and what a trivial rule would do."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from bus.hub.incidents import Pool, joined, references_of, said, traits_of
from bus.hub.incidents.suggesting import MOST_IN_COMMON
from bus.hub.incidents.traits import Sort, canonical, spellings
from tests.incidents.labelled import Pair, pairs_of, read
from tests.incidents.score import Score, baseline, closed, score

BULLETINS, LABELS = read()
NAMES = {each.id: name for name, each in BULLETINS.items()}
EVERY = {each.id: traits_of(each) for each in BULLETINS.values()}
TIES = said(
    EVERY,
    {each.id: references_of(each) for each in BULLETINS.values()},
    {each.id: each.issuer.id for each in BULLETINS.values()},
)


def is_noise(value: str) -> bool:
    """What the labelled set has of services that anybody rents."""
    return "stresser" in value


def suggested() -> tuple[frozenset[Pair], Score]:
    """What is suggested, and its score together with what authors say."""
    tied = [(tie.a, tie.b) for tie in TIES]
    found = [(each.a, each.b) for each in Pool(EVERY.values(), is_noise).suggested(tied)]
    named = frozenset(frozenset((NAMES[a], NAMES[b])) for a, b in found)
    whole = named | {frozenset((NAMES[a], NAMES[b])) for a, b in tied}
    return named, score(closed(whole), BULLETINS, LABELS)


def test_suggestions_are_right_and_find_most_of_what_belongs_together() -> None:
    """Precision is above 0.95 of all pairs that suggestions put together; recall is told as it is, and does not fall."""
    named, found = suggested()
    assert found.precision >= 0.95, found.lines()
    assert found.recall >= 0.70, found.lines()
    right = sum(pair in LABELS.true_pairs() for pair in named)
    assert right / len(named) >= 0.95


def test_the_trivial_rule_is_far_worse() -> None:
    """Whatever shares a value letter by letter: less than half is right, and a tenth is found."""
    trivial, ours = score(baseline(BULLETINS), BULLETINS, LABELS), suggested()[1]
    assert trivial.precision < 0.5 < ours.precision
    assert trivial.recall * 5 < ours.recall


def test_what_is_suggested_does_not_depend_on_the_order() -> None:
    """Two stores with the same bulletins suggest the same."""
    some = list(EVERY.values())
    assert Pool(some, is_noise).suggested() == Pool(reversed(some), is_noise).suggested()


def test_each_suggestion_says_why() -> None:
    """Its reasons add up to its points, but for the bound of what words alone may do."""
    for each in Pool(EVERY.values(), is_noise).suggested():
        assert each.likeness.reasons
        assert sum(reason.points for reason in each.likeness.reasons) >= each.likeness.points - 1e-9


def test_a_pair_that_a_person_keeps_apart_is_not_suggested_and_neither_are_their_incidents() -> None:
    """A rejection is remembered for all that is joined to either side."""
    pool = Pool(EVERY.values(), is_noise)
    for rejected in pool.suggested()[:20]:
        again = pool.suggested(apart=[(rejected.a, rejected.b)])
        groups = joined_pairs([(each.a, each.b) for each in again])
        assert frozenset((rejected.a, rejected.b)) not in groups


def joined_pairs(pairs: list[tuple[str, str]]) -> frozenset[Pair]:
    """All pairs that follow."""
    return closed(frozenset(pair) for pair in pairs)


def test_an_exercise_is_never_suggested_beside_what_is_real() -> None:
    """Nor is a report of many events."""
    for each in Pool(EVERY.values()).suggested():
        one, other = EVERY[each.a], EVERY[each.b]
        assert one.is_actual is other.is_actual
        assert not one.is_overview
        assert not other.is_overview


def test_the_work_is_bounded_where_everybody_shares_everything() -> None:
    """A flood of bulletins with the same value and words makes no pairs of all with all."""
    one = traits_of(next(iter(BULLETINS.values())))

    flood = [msgspec.structs.replace(one, id=f"{n:08d}") for n in range(MOST_IN_COMMON * 10)]
    assert not Pool(flood).pairs


SAME = [
    ("x509-certificate", "5F:3A:9C:01", "5f3a9c01"),
    ("url", "hxxps://www.a[.]example/x/", "https://a.example/x"),
    ("domain-name", "A.EXAMPLE.", "a.example"),
    ("phone-number", "+372 5555 0100", "+372-5555-0100"),
    ("analytics-id", "UA-9917-2", "ua-9917-2"),
    ("user-account", "@Avaria", "avaria"),
    ("email-addr", "A[at]b[.]example", "a@b.example"),
]


@pytest.mark.parametrize(("type_", "one", "other"), SAME, ids=[type_ for type_, _, _ in SAME])
def test_a_value_has_one_spelling(type_: str, one: str, other: str) -> None:
    """Case, defanging, schemes and hyphens that a type does not need say nothing."""
    assert canonical(type_, one) == canonical(type_, other)


@pytest.mark.parametrize(("one", "other"), list(itertools.combinations(["Tavora", "Тавора", "Ταβόρα"], 2)))
def test_a_name_is_the_same_in_another_script(one: str, other: str) -> None:
    """Latin, Cyrillic and Greek letters of one name have a spelling in common."""
    assert set(spellings(one)) & set(spellings(other))


def test_what_authors_say_joins_incidents() -> None:
    """Every group that authors alone make is of one true incident."""
    groups = joined(EVERY, TIES, [])
    assert groups
    assert pairs_of([NAMES[each] for each in group.members] for group in groups) <= LABELS.true_pairs()


def test_traits_name_their_sort() -> None:
    """A value with a role of its own has a sort of its own."""
    sorts = {sort for each in EVERY.values() for sort, _ in each.traits}
    assert {Sort.KEYED, Sort.MARK, Sort.VALUE, Sort.ADDRESS, Sort.VICTIM, Sort.NAME, Sort.TAG} <= sorts
