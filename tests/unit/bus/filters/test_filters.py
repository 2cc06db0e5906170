"""One grammar of filters: read as it is written, refused in one sentence, and answered alike by a stream and by a store."""

from __future__ import annotations

import datetime as dt
import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bus.errors import FilterError
from bus.filters import FIELDS, Selection, of_options, of_text, question_of
from bus.filters.sayings import norm, observed, said, words_in
from bus.hub.picture import index
from bus.storage import insert_rows
from schemas.bodies import KINDS
from schemas.bulletin import Bulletin
from schemas.parts import Area, ElectionRef, Evidence, Info, Observable
from schemas.vocab import Dimension, Domain, ElectionType, PersonalFlag, Phase, Severity, Urgency
from tests.support.filled import ISSUED, bulletin_of

NOW = ISSUED + dt.timedelta(hours=3)
INCIDENTS = (
    "018f3c5e-7d3a-7000-8000-0000000000aa",
    "018f3c5e-7d3a-7000-8000-0000000000ab",
    "018f9999-7d3a-7000-8000-0000000000ac",
)
WORDS = (
    "false date",
    "Wahltag verschoben",
    "ΨΕΥΔΗΣ ημερομηνία",
    "x_y Straße",
    "a\u0301b",
    "flood",
    "date, false",
    "選挙 dates",
)
VALUES = (
    "evil.example",
    "https://evil.example/a?b=1",
    "A@Evil.Example",
    "192.0.2.1",
    'text, with "quotes"',
    "http://[bad",
)


def changed(n: int, **of: object) -> Bulletin:
    """One of a few bulletins that differ in what can be asked for."""
    return msgspec.structs.replace(
        bulletin_of(sorted(KINDS)[n % len(KINDS)]), id=f"018f3c5e-7d3a-7000-8000-{n:012x}", **of
    )


@st.composite
def bulletins(draw: st.DrawFn) -> Bulletin:
    """Bulletins of all kinds, with values of which filters ask for some."""
    n = draw(st.integers(0, 200))
    seen = draw(st.lists(st.sampled_from(VALUES), max_size=2))
    areas = draw(
        st.lists(
            st.sampled_from(
                (
                    Area(scope="country", country="XA"),
                    Area(scope="eu"),
                    Area(scope="region", country="XB", code="XB123", system="nuts-2024"),
                    Area(scope="region", country="XB", code="XB-1", system="iso3166-2"),
                )
            ),
            min_size=1,
            max_size=3,
        )
    )
    election = draw(st.sampled_from((None, "xa-parl-2027", "xb-pres-2027")))
    return changed(
        n,
        info=(Info(lang="en", headline=draw(st.sampled_from(WORDS)), summary=draw(st.sampled_from(WORDS))),),
        dimensions=tuple(
            draw(st.lists(st.sampled_from(list(Dimension)), min_size=1, max_size=2, unique=True))
        ),
        areas=tuple(areas),
        severity=draw(st.sampled_from(list(Severity))),
        urgency=draw(st.sampled_from(list(Urgency))),
        issuer=msgspec.structs.replace(
            bulletin_of("fimi").issuer,
            id=draw(st.sampled_from(("xa-csirt", "xb-emb"))),
            domain=draw(st.sampled_from(list(Domain))),
            country=draw(st.sampled_from(("XA", "XB"))),
        ),
        audience=draw(st.sampled_from(("community", "eu-csirts"))),
        incident_id=draw(st.sampled_from((None, *INCIDENTS))),
        election=None
        if election is None
        else ElectionRef(id=election, type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING),
        observables=tuple(Observable(type="url", personal=PersonalFlag.NONE, value=value) for value in seen),
        issued=ISSUED + dt.timedelta(minutes=draw(st.integers(0, 180))),
    )


def some(*values: str) -> st.SearchStrategy[list[str]]:
    """None, one or two of these."""
    return st.lists(st.sampled_from(values), max_size=2)


OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "domain": some(*map(str, Domain)),
        "kind": some(*KINDS),
        "dimension": some(*map(str, Dimension), "ai"),
        "country": some("XA", "xb", "EU"),
        "area": some("XA", "XB", "EU"),
        "region": some("xb1", "XB12", "xb-1", "xb123"),
        "election": some("xa-parl-2027", "xb-pres-2027"),
        "audience": some("community", "eu-csirts"),
        "priority": some("p1", "p2+", "p3,p4"),
        "issuer": some("xa-csirt", "xb-emb"),
        "incident": some(INCIDENTS[0], "018f", "018f3c5e"),
        "text": some(
            "false",
            "false date",
            "DATE",
            "dat*",
            "psi",
            "ημερομηνια",
            "strasse",
            "ab",
            "verschoben false",
            "選*",
        ),
        "observable": some("evil.example", "hxxps://evil[.]example/a?b=1", "a[at]evil.example", "192.0.2.1"),
        "since": st.sampled_from((["1h"], ["10800s"], ["all"], ["now"])),
    },
)


@contextmanager
def store_of(made: list[Bulletin]) -> Iterator[sqlite3.Connection]:
    """The tables of the index with these bulletins in them, by their number."""
    db = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statement in filter(str.strip, index.SCHEMA.split(";\n")):
            db.execute(statement)
        db.execute("CREATE TABLE actual (row INTEGER PRIMARY KEY, issued REAL)")
        index._write(db, list(enumerate(made, 1)))
        insert_rows(
            db,
            "INSERT INTO actual (row, issued)",
            "(?, ?)",
            [(n, b.issued.timestamp()) for n, b in enumerate(made, 1)],
        )
        yield db
    finally:
        db.close()


@settings(max_examples=60)
@given(made=st.lists(bulletins(), min_size=1, max_size=8), asked=st.lists(OPTIONS, min_size=1, max_size=8))
def test_a_stream_and_a_store_select_the_same(
    made: list[Bulletin], asked: list[dict[str, list[str]]]
) -> None:
    """Whatever is asked for, `matches` and the SQL over the tables come to the same bulletins."""
    with store_of(made) as db:
        for options in asked:
            selection = of_options(options)
            question = question_of(selection, NOW)
            rows = db.execute(
                f"SELECT row FROM actual WHERE {question.where} ORDER BY row", question.arguments
            )
            expected = [n for n, b in enumerate(made, 1) if selection.matches(b, NOW)]
            assert [row[0] for row in rows] == expected, str(selection)


@settings(max_examples=60)
@given(text=st.text(max_size=60), other=st.text(max_size=20), phrase=st.text(min_size=1, max_size=12))
@example("false", "date", "false date")
@example("ﬁne ΑΣ İ ß", "", "fine*")
@example("a\x00b \ue000 c", "d", "b c")
@example("x" * 100, "", "x" * 70)
def test_any_words_are_found_alike(text: str, other: str, phrase: str) -> None:
    """Whatever the script, a stream and FTS5 agree on which words stand next to each other, and no phrase goes across two texts."""
    b = changed(0, info=(Info(lang="en", headline=text, summary=other),))
    try:
        selection = of_options({"text": [phrase]})
    except FilterError:
        return
    with store_of([b]) as db:
        question = question_of(selection, NOW)
        found = db.execute(
            f"SELECT count(*) FROM actual WHERE {question.where}", question.arguments
        ).fetchone()[0]
    assert bool(found) == selection.matches(b, NOW)


@given(OPTIONS)
def test_a_filter_is_read_as_it_is_written(options: dict[str, list[str]]) -> None:
    """What a filter prints of itself reads back as the same filter."""
    selection = of_options(options)
    assert of_text(str(selection)) == selection


@settings(max_examples=120)
@given(st.text(max_size=60))
def test_no_line_is_a_fault(line: str) -> None:
    """Any line is a filter or is refused with a sentence; what is a filter is written so that it reads back."""
    try:
        selection = of_text(line)
    except FilterError as exc:
        assert exc.reason == "filter-malformed"
        assert "\n" not in str(exc)
    else:
        assert of_text(str(selection)) == selection


@pytest.mark.parametrize(
    ("line", "selection"),
    [
        ("", Selection()),
        ("kind:data-breach country:xa", Selection(kind=("data-breach",), country=("XA",))),
        ("priority:p1,p2", Selection(priority=("p1", "p2"))),
        ("priority:p2+ priority:p4", Selection(priority=("p1", "p2", "p4"))),
        ('text:"False  Date" since:2h', Selection(text=("false date",), since_s=7200)),
        ("deepfake* vote", Selection(text=("deepfake*", "vote"))),
        ("observable:hxxps://Evil[.]example/", Selection(observable=("https://evil.example",))),
        ('observable:"a,b"', Selection(observable=("a,b",))),
        ("dim:ai by:xa-csirt", Selection(dimension=("ai-misuse",), issuer=("xa-csirt",))),
        ("KIND:FIMI region:XA12", Selection(kind=("fimi",), region=("xa12",))),
        ("since:all", Selection()),
    ],
)
def test_lines_are_read(line: str, selection: Selection) -> None:
    """Fields, commas, quotes, spans, other names, small and large letters."""
    assert of_text(line) == selection


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("kind:data-braech", "there is no kind 'data-braech'; did you mean 'data-breach'?"),
        ("knid:fimi", "there is no field 'knid' to filter by; did you mean 'kind'?"),
        (
            "dimension:desinformation",
            "there is no dimension 'desinformation'; did you mean 'disinformation'?",
        ),
        ("priority:p9", "there is no priority 'p9'; there are: p1, p2, p3, p4"),
        ("country:xax", "country takes two letters, EU or INT, not 'XAX'"),
        ("election:2027", "election takes an id such as xa-parl-2027, not '2027'"),
        ("issuer:nobody", "issuer takes the id of an authority such as xa-csirt, not 'nobody'"),
        ("incident:zz", "incident takes an id, or at least its first 4 characters, not 'zz'"),
        ("since:yesterday", "since takes all, or a span such as 30m, 2h or 7d, not 'yesterday'"),
        ("text:---", "no word to look for in '---'"),
        ('text:"open', "cannot read 'text:\"open': close the quote, and put quotes around whole words only"),
        ("a" * 9000, "a filter has at most 8000 characters"),
        ("text:a\udc80", "text holds bytes that are not text"),
    ],
)
def test_mistakes_are_told_in_one_sentence(line: str, sentence: str) -> None:
    """What is wrong, and the nearest word or the shape."""
    with pytest.raises(FilterError, match=f"^{re.escape(sentence)}$"):
        of_text(line)


def test_every_field_can_be_asked_for() -> None:
    """A filter has a field for each name of the grammar."""
    assert {name.removesuffix("_s") for name in Selection.__struct_fields__} == set(FIELDS)


def test_one_value_of_a_field_fits_all_fields_must() -> None:
    """Values of a field are alternatives, fields are conditions, texts all have to stand there."""
    b = changed(0, info=(Info(lang="en", headline="false date", summary="flood"),), audience="community")
    assert of_text("audience:eu-csirts,community").matches(b, NOW)
    assert not of_text("audience:community issuer:xb-emb").matches(b, NOW)
    assert of_text("false flood").matches(b, NOW)
    assert not of_text("false nothing").matches(b, NOW)


def test_a_country_is_whose_it_is_or_whom_it_is_about() -> None:
    """`country` asks for both, `area` for what it is about alone."""
    b = changed(0, areas=(Area(scope="country", country="XB"),))
    assert of_text("country:xa").matches(b, NOW)
    assert of_text("country:xb").matches(b, NOW)
    assert not of_text("area:xa").matches(b, NOW)


def test_a_value_has_one_spelling() -> None:
    """Defanged or not, in whatever letters: the same."""
    assert norm(" HXXPS://Evil[.]Example/ ") == norm("https://evil.example") == "https://evil.example"
    assert norm("/") == "/"


def test_of_an_address_its_host_is_found_too() -> None:
    """A domain finds the addresses and mailboxes on it; an evidence is found by its hash."""
    one = Observable(type="url", personal=PersonalFlag.NONE, value="https://a@Evil.example:8443/x")
    proof = Evidence(title="t", sha256="ab" * 32, media_type="text/plain", size=1)
    values = {value for value, _, _ in observed(changed(0, observables=(one,), evidence=(proof,)))}
    assert {"evil.example", "https://a@evil.example:8443/x", "ab" * 32} <= values


def test_words_have_no_marks_and_no_case() -> None:
    """Accents, case and punctuation make no difference; an underscore parts words."""
    assert words_in("Ψεύδης, ÄÖ-Straße_x 2027!") == ["ψευδησ", "ao", "strasse", "x", "2027"]


def test_facts_are_of_the_grammar() -> None:
    """Each fact has a field that can be asked for, but for the marking, which a ceiling asks for."""
    assert {field for field, _ in said(bulletin_of("fimi"))} <= {*FIELDS, "tlp"}
