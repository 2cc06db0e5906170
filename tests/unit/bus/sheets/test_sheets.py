"""A bulletin as a person reads it: complete in three languages, harmless whatever is in it, and never wider than asked."""

from __future__ import annotations

import datetime as dt
import re
from enum import StrEnum
from typing import get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus.cli.frame.text import is_seen, safe
from bus.languages import entries
from bus.sheets import (
    TRANSLATED,
    Answered,
    Entry,
    Known,
    SealedPart,
    Sheet,
    Version,
    chosen_info,
    clock_in_words,
    defanged,
    language_of,
    lines_of,
    sayings,
    sheet_of,
)
from bus.sheets.catalogue import catalogue
from bus.sheets.layout import capitals, cells
from bus.trust import ceremony
from schemas import vocab
from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.open_vocab import OPEN
from schemas.parts import Deadline, Handling, Info, Observable
from schemas.vocab import PersonalFlag, Status, Tlp
from schemas.vocabularies import name_of
from tests.support.filled import ISSUED, bulletin_of

NOW = ISSUED + dt.timedelta(hours=1)
KNOWN = Known(
    now=NOW,
    admitted_at=ISSUED + dt.timedelta(seconds=4),
    kid="xa-csirt-1",
    trust="fresh",
    network="example",
    registry_version=3,
    versions=(
        Version(id="018f3c5e-7d3a-7000-8000-00000000000a", issued=ISSUED, msg_type="alert", state="in-force"),
    ),
    answers=(Answered(by="xb-csirt", at=NOW, verdict="dispute", text="Not here."),),
)
PLACES = re.compile(r"\{(\w+)\}")


def types_below(type_: object, seen: set[type]) -> set[type]:
    """The structs that a type of the wire is made of."""
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct) and type_ not in seen:
        seen.add(type_)
        for hint in get_type_hints(type_).values():
            types_below(hint, seen)
    for part in get_args(type_):
        types_below(part, seen)
    return seen


WIRE = types_below(Bulletin, set())


def written(sheet: Sheet) -> str:
    """All lines of a sheet."""
    return "\n".join(lines_of(sheet, 80, safe))


def block(sheet: Sheet, name: str) -> tuple[Entry, ...]:
    """The entries of one block; none where the sheet has no such block."""
    return next((each.entries for each in sheet.blocks if each.name == name), ())


@pytest.mark.parametrize("lang", TRANSLATED)
def test_no_field_of_the_wire_lacks_a_label(lang: str) -> None:
    """Every field that a bulletin can have is named in every language that has a catalogue."""
    fields = {field.encode_name for type_ in WIRE for field in msgspec.structs.fields(type_)}
    assert {name for name in fields if f"label {name}" not in catalogue(lang)} == set()


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_clock_is_told_in_words(lang: str) -> None:
    """Every clock that a registry begins with, by its step and its law in each language; one of a registry's own by its name."""
    say = sayings(lang)
    told = {clock: clock_in_words(say, clock) for clock in ceremony.DEFAULT_CLOCKS}
    assert all(", " in words for words in told.values())
    assert clock_in_words(say, "ministry-answer-2") == "Ministry answer 2"
    runs = Deadline(clock="gdpr-33", started=ISSUED, due=NOW)
    met = msgspec.structs.replace(runs, met=NOW)
    b = msgspec.structs.replace(bulletin_of("cyber-threat"), deadlines=(runs, met))
    lines = [each.text[0] for each in block(sheet_of(b, KNOWN, lang), "do") if each.text]
    assert sum(each.startswith(told["gdpr-33"]) for each in lines) == 2
    if lang == "en":
        assert told["gdpr-33"] == "Notification of a data breach, GDPR"


@pytest.mark.parametrize("lang", TRANSLATED)
def test_no_word_of_a_vocabulary_lacks_a_translation(lang: str) -> None:
    """Every word of every closed and open vocabulary, and every kind, is said in every language that has a catalogue."""
    words = {(name, word) for name, each in OPEN.items() for word in each.values}
    words |= {
        (name_of(each), str(word))
        for each in vars(vocab).values()
        if isinstance(each, type) and issubclass(each, StrEnum) and each is not StrEnum
        for word in each
    }
    words |= {("kind", kind) for kind in KINDS}
    said = catalogue(lang)
    assert {
        each for each in words if f"word {each[0]}/{each[1]}" not in said and f"word {each[1]}" not in said
    } == set()


@pytest.mark.parametrize("lang", TRANSLATED)
def test_catalogues_have_the_same_keys_and_places(lang: str) -> None:
    """A sentence has the same places to fill in every language, and none is missing or left over."""
    english, other = catalogue("en"), catalogue(lang)
    assert english.keys() == other.keys()
    assert {
        key for key in english if sorted(PLACES.findall(english[key])) != sorted(PLACES.findall(other[key]))
    } == set()


@pytest.mark.parametrize("lang", TRANSLATED)
def test_a_catalogue_names_each_key_once(lang: str) -> None:
    """No entry is overwritten by a later one of the same key."""
    from bus.sheets.catalogue import FOLDER

    keys = [each.text for each in entries((FOLDER / f"{lang}.po").read_text("utf-8"))]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("lang", TRANSLATED)
def test_every_kind_is_told_whole(kind: str, lang: str) -> None:
    """Of every kind of body each field is told, in words: no braces of JSON, no field name with an underscore, no slug of a struct."""
    b = bulletin_of(kind)
    sheet = sheet_of(b, KNOWN, lang)
    told = sayings(lang)
    names = {entry.label for each in sheet.blocks for entry in each.entries}
    text = " ".join(written(sheet).split())
    for field in msgspec.structs.fields(type(b.body)):
        label = told.label(field.encode_name)
        shown = any(name == label or name.startswith(f"{label} ") for name in names)
        assert shown or f"about {field.name.replace('_', ' ')}" in text, field.name
    assert not re.search(r"[{}]|\w_\w|Struct|=\"", text)


@settings(max_examples=25)
@given(kind=st.sampled_from(sorted(KINDS)), width=st.integers(24, 120))
def test_no_line_is_wider_than_asked(kind: str, width: int) -> None:
    """Whatever the width, each line fits."""
    assert all(
        cells(line) <= width for line in lines_of(sheet_of(bulletin_of(kind), KNOWN, "el"), width, safe)
    )


@settings(max_examples=40)
@given(st.text(min_size=1, max_size=300), st.integers(24, 80))
def test_hostile_words_are_harmless(text: str, width: int) -> None:
    """Controls, bidirectional marks, wide letters and endless words neither steer the terminal nor break the width."""
    b = bulletin_of("cyber-threat")
    info = Info(lang="en", headline=text, summary=text, public_line=text, instruction=text)
    thing = Observable(type="url", personal=PersonalFlag.NONE, value=text, note=text)
    b = msgspec.structs.replace(b, info=(info,), observables=(thing,))
    for line in lines_of(sheet_of(b, KNOWN, "en"), width, safe):
        assert all(is_seen(character) for character in line)
        assert cells(line) <= width


@given(st.text(alphabet="a {}%\\0", max_size=30))
def test_what_is_filled_in_stays_as_it_is(text: str) -> None:
    """Braces in what a bulletin says are not places of a sentence."""
    assert text in sayings("en").say("trust-unknown", trust=text)


def test_markings_come_first() -> None:
    """The first line has TLP, PAP and the audience; restrictions follow before the headline."""
    handling = Handling(
        releasable_to=("XB",),
        embargo_until=NOW + dt.timedelta(days=1),
        anonymise_source=True,
        retention_days=90,
    )
    b = msgspec.structs.replace(bulletin_of("fimi"), tlp=Tlp.AMBER_STRICT, handling=handling)
    lines = list(lines_of(sheet_of(b, KNOWN, "en"), 200, safe))
    assert lines[0].startswith("TLP:AMBER+STRICT  PAP:")
    before = "\n".join(lines[: lines.index("about headline")])
    for words in (
        "EMBARGO until 2027-05-24",
        "authorities of XA, XB alone",
        "source is withheld",
        "kept until 2027-06-22",
    ):
        assert words in before


@pytest.mark.parametrize(
    ("status", "lang", "words"),
    [
        (Status.EXERCISE, "en", "EXERCISE: THIS IS NOT REAL"),
        (Status.EXERCISE, "de", "ÜBUNG: DAS IST NICHT ECHT"),
        (Status.TEST, "el", "ΔΟΚΙΜΗ: ΔΕΝ ΕΙΝΑΙ ΠΡΑΓΜΑΤΙΚΟ"),
        (Status.ACTUAL, "en", ""),
    ],
)
def test_an_exercise_says_so_in_capitals(status: Status, lang: str, words: str) -> None:
    """An exercise and a test say in capitals, in the reader's language, that they are not real."""
    b = msgspec.structs.replace(bulletin_of("fimi"), status=status)
    assert sheet_of(b, KNOWN, lang).alert == words


def test_the_reader_gets_words_in_its_language() -> None:
    """Headline and summary are those of the reader's language, where the bulletin has it."""
    infos = tuple(Info(lang=lang, headline=f"head {lang}", summary="s") for lang in ("en", "de", "el"))
    b = msgspec.structs.replace(bulletin_of("fimi"), info=infos)
    assert [sheet_of(b, KNOWN, lang).headline for lang in ("de-AT", "el", "et")] == [
        "head de",
        "head el",
        "head en",
    ]


@pytest.mark.parametrize(
    ("lang", "sentence", "also"),
    [
        ("en", "Its words are in Greek; there are none in your language.", "also in Finnish, nb"),
        ("de", "Der Text ist auf Griechisch; in Ihrer Sprache gibt es keinen.", "auch auf Finnisch, nb"),
        ("fr", "Sa langue : grec.", "aussi dans ces langues : finnois, nb"),
        ("et", "Teksti keel: kreeka keel.", "ka järgmistes keeltes: soome keel, nb"),
    ],
)
def test_languages_are_called_by_their_names(lang: str, sentence: str, also: str) -> None:
    """Where a catalogue names them; any other by its tag."""
    infos = tuple(Info(lang=each, headline="h", summary="s") for each in ("el", "fi", "nb"))
    b = msgspec.structs.replace(bulletin_of("fimi"), info=infos)
    said = [text for entry in block(sheet_of(b, KNOWN, lang), "summary") for text in entry.text]
    assert any(sentence in each for each in said)
    assert also in said


def test_a_longer_tag_of_a_language_stands_beside_its_name() -> None:
    """Which of them it is may matter."""
    assert [sayings("de").language(tag) for tag in ("et", "ET", "et-EE", "nb-NO")] == [
        "Estnisch",
        "Estnisch",
        "Estnisch (et-EE)",
        "nb-NO",
    ]


@pytest.mark.parametrize(
    ("tags", "wanted", "found"),
    [
        (("en", "de"), "de-CH-1996", "de"),
        (("en", "de-AT"), "de", "de-AT"),
        (("fr", "en"), "et", "en"),
        (("fr", "sr-Latn"), "et", "fr"),
        (("sr-Cyrl", "sr-Latn"), "sr-Latn-RS", "sr-Latn"),
        (("fr", "fr-CA"), "fr-CA-x-desk", "fr-CA"),
    ],
)
def test_words_are_looked_up_as_rfc_4647_says(tags: tuple[str, ...], wanted: str, found: str) -> None:
    """A range is shortened from its end until a tag is met; then English, then the first."""
    infos = [Info(lang=tag, headline="h", summary="s") for tag in tags]
    assert chosen_info(infos, wanted).lang == found


@pytest.mark.parametrize(
    ("environment", "lang"),
    [
        ({"LC_ALL": "de_AT.UTF-8", "LANG": "el_GR.UTF-8"}, "de-AT"),
        ({"LC_ALL": "", "LANG": "el_GR.UTF-8"}, "el-GR"),
        ({"LANG": "fr"}, "fr"),
        ({"LANG": "C.UTF-8"}, "en"),
        ({"LANG": "POSIX"}, "en"),
        ({"LANG": "../../etc/passwd"}, "en"),
        ({}, "en"),
    ],
)
def test_the_environment_names_a_language(environment: dict[str, str], lang: str) -> None:
    """LC_ALL comes before LANG; the locale C is English."""
    assert language_of(environment) == lang


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        ("url", "https://a.example/x.y?z=a.b", "hxxps://a[.]example/x.y?z=a.b"),
        ("url", "HTTP://a.example", "HxxP://a[.]example"),
        ("url", "ftp://a.example/x", "ftp[:]//a[.]example/x"),
        ("url", "javascript:alert.x", "javascript:alert[.]x"),
        ("domain-name", "a.example", "a[.]example"),
        ("ipv4-addr", "192.0.2.1", "192[.]0[.]2[.]1"),
        ("ipv6-addr", "2001:db8::1", "2001[:]db8[:][:]1"),
        ("email-addr", "x@a.example", "x[at]a[.]example"),
        ("file", "a.exe", "a.exe"),
        ("text", "see https://a.example", "see hxxps://a[.]example"),
    ],
)
def test_observables_are_made_harmless(type_: str, value: str, shown: str) -> None:
    """No observable stands there so that a program makes a link of it."""
    assert defanged(type_, value) == shown


def test_an_unknown_word_is_shown_as_it_is() -> None:
    """A word that its vocabulary does not list is not translated, even where another vocabulary has it."""
    assert sayings("de").word("target-kind", "quantum-oracle") == "quantum-oracle"
    assert sayings("de").word("target-kind", "deepfake-audio") == "deepfake-audio"
    assert sayings("de").word("target-kind", "candidate") == "Kandidat"


@pytest.mark.parametrize("lang", TRANSLATED)
@pytest.mark.parametrize(
    "label", ["late", "contested", "by-date", "gap", "co-issuers-unconfirmed", "brand-new"]
)
def test_provenance_is_six_sentences(lang: str, label: str) -> None:
    """Who, when, how checked, by which key, when it came, what its trust means: one sentence each, labels as consequences."""
    known = msgspec.structs.replace(KNOWN, labels=(label,))
    said = block(sheet_of(bulletin_of("fimi"), known, lang), "trust")
    assert len(said) == 6
    assert all(entry.text[0].rstrip().endswith(".") for entry in said)


def test_what_was_not_checked_says_so() -> None:
    """Of a bulletin of which nothing is on record no sentence claims a check."""
    said = [entry.text[0] for entry in block(sheet_of(bulletin_of("fimi"), Known(now=NOW), "en"), "trust")]
    assert said[2] == "Its signature was not checked here: do not rely on it."
    assert "registry" not in " ".join(said)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("superseded", "UPDATED by X"),
        ("cancelled", "WITHDRAWN by X"),
        ("withdrawal", "A WITHDRAWAL"),
        ("", "IN FORCE"),
    ],
)
def test_the_standing_says_what_became_of_it(how: str, words: str) -> None:
    """What has ended a bulletin stands above its words."""
    b = msgspec.structs.replace(bulletin_of("fimi"), effective=None)
    known = msgspec.structs.replace(KNOWN, ended_how=how, ended_by="X")
    assert sheet_of(b, known, "en").standing.startswith(words)


def test_a_dispute_stands_above_the_words_until_it_is_settled() -> None:
    """Beside the standing, with who disputes it."""
    b = bulletin_of("fimi")
    assert sheet_of(b, KNOWN, "en").standing.endswith("; DISPUTED by xb-csirt")
    settled = msgspec.structs.replace(KNOWN, is_settled=True)
    assert "DISPUTED" not in sheet_of(b, settled, "en").standing


def test_what_is_due_and_over_is_marked() -> None:
    """An action whose time is over says OVERDUE."""
    b = bulletin_of("fimi")
    known = msgspec.structs.replace(KNOWN, now=ISSUED + dt.timedelta(days=1))
    assert "OVERDUE" in written(sheet_of(b, known, "en"))
    assert "OVERDUE" not in written(sheet_of(b, msgspec.structs.replace(KNOWN, now=ISSUED), "en"))


def test_lines_that_are_not_cleared_are_no_public_line() -> None:
    """Lines that wait for clearance say so before they are read."""
    b = bulletin_of("stratcom")
    b = msgspec.structs.replace(b, body=msgspec.structs.replace(b.body, cleared=False))
    assert "not cleared yet" in block(sheet_of(b, KNOWN, "en"), "public")[0].text[0]


def test_without_a_public_line_nothing_is_to_be_said() -> None:
    """A bulletin without a public line says that there is none, rather than leaving the block out."""
    b = msgspec.structs.replace(bulletin_of("fimi"), info=(Info(lang="en", headline="h", summary="s"),))
    assert [entry.text for entry in block(sheet_of(b, KNOWN, "en"), "public")] == [
        ("There is none: say nothing of it in public.",)
    ]


def test_what_is_sealed_says_for_whom() -> None:
    """A closed part names who may open it; an opened one is told in words."""
    parts = (
        SealedPart(label="names", recipients=("xb-dpa",), reason="not-a-recipient"),
        SealedPart(label="more", recipients=("xa-csirt",), content=bulletin_of("data-breach").body),
    )
    said = written(sheet_of(bulletin_of("fimi"), msgspec.structs.replace(KNOWN, parts=parts), "en"))
    assert "sealed to xb-dpa; not opened (not-a-recipient)" in said
    assert "opened here for you" in said


def test_greek_capitals_bear_no_accent() -> None:
    """Headings in Greek capitals are spelled as Greeks do; other languages keep their marks."""
    assert capitals("Τι πρέπει να γίνει") == "ΤΙ ΠΡΕΠΕΙ ΝΑ ΓΙΝΕΙ"
    assert capitals("Für é") == "FÜR É"


def test_of_many_observables_it_is_said_how_many_more() -> None:
    """Five hundred observables are counted, not all printed."""
    one = Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value="192.0.2.1")
    b = msgspec.structs.replace(bulletin_of("fimi"), observables=(one,) * 500)
    found = block(sheet_of(b, KNOWN, "en"), "observables")
    assert len(found) == 51
    assert found[-1].text == ("and 450 more; --json has all",)
