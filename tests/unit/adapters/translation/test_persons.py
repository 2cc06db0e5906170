"""Names of persons leave texts in every spelling, and nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.translation.persons import OMITTED, Persons


def persons(*names: str, surname: bool = True) -> Persons:
    """The persons of those names."""
    found = Persons()
    for name in names:
        found.add(name, surname=surname)
    return found


SPELLINGS = {
    "as it is": "Ada Example",
    "capitals": "ADA EXAMPLE",
    "small letters": "ada example",
    "surname first": "Example, Ada",
    "hyphens": "Ada-Example",
    "one word": "AdaExample",
    "a file name": "ada_example",
    "an ending": "Ada Examples",
    "a genitive": "Ada Example's",
    "the surname": "Example",
    "the surname in capitals": "EXAMPLE",
    "a letter for the first name": "A. Example",
    "two blanks": "Ada  Example",
    "a line break": "Ada\nExample",
    "a soft hyphen": "Ada Exam\u00adple",
    "wide letters": "Ａｄａ Ｅｘａｍｐｌｅ",
}


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_name_is_found_however_it_is_written(name: str) -> None:
    """Case, order, joints, endings and what cannot be seen do not hide it."""
    found = persons("Ada Example").taken_out(f"It was {SPELLINGS[name]} who paid.")
    assert OMITTED in found
    assert "xample" not in found.lower()
    assert found.startswith("It was ")
    assert found.endswith(" who paid.")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("José Núñez", "Jose Nunez"),
        ("Jan Kowalski", "Jana Kowalskiego"),
        ("Ada Elisabeth VON MUSTER", "Muster"),
        ("Dr. Ada Example", "Ada Example"),
        ("山田太郎", "昨日山田太郎が"),
    ],
)
def test_names_of_other_languages_are_found(name: str, text: str) -> None:
    """Accents, inflection, capitals that mark a surname, titles, and scripts without blanks."""
    assert OMITTED in persons(name).taken_out(text)


@pytest.mark.parametrize(
    "text",
    [
        "an example of it",
        "Exampleton is a town",
        "Ada alone",
        "",
        "Adapters",
        "Exam papers",
        "the exam, plead",
    ],
)
def test_other_words_stay(text: str) -> None:
    """A surname in small letters, another word that begins alike, a first name alone."""
    assert persons("Ada Exampler").taken_out(text) == text


def test_a_group_loses_its_whole_name_only() -> None:
    """What is not declared a person has no surname to look for."""
    found = persons("Grey Heron", surname=False)
    assert found.taken_out("Grey Heron and a Heron") == f"{OMITTED} and a Heron"


def test_an_organisation_is_found_without_its_legal_form() -> None:
    """Prose says neither `GmbH` nor `Ltd`, and makes compounds."""
    found = persons("Stadtwerke Musterstadt GmbH", surname=False)
    assert OMITTED in found.taken_out("Kunden der Stadtwerke-Musterstadt")
    assert OMITTED in persons("Musterbank", surname=False).taken_out("Musterbankkunden")


def test_without_names_nothing_changes() -> None:
    """No name, one that is too short, and one that is no text."""
    nobody = persons("", "ab", "  ")
    nobody.add(7)
    assert not nobody
    assert nobody.taken_out("ab 7 \u00ad") == "ab 7 \u00ad"


@given(text=st.text(max_size=200), name=st.from_regex(r"[A-Z][a-z]{3,8} [A-Z][a-z]{4,8}", fullmatch=True))
def test_what_was_taken_out_is_not_there_any_more(text: str, name: str) -> None:
    """A second look finds nothing, and text without the name is left as it is."""
    found = persons(name)
    clean = found.taken_out(f"{text} {name} {text}")
    assert not found.are_in(clean)
    assert found.are_in(text) or found.taken_out(text) == text


def test_many_names_that_begin_alike_are_found_by_their_beginning() -> None:
    """A thousand names with one first word are not tried one by one: the word leaves the text alone."""
    found = persons(*(f"Adalbert Example{n}x" for n in range(1_000)))
    assert found.taken_out("So Adalbert Example999x said") in (
        f"So {OMITTED} said",
        f"So {OMITTED} {OMITTED} said",
    )
    assert found.taken_out("So Adalbert said") == f"So {OMITTED} said"
