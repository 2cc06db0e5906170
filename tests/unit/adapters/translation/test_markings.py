"""Sharing marks are read in every spelling, the strictest holds, and doubt is a refusal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.translation.markings import Mark, marks_in_words, read_mark, read_statement, strictest
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


@pytest.mark.parametrize("part", list(Tlp))
def test_a_mark_of_a_part_does_not_mark_the_whole(part: Tlp) -> None:
    """Where nothing marks the whole, CLEAR and GREEN of a part say nothing; a narrower one is AMBER+STRICT or RED."""
    losses = Losses()
    marking = strictest((), losses, parts=(Mark(path="p", tlp=part),), unmarked=3)
    wanted = {Tlp.AMBER: Tlp.AMBER_STRICT, Tlp.AMBER_STRICT: Tlp.AMBER_STRICT, Tlp.RED: Tlp.RED}.get(part)
    assert marking.tlp is wanted
    assert marking.audience is None
    assert "3 parts" in losses.found[0].why


@given(whole=st.sampled_from(list(Tlp)), part=st.sampled_from(list(Tlp)))
def test_a_mark_of_a_part_narrows_the_whole(whole: Tlp, part: Tlp) -> None:
    """The marking is the stricter of both."""
    marking = strictest((Mark(path="w", tlp=whole),), Losses(), parts=(Mark(path="p", tlp=part),))
    assert marking.tlp is max(whole, part, key=TLP_RANK.__getitem__)


@pytest.mark.parametrize("part", list(Pap))
def test_a_pap_of_a_part_narrows_and_does_not_mark(part: Pap) -> None:
    """PAP follows the same rule: what a manifest gives is GREEN, so only a narrower one counts."""
    marking = strictest((), Losses(), parts=(Mark(path="p", pap=part),))
    assert marking.pap is (part if part in (Pap.AMBER, Pap.RED) else None)


@pytest.mark.parametrize(
    "text",
    [
        "Do not share outside the working group",
        "For members of the election network only",
        "Internal",
        "Recipients may use this within their organisation",
        "Copyright 2027 XA. Do not redistribute.",
        "Ne pas diffuser",
        "Nur für den Dienstgebrauch",
        "group seven",
    ],
)
def test_a_statement_limits_sharing_unless_it_is_about_rights(text: str) -> None:
    """A sentence as a marking is AMBER+STRICT, and told."""
    losses = Losses()
    assert read_statement(text, "marking", losses) == Mark(path="marking", tlp=Tlp.AMBER_STRICT)
    assert "limits sharing" in losses.found[0].why


@pytest.mark.parametrize(
    "text", ["Copyright 2027 XA", "© XA", "CC BY 4.0", "Licensed under the Apache License", "Public domain"]
)
def test_a_statement_of_rights_is_told_and_limits_nothing(text: str) -> None:
    """Copyright and licences say nothing about who may have it."""
    losses = Losses()
    assert read_statement(text, "marking", losses) is None
    assert losses.found


@pytest.mark.parametrize(
    "text", ["NATO RESTRICTED", "Contains SECRET UE", "RESTREINT UE/EU RESTRICTED", "VS-NfD"]
)
def test_a_classified_statement_is_refused(text: str) -> None:
    """Classified information does not travel on this bus."""
    with pytest.raises(FormatError) as refused:
        read_statement(text, "marking", Losses())
    assert refused.value.reason == "classified"


LIMITS = {
    "TLP:RED - a flood": Tlp.RED,
    "Summary [TLP: AMBER+STRICT]": Tlp.AMBER_STRICT,
    "tlp:amber": Tlp.AMBER,
    "Do not forward outside your team.": Tlp.AMBER_STRICT,
    "Please do not share.": Tlp.AMBER_STRICT,
    "Not for public release": Tlp.AMBER_STRICT,
    "Text. For internal use only. Text.": Tlp.AMBER_STRICT,
    "Ne pas diffuser hors du groupe": Tlp.AMBER_STRICT,
    "Bitte nicht weitergeben": Tlp.AMBER_STRICT,
}


@pytest.mark.parametrize("text", LIMITS)
def test_prose_that_limits_its_sharing_is_heard(text: str) -> None:
    """A level above CLEAR, and the usual sentences."""
    assert LIMITS[text] in {mark.tlp for mark in marks_in_words("text", text)}


@pytest.mark.parametrize(
    "text",
    [
        "Voters should not share their ballots on social media.",
        "TLP:CLEAR",
        "The group shares infrastructure with others.",
        "Do not share your password with the caller.",
        "They distribute leaflets for internal parties.",
        "",
    ],
)
def test_other_prose_limits_nothing(text: str) -> None:
    """Advice to voters is no marking, and a CLEAR in prose widens nothing."""
    assert marks_in_words("text", text) == ()
