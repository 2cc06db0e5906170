"""Which bulletins are one incident: by what authors say and people decide, whatever the order; each decision can be undone."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.desk import decisions
from bus.hub.incidents import How, Tie, apart, joined, traits_of
from tests.support.world import bulletin, shared_world

BELONGS, DOES_NOT, SPLIT = decisions.Verdict.BELONGS, decisions.Verdict.DOES_NOT, decisions.Verdict.SPLIT
ONE = traits_of(bulletin(shared_world(), "xa-csirt"))
IDS = [f"b{n}" for n in range(7)]
EVERY = {id_: msgspec.structs.replace(ONE, id=id_, issued=float(n)) for n, id_ in enumerate(IDS)}


def tie(one: str, other: str) -> Tie:
    """A reference."""
    return Tie(a=min(one, other), b=max(one, other), how=How.REFERENCE, by="xa-csirt")


def decided(incident: str, about: str, verdict: decisions.Verdict) -> decisions.Decision:
    """A decision of an analyst."""
    return decisions.Decision(
        n=0, incident=incident, bulletin=about, verdict=verdict, why="", by="ana", at=0.0
    )


def groups(ties: Sequence[Tie], made: Sequence[decisions.Decision] = ()) -> set[frozenset[str]]:
    """The members of each incident."""
    return {frozenset(group.members) for group in joined(EVERY, ties, made)}


TIES = st.lists(
    st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)).filter(lambda two: two[0] != two[1]), max_size=8
).map(lambda every: [tie(*two) for two in every])
MADE = st.lists(
    st.builds(decided, st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from(decisions.Verdict)),
    max_size=6,
)


def test_ties_lead_from_one_to_the_next() -> None:
    """What is tied to a member is a member."""
    assert groups([tie("b0", "b1"), tie("b1", "b2"), tie("b4", "b5")]) == {
        frozenset({"b0", "b1", "b2"}),
        frozenset({"b4", "b5"}),
    }


def test_an_accepted_suggestion_joins_and_a_rejected_one_keeps_apart() -> None:
    """A person's word joins what no author joined; a no is remembered for suggestions."""
    assert groups([], [decided("b0", "b1", BELONGS)]) == {frozenset({"b0", "b1"})}
    assert groups([], [decided("b0", "b1", DOES_NOT)]) == set()
    assert apart([decided("b1", "b0", DOES_NOT), decided("b2", "b3", BELONGS)]) == [("b0", "b1")]


def test_a_bulletin_that_is_split_off_leaves_whatever_ties_it() -> None:
    """All its ties to the incident are cut; those to others stay."""
    ties = [tie("b0", "b1"), tie("b1", "b2"), tie("b0", "b2"), tie("b2", "b3")]
    assert groups(ties, [decided("b0", "b2", SPLIT)]) == {frozenset({"b0", "b1"}), frozenset({"b2", "b3"})}


@settings(deadline=None, max_examples=150)
@given(TIES, MADE)
def test_the_order_of_ties_changes_nothing_and_no_bulletin_is_in_two_incidents(
    ties: list[Tie], made: list[decisions.Decision]
) -> None:
    """Groups are parts of the window, each of two or more, named by the oldest member."""
    found = joined(EVERY, ties, made)
    again = joined(EVERY, list(reversed(ties)), made)
    assert found == again
    members = [each for group in found for each in group.members]
    assert len(members) == len(set(members))
    assert all(len(group.members) > 1 and group.id == min(group.members) for group in found)
    assert all({each.a, each.b} <= set(group.members) for group in found for each in group.ties)


@settings(deadline=None, max_examples=150)
@given(TIES, MADE, st.sampled_from(IDS), st.sampled_from(IDS))
def test_a_split_holds_apart_what_nothing_else_ties(
    ties: list[Tie], made: list[decisions.Decision], incident: str, about: str
) -> None:
    """After the last split the bulletin is in no incident with the one that it left."""
    if incident == about:
        return
    earlier = [each for each in made if each.verdict is not SPLIT]
    found = groups(ties, [*earlier, decided(incident, about, SPLIT)])
    assert not any({incident, about} <= each for each in found)
