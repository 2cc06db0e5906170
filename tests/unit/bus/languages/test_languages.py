"""Catalogues are read as gettext writes them, and say each sentence in its language, else in English."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.languages import ENGLISH, Entry, Language, entries, heading, language, marked
from tests.texts.__main__ import written
from tests.texts.found import Text

CATALOGUE = r"""# a comment
msgid ""
msgstr ""
"Language: xx\n"
"Plural-Forms: nplurals=3; plural=(n==1 ? 0 : n>=2 && n<=4 ? 1 : 2);\n"

#: a place
msgid "Close"
msgstr "Zavřít"

msgctxt "date"
msgid "May"
msgstr "května"

msgid "May"
msgstr "květen"

msgid ""
"%(num)s "
"bulletin"
msgid_plural "%(num)s bulletins"
msgstr[0] "%(num)s zpráva"
msgstr[1] "%(num)s zprávy"
msgstr[2] "%(num)s zpráv"

msgid "a \"quote\" and a\nline"
msgstr "„a“"

msgid "not yet"
msgstr ""

msgid "half"
msgid_plural "halves"
msgstr[0] "x"
msgstr[1] ""
msgstr[2] "y"
"""


@pytest.fixture
def spoken(tmp_path: Path) -> Language:
    """The language of that catalogue."""
    (tmp_path / "xx.po").write_text(CATALOGUE, "utf-8")
    return language(tmp_path, "xx")


def test_a_file_of_gettext_is_read() -> None:
    """Contexts, plural forms, texts over several lines, escapes, and the heading."""
    found = list(entries(CATALOGUE))
    assert [each.text for each in found][:4] == ["", "Close", "May", "May"]
    assert Entry("May", ("května",), "", "date") in found
    assert found[4] == Entry(
        "%(num)s bulletin", ("%(num)s zpráva", "%(num)s zprávy", "%(num)s zpráv"), "%(num)s bulletins"
    )
    assert found[5].text == 'a "quote" and a\nline'
    assert heading(CATALOGUE)["Language"] == "xx"


@pytest.mark.parametrize("line", ["nonsense", 'msgid "open', '"a text of nothing"', 'msgfoo "x"', "msgid x"])
def test_what_is_no_catalogue_is_refused(line: str) -> None:
    """A line that is neither a comment nor part of an entry."""
    with pytest.raises(ValueError, match="no line of a catalogue"):
        list(entries(line))


def test_a_sentence_is_said(spoken: Language) -> None:
    """By its context and by the form for its number; in English where a translation is missing or half."""
    assert spoken("Close") == "Zavřít"
    assert (spoken("May"), spoken.within("date", "May"), spoken.within("other", "May")) == (
        "květen",
        "května",
        "May",
    )
    said = [spoken.many("%(num)s bulletin", "%(num)s bulletins", n) for n in (0, 1, 2, 5)]
    assert said == ["0 zpráv", "1 zpráva", "2 zprávy", "5 zpráv"]
    assert (spoken("not yet"), spoken.many("half", "halves", 2)) == ("not yet", "halves")
    assert (spoken.knows("Close"), spoken.knows("not yet"), ENGLISH.knows("anything")) == (True, False, True)


def test_places_are_filled_and_what_fills_them_stays(spoken: Language) -> None:
    """A percent sign in what is filled in, or in a text without places, is only that."""
    assert spoken("100 %% of %(what)s", what="50 % %(x)s") == "100 % of 50 % %(x)s"
    assert spoken.plain("100 % sure %(x)s") == "100 % sure %(x)s"
    assert spoken.many("one", "%(num)s of %(all)s", 2, all=3) == "2 of 3"
    assert marked("a text", "a context") == "a text"


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zl", "Zp")), min_size=1)


@given(st.dictionaries(st.builds(Text, TEXTS, st.just("") | TEXTS, st.just("") | TEXTS), TEXTS, max_size=4))
def test_what_is_written_is_read_again(texts: dict[Text, str]) -> None:
    """A catalogue of any texts, whatever characters they have."""
    known = {each: (said, said) if each.many else (said,) for each, said in texts.items()}
    found = list(entries(written("xx", known, list(texts), "nplurals=2; plural=(n != 1);")))[1:]
    assert {Text(each.text, each.many, each.context): each.said for each in found} == known
