"""Vocabularies as data: each file says where it is from, its past leads to its present, and words are found as people look."""

from __future__ import annotations

import msgspec
import pytest

from schemas.open_vocab import OPEN
from schemas.techniques import fault_of
from schemas.vocab import Tlp
from schemas.vocabularies import FAMILIES, FOLDER, FRAMEWORKS, find, names, near, vocabulary


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_a_file_says_what_it_is_and_where_it_is_from(name: str) -> None:
    """Name, version, source with its commit or file, licence; ids once, and in order."""
    kept = vocabulary(name)
    assert kept.name == name
    assert kept.version
    assert kept.source.startswith("https://")
    assert kept.licence
    ids = [each.id for each in kept.terms]
    assert ids == sorted(set(ids))
    assert all(each.label for each in kept.terms)


@pytest.mark.parametrize("name", FRAMEWORKS)
def test_the_past_leads_to_the_present(name: str) -> None:
    """A former id is none of today, and what took its place is."""
    kept = vocabulary(name)
    live = {each.id for each in kept.terms}
    for each in kept.former:
        assert each.id not in live
        assert set(each.now) <= live
        assert each.label
        assert each.why


def test_every_file_has_a_name_and_every_name_a_file() -> None:
    """Nothing lies in the folder that nobody reads."""
    assert {path.stem for path in FOLDER.iterdir()} == set(FRAMEWORKS)
    assert all(set(each) <= set(FRAMEWORKS) for each in FAMILIES.values())
    assert not set(FAMILIES) & set(names())


def test_every_name_is_one_vocabulary_with_words() -> None:
    """Closed, open, and those of others; a name stands for one of them."""
    assert len(set(names())) == len(names())
    assert all(vocabulary(name).terms and vocabulary(name).source for name in names())
    assert {each.id for each in vocabulary("tlp").terms} == set(Tlp)


def test_the_words_of_the_wire_are_those_of_the_file() -> None:
    """What a field of rsit takes without remark is what the taxonomy has."""
    assert {each.id for each in vocabulary("rsit").terms} == OPEN["rsit"].values


@pytest.mark.parametrize(
    ("name", "word", "first"),
    [
        ("rsit", "ransom", "information-content-security:unauthorised-information-modification"),
        ("rsit", "Phishing", "fraud:phishing"),
        ("disarm", "T0086", "T0086"),
        ("disarm", "t0086.002", "T0086.002"),
        ("disarm", "deepfakes audio", "T0088.001"),
        ("attack-enterprise", "T1566", "T1566"),
        ("attack-enterprise", "spear-phishing", "T1534"),
        ("attack-enterprise", "spearphishing link", "T1566.002"),
        ("action-kind", "takedown", "request-takedown-order"),
        ("tlp", "AMBER+STRICT", "amber+strict"),
    ],
)
def test_a_word_is_found_as_people_look_for_it(name: str, word: str, first: str | None) -> None:
    """An id in whatever case, parts of a label in whatever order, a word of the text."""
    found = find(vocabulary(name), word)
    assert (found.terms[0].id if found.terms else None) == first


def test_an_id_brings_its_parts_and_nothing_else() -> None:
    """T1566 is phishing, with the ways of it; T1566.001 is one of them alone."""
    whole = find(vocabulary("attack-enterprise"), "T1566").terms
    assert all(each.id.startswith("T1566") for each in whole)
    assert len(whole) > 1
    assert len(find(vocabulary("attack-enterprise"), "T1566.001").terms) == 1


def test_a_former_id_says_what_it_is_now() -> None:
    """With the words it has today; where nothing is named in its place, with what is akin."""
    found = find(vocabulary("attack-enterprise"), "T1086")
    assert [each.now for each in found.former] == [("T1059.001",)]
    assert [each.id for each in found.terms] == ["T1059.001"]
    gone = find(vocabulary("disarm"), "T0099.004")
    assert gone.former[0].now == ()
    assert "T0097.202" in {each.id for each in gone.nearest}


@pytest.mark.parametrize(
    ("name", "word", "like"),
    [("rsit", "phising", "fraud:phishing"), ("action-kind", "moniter", "monitor"), ("rsit", "xqzt", None)],
)
def test_what_is_not_there_has_a_nearest(name: str, word: str, like: str | None) -> None:
    """A slip of the pen is mended; of what is like nothing, nothing is said."""
    found = find(vocabulary(name), word)
    assert (found.terms, found.former) == ((), ())
    assert found.nearest == near(vocabulary(name), word)
    assert (found.nearest[0].id if found.nearest else None) == like


def test_no_word_finds_nothing() -> None:
    """An empty word is no question."""
    assert find(vocabulary("rsit"), "  ").terms == ()


def test_a_vocabulary_that_is_not_there_is_an_error() -> None:
    """There is no guessing of names here."""
    with pytest.raises(KeyError):
        vocabulary("weather")


@pytest.mark.parametrize(
    ("framework", "technique", "version", "fault"),
    [
        ("attack-enterprise", "T1566", None, None),
        ("attack-enterprise", "T1086", None, "T1086 was revoked; it is now T1059.001"),
        ("attack-enterprise", "T1626", None, "attack-enterprise has no technique T1626; attack-mobile has"),
        ("attack-enterprise", "T1799", None, "attack-enterprise has no technique T1799 (version 18.1)"),
        ("attack-enterprise", "T1799", "19.0", None),
        ("attack-enterprise", "T1799", "18.0", "attack-enterprise has no technique T1799 (version 18.1)"),
        ("attack-enterprise", "T0086", "99", "T0086 is not an id of attack-enterprise"),
        ("disarm", "T9999.999", None, "T9999.999 is not an id of disarm"),
        ("disarm", "T0104.002", None, "T0104.002 was dropped after version 1.5; it is now T0151.017"),
        (
            "disarm",
            "T0013",
            None,
            "T0013 (Create Inauthentic Websites) was dropped after version 1.5, and it has no successor",
        ),
        ("atlas", "AML.T0020", None, None),
        ("attack-ics", "TA0108", None, None),
        ("meta-kc", "anything", None, None),
    ],
)
def test_what_is_wrong_with_an_id_is_said(
    framework: str, technique: str, version: str | None, fault: str | None
) -> None:
    """Revoked, dropped, of another framework, of none; what a newer version may have is let pass."""
    assert fault_of(framework, technique, version) == fault


def test_every_former_id_has_a_sentence() -> None:
    """And no id of today has one."""
    for name in set(FRAMEWORKS) - {"rsit", "currency"}:
        kept = vocabulary(name)
        assert all(fault_of(name, each.id) is None for each in kept.terms)
        assert all(each.id in (fault_of(name, each.id) or "") for each in kept.former)


def test_a_file_with_a_field_that_nobody_knows_is_refused() -> None:
    """What is not read would be trusted by nobody."""
    raw = (FOLDER / "amitt.json").read_bytes().replace(b'"name"', b'"nmae": "", "name"', 1)
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(raw, type=type(vocabulary("amitt")))
