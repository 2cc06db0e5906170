"""Facts of a kind as fields and back: any body comes back to the byte, what is typed means what it says, what is wrong stands beside its field."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus import drafts
from bus.console.asked import MOST_FIELDS
from bus.console.pages import draft_facts
from bus.console.pages.draft_cells import Cell
from bus.console.pages.draft_facts import facts_of
from bus.console.pages.draft_form import FIELDS, begun, changed, field_of, of_draft, read, typed, typed_at
from bus.console.pages.draft_tables import tables_of
from bus.console.rendering import TEMPLATES
from bus.sheets import sayings
from schemas.bodies import KINDS
from schemas.codec import encode
from tests.support.consoles import HOSTILE
from tests.support.world import NOW
from tests.unit.schemas import shapes

GENTLY = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
KIND = st.sampled_from(drafts.DRAFTED)


def form(kind: str, **facts: str) -> dict[str, str]:
    """A form of a kind with these facts, a dot in a name as two underlines."""
    said = {f"facts.{name.replace('__', '.')}": text for name, text in facts.items()}
    return {**begun(kind, "green/community"), "headline": "A flood", "summary": "Since 18:40 UTC.", **said}


def body(fields: dict[str, str]) -> dict[str, Any]:
    """The facts that a form says, without their kind."""
    found = read(typed(fields), {})
    assert found.problems == ()
    said: dict[str, Any] = json.loads(found.raw)["body"]
    return {name: value for name, value in said.items() if name != "kind"}


def shown(held: dict[str, Any]) -> dict[str, str]:
    """The form of a draft with this body."""
    info = [{"lang": "en", "headline": "A", "summary": "B"}]
    document = {"info": info, "body": held, "tlp": "green", "audience": "community"}
    return of_draft(json.dumps(document).encode(), "", {})


@GENTLY
@given(KIND, st.data())
def test_any_facts_come_back_to_the_byte(kind: str, data: st.DataObject) -> None:
    """Whatever the types permit: odd texts, empty tables, words that no list has."""
    held = json.loads(encode(data.draw(shapes.struct(KINDS[kind]))))
    found = read(typed(shown(held)), {})
    assert found.problems == ()
    assert json.dumps(json.loads(found.raw)["body"]) == json.dumps(held)


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 5), st.floats(-1, 1), st.text(st.characters(codec="utf-8"), max_size=4),
    st.sampled_from(["yes", "1", "12.5 EUR", "a, b", "a\nb", " a", "known-affected"]), st.just({}), st.just([]),
    st.lists(st.sampled_from(["a", "a b", "", 5, {"text": "x"}, {"text": "x", "y": 1}]), max_size=3),
    st.dictionaries(st.sampled_from(["value", "currency", "actor", "degree", "z"]), st.sampled_from(["1", "EUR", 5, ""]), max_size=3),
)  # fmt: skip


@GENTLY
@given(KIND, st.data())
def test_no_value_of_a_wrong_type_is_lost_or_changed(kind: str, data: st.DataObject) -> None:
    """A draft that came from elsewhere may have anything in the place of a fact; what is as usual may be left out."""
    names = [*drafts.field_names(KINDS[kind])[1:], "of_no_kind"]
    held = data.draw(st.dictionaries(st.sampled_from(names), ODD, max_size=6))
    fields = typed(shown({"kind": kind, **held}))
    found = read(fields, {})
    assert found.problems == ()
    places = {*fields, *tables_of(kind)}
    for each in drafts.read(found.raw, NOW).findings:
        place = typed_at(fields, field_of(each.path, each.text))
        assert place in places or place.rpartition(".")[0] in tables_of(kind), each
    again = json.loads(found.raw)["body"]
    usual = {each.encode_name: each.default for each in drafts.info_of(KINDS[kind]).fields}
    for name, value in held.items():
        if name not in again:
            assert value is None or (type(value) is type(usual[name]) and value == usual[name]), name
        else:
            assert json.dumps(again[name]) == json.dumps(value)


@pytest.mark.parametrize(
    ("kind", "facts", "said"),
    [
        ("fimi", {"methods": "cloned-website, deepfake-video"}, {"methods": ["cloned-website", "deepfake-video"]}),
        ("fimi", {"amount": "12.50 eur"}, {"amount": {"value": "12.5", "currency": "EUR"}}),
        ("fimi", {"abcde__actor": "Unknown."}, {"abcde": {"actor": "Unknown."}}),
        ("fimi", {"exposed": "1"}, {"exposed": True}),
        ("fimi", {"reach": "12000", "breakout": ""}, {"reach": 12000}),
        ("fimi", {"impersonated": " A, of B \n\n C"}, {"impersonated": ["A, of B", "C"]}),
        ("vulnerability", {"score_x10": "9.8", "status": "known-affected"}, {"score_x10": 98}),
        ("vulnerability", {"score_x10": "9", "status": "fixed"}, {"score_x10": 90, "status": "fixed"}),
        ("election-incident", {"electorate_share_ppm": "2,5"}, {"electorate_share_ppm": 25_000}),
        ("cyber-incident", {"significant": "no", "cross_border": "yes"}, {"significant": False, "cross_border": True}),
        ("legal-referral", {"presumption": "yes", "judicial_secrecy": "no"}, {"judicial_secrecy": False}),
        ("situation-report", {"dimensions__0__note": "x", "dimensions__0__incidents": "3"}, {"dimensions": [{"incidents": 3, "note": "x"}]}),
        ("sanctions-listing", {"listed__0__names": "A\nB"}, {"listed": [{"names": [{"whole": "A"}, {"whole": "B"}]}]}),
        ("election-calendar", {"windows__0__area__name": "The island"}, {"windows": [{"area": {"name": "The island"}}]}),
    ],
)  # fmt: skip
def test_what_is_typed_is_what_a_draft_says(kind: str, facts: dict[str, str], said: dict[str, Any]) -> None:
    """Each shape of a field; what is usual is left out."""
    assert body(form(kind, **facts)) == said


@pytest.mark.parametrize(
    ("kind", "facts", "field", "words"),
    [
        ("fimi", {"reach": "12.000"}, "facts.reach", "a whole number in digits"),
        ("fimi", {"reach": "many"}, "facts.reach", "a whole number in digits"),
        ("fimi", {"reach": "9" * 17}, "facts.reach", "a whole number in digits"),
        ("fimi", {"reach": "\u0661\u0662"}, "facts.reach", "a whole number in digits"),
        ("fimi", {"amount": "12.5"}, "facts.amount", "and the currency"),
        ("fimi", {"amount": "1,500 EUR"}, "facts.amount", "and the currency"),
        ("vulnerability", {"score_x10": "9.85"}, "facts.score_x10", "at most one digit"),
        ("vulnerability", {"score_x10": "-1"}, "facts.score_x10", "write a number"),
        ("vulnerability", {"exploited": "perhaps"}, "facts.exploited", "yes or no"),
        ("situation-report", {"dimensions__2__incidents": "few"}, "facts.dimensions.2.incidents", "in digits"),
        ("situation-report", {"dimensions__2__more": "x ="}, "facts.dimensions.2.more", "cannot be read"),
        ("situation-report", {"dimensions__2__more": "major = 1"}, "facts.dimensions.2.more", "a field of its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_in_which_field(
    kind: str, facts: dict[str, str], field: str, words: str
) -> None:
    """And there is no draft; what was typed stays."""
    fields = typed(form(kind, **facts))
    found = read(fields, {})
    assert found.raw == b""
    assert [each.field for each in found.problems] == [field]
    assert words in found.problems[0].text
    assert field in fields


def test_a_fact_stands_in_its_field_or_in_the_text() -> None:
    """In both it would be read twice; a field that says what is usual is none."""
    fields = form("vulnerability", status="fixed") | {"facts": 'status = "known-affected"\nscore_x10 = 98'}
    assert [(each.field, each.text.split(" ")[0]) for each in read(fields, {}).problems] == [
        ("facts", "status")
    ]
    fields = form("vulnerability", status="known-affected") | {"facts": 'status = "fixed"'}
    assert body(fields) == {"status": "fixed"}
    assert shown({"kind": "vulnerability", "status": "fixed"})["facts.status"] == "fixed"
    rows = form("fimi", narratives__0__text="A") | {"facts": '[[narratives]]\ntext = "B"'}
    assert body(rows) == {"narratives": [{"text": "A"}, {"text": "B"}]}


WRONG = form(
    "situation-report", period_start="today", posture="purple", dimensions__1__dimension="cybercrime",
    dimensions__4__dimension="weather", dimensions__4__incidents="1", turnout_ppm="250",
) | {"facts": 'by = ["x y"]\nodd = 1'}  # fmt: skip


def test_what_rules_find_stands_beside_the_field() -> None:
    """That of a value, of a row, of what is missing; beside the text for what stands there."""
    look = drafts.read(read(typed(WRONG), {}).raw, NOW)
    found = {typed_at(WRONG, field_of(each.path, each.text)): each.text for each in look.findings}
    assert set(found) == {
        "facts.period_start", "facts.period_end", "facts.posture", "facts.dimensions.1.incidents", "facts.dimensions.4.dimension",
        "facts.turnout_ppm", "facts",
    }  # fmt: skip
    assert field_of("$.body.kind") == "to"


def test_two_who_differ_see_in_which_fact() -> None:
    """Of values and of rows."""
    mine = form("fimi", reach="1", narratives__0__text="A")
    theirs = form("fimi", reach="2", narratives__0__text="B")
    assert list(changed(theirs, mine)) == [("facts.reach", "2", "1"), ("facts.narratives.0.text", "B", "A")]


@pytest.mark.parametrize("text", HOSTILE)
def test_words_that_attack_stay_words_in_facts(text: str) -> None:
    """In each kind of field that takes words."""
    fields = form(
        "fimi", name=text, scope=text, abcde__actor=text, impersonated=text, narratives__0__text=text
    )
    said = body(fields)
    assert (said["name"], said["scope"], said["abcde"]["actor"], said["impersonated"]) == (
        text,
        text,
        text,
        [text],
    )
    assert said["narratives"] == [{"text": text}]
    assert body(shown({"kind": "fimi", **said})) == said


def test_boxes_keep_the_order_of_the_draft() -> None:
    """A browser sends them in the order of the page: those of the draft first, one that no list has, too."""
    (cell,) = (each for each in facts_of("fimi").cells if each.name == "methods")
    boxes = cell.boxes("of-no-list, website-cloning", sayings("en").word)
    assert boxes[:2] == [("of-no-list", "of-no-list", True), ("website-cloning", "cloned website", True)]
    assert {word for word, _, chosen in boxes if not chosen} == {*cell.words} - {"website-cloning"}


def test_the_longest_form_is_not_too_long() -> None:
    """With every row that it may have, every box ticked, and what the console sends with any form."""

    def sent(cell: Cell) -> int:
        return len(cell.words) if cell.shape == "choices" else 1

    for kind in drafts.DRAFTED:
        rows = (table.most * (1 + sum(map(sent, table.cells))) for table in tables_of(kind).values())
        assert len(FIELDS) + 5 + sum(map(sent, facts_of(kind).cells)) + sum(rows) <= MOST_FIELDS, kind


def test_the_form_has_a_field_for_every_fact() -> None:
    """Of every kind that a person drafts; what is said of single facts, and which come first, names facts that are there."""
    template = TEMPLATES.joinpath("draft-rows.html").read_text("utf-8")
    hinted = {(kind, name) for kind, name in re.findall(r'"([\w-]+)\.(\w+)": _\(', template) if kind in KINDS}
    assert len(hinted) > 20
    first = {(kind, name) for kind, names in draft_facts._COMMON.items() for name in names.split()}
    for kind in drafts.DRAFTED:
        assert facts_of(kind).own == set(drafts.field_names(KINDS[kind])) - {"kind"}
        assert begun(kind, "")["facts"] == ""
        names = {each.name for each in facts_of(kind).cells}
        assert {name for of, name in hinted | first if of == kind} <= names
