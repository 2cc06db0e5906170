"""What somebody may see: the order of markings, channels, what two share."""

import pytest

from bus.policy import MARKINGS, Clearance, narrowest
from schemas.vocab import Tlp

COMMUNITY = frozenset({"community"})


@pytest.mark.parametrize("ceiling", Tlp)
@pytest.mark.parametrize("tlp", Tlp)
def test_a_ceiling_lets_through_what_is_as_wide_or_wider(ceiling: Tlp, tlp: Tlp) -> None:
    """TLP stands from the narrowest in its enumeration."""
    clearance = Clearance(ceiling, COMMUNITY)
    order = list(Tlp)
    assert clearance.sees(tlp, "community") == (order.index(tlp) >= order.index(ceiling))
    assert clearance.sees(str(tlp), "community") == clearance.reaches(tlp)
    assert not clearance.sees(tlp, "eu-csirts")


def test_markings_stand_at_their_ranks() -> None:
    """From the widest to the narrowest, as tables keep them."""
    assert list(map(str, MARKINGS)) == ["clear", "green", "amber", "amber+strict", "red"]


@pytest.mark.parametrize("word", ["", "purple", "RED", "amber strict"])
def test_a_word_that_is_no_marking_is_above_every_ceiling(word: str) -> None:
    """So damaged data is hidden, not shown."""
    assert not Clearance(Tlp.RED, COMMUNITY).sees(word, "community")


@pytest.mark.parametrize(
    ("channel", "is_seen"),
    [
        ("xa-emb/actual.green.community", True),
        ("xa-emb/actual.clear.community", True),
        ("xa-emb/actual.amber.community", False),
        ("xa-emb/actual.green.eu-csirts", False),
        ("xa-emb/actual.green", False),
        ("", False),
        ("?", False),
    ],
)
def test_a_channel_is_seen_by_its_marking_and_audience(channel: str, is_seen: bool) -> None:
    """What is no channel is not."""
    assert Clearance(Tlp.GREEN, COMMUNITY).sees_channel(channel) is is_seen


def test_two_see_together_what_each_sees() -> None:
    """The lower ceiling, the audiences of both."""
    one, other = Clearance(Tlp.RED, frozenset({"a", "b"})), Clearance(Tlp.GREEN, frozenset({"b", "c"}))
    assert one.within(other) == other.within(one) == Clearance(Tlp.GREEN, frozenset({"b"}))


@pytest.mark.parametrize(
    ("other", "is_covered"),
    [
        (Clearance(Tlp.AMBER, COMMUNITY), True),
        (Clearance(Tlp.GREEN, frozenset()), True),
        (Clearance(Tlp.RED, COMMUNITY), False),
        (Clearance(Tlp.GREEN, COMMUNITY | {"public"}), False),
    ],
)
def test_one_covers_another_with_no_more(other: Clearance, is_covered: bool) -> None:
    """Neither a narrower marking nor another audience."""
    assert Clearance(Tlp.AMBER, COMMUNITY).covers(other) is is_covered


def test_the_narrowest_of_markings() -> None:
    """None of none."""
    assert narrowest(["green", "amber+strict", "amber"]) is Tlp.AMBER_STRICT
    assert narrowest([]) is None
