"""Sharing marks are read in every spelling, the strictest holds, and doubt is a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.translation.markings import Mark, read_mark, strictest
from adapters.translation.reading import FormatError, Losses
from schemas.vocab import TLP_RANK, Pap, Tlp


@pytest.mark.parametrize(
    ("text", "tlp"),
    [
        ("tlp:red", Tlp.RED),
        ("TLP: AMBER", Tlp.AMBER),
        ("tlp-amber", Tlp.AMBER),
        ("Tlp=green", Tlp.GREEN),
        ("TLP GREEN", Tlp.GREEN),
        ('tlp="amber+strict"', Tlp.AMBER_STRICT),
        ("tlp:amber-strict", Tlp.AMBER_STRICT),
        ("tlp:white", Tlp.CLEAR),
        ("misp:tlp:red", Tlp.RED),
        ("ｔｌｐ：ｒｅｄ", Tlp.RED),
        ("tl\u200bp:r\u200bed", Tlp.RED),
    ],
)
def test_tlp_is_read_in_every_spelling(text: str, tlp: Tlp) -> None:
    """Case, width, joints and invisible characters do not hide a mark."""
    assert read_mark(text, "x") == Mark(path="x", tlp=tlp)


@pytest.mark.parametrize(
    ("text", "pap"), [("PAP:RED", Pap.RED), ("pap:white", Pap.CLEAR), ("PAP: Green", Pap.GREEN)]
)
def test_pap_is_read(text: str, pap: Pap) -> None:
    """PAP tags are read, version 1 white as clear."""
    assert read_mark(text, "x") == Mark(path="x", pap=pap)


@pytest.mark.parametrize(
    "text",
    [
        "malware",
        "pap smear",
        "paper:red",
        "ktlp:red",
        'misp-galaxy:tool="TLP:RED"',
        'euci:classification="EU-UNCLASSIFIED"',
        "",
    ],
)
def test_other_labels_are_no_marks(text: str) -> None:
    """A label of another family says nothing about sharing."""
    assert read_mark(text, "x") is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tlp:purple", "unknown-marking"),
        ("tlp:", "unknown-marking"),
        ("tlp", "unknown-marking"),
        ("tlp:unclear", "unknown-marking"),
        ("tlp:gree", "unknown-marking"),
        ("tlp:clear-ish", "unknown-marking"),
        ("pap:blue", "unknown-marking"),
        ('euci:classification="S-UE/EU-S"', "classified"),
        ('nato:classification="NS"', "classified"),
        ('fr-classif:classifiees="SECRET"', "classified"),
    ],
)
def test_doubt_is_a_refusal(text: str, reason: str) -> None:
    """A mark whose level cannot be read with certainty, and classified information, are refused."""
    with pytest.raises(FormatError) as refused:
        read_mark(text, "x")
    assert refused.value.reason == reason


@given(st.lists(st.sampled_from(list(Tlp))), st.lists(st.sampled_from(list(Pap))))
def test_the_sum_is_never_weaker_than_any_mark(tlps: list[Tlp], paps: list[Pap]) -> None:
    """Adding marks up never gives a wider circle than any one of them."""
    losses = Losses()
    marking = strictest(
        [*(Mark(path="t", tlp=t) for t in tlps), *(Mark(path="p", pap=p) for p in paps)], losses
    )
    assert all(TLP_RANK[marking.tlp] >= TLP_RANK[t] for t in tlps if marking.tlp)
    assert (marking.tlp is None) == (not tlps)
    assert (marking.pap is None) == (not paps)
    assert bool(losses.found) == (
        len(set(tlps)) > 1 or len(set(paps)) > 1 or (Tlp.RED in tlps and set(paps) == {Pap.CLEAR})
    )
