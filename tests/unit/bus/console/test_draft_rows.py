"""Lists of a draft as rows and back: what is typed stands in the draft, what no row can say is kept, and what is wrong stands beside its row."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import drafts
from bus.console.pages import draft_rows
from bus.console.pages.draft_form import begun, of_draft, read, typed
from bus.console.pages.draft_lists import PARTS
from bus.console.pages.draft_rows import PASTE, added, removed, rows, spread, typed_at
from bus.console.pages.draft_tables import TABLES
from schemas.vocab import PersonalFlag
from tests.support.consoles import HOSTILE
from tests.support.world import NOW

ID = "0198c0de-0000-7000-8000-000000000001"
WHOLE: dict[str, str] = {
    "info.0.lang": "et", "info.0.headline": "Ujutus", "info.0.summary": "Üks.\nKaks.", "info.0.web": "https://xa.example/",
    "observables.0.value": "https://evil.example/a", "observables.0.type": "url", "observables.0.role": "content",
    "observables.0.personal": "none", "observables.0.actionable": "1", "observables.0.note": "Seen once.",
    "observables.0.platform": "telegram", "observables.0.count": "3",
    "observables.1.value": "192.0.2.41", "observables.1.type": "ipv4-addr", "observables.1.role": "infrastructure", "observables.1.personal": "pseudonymous",
    "actions.0.text": "Block it.", "actions.0.kind": "block-indicator", "actions.0.to": "csirt, xa-emb", "actions.0.due": "2027-05-23T20:00:00Z",
    "references.0.id": ID, "references.0.rel": "same-incident", "references.0.issuer": "xa-emb",
    "personal_data.0.purpose": "Stop it", "personal_data.0.lawful_basis": "celex:32016R0679#6.1.e",
    "personal_data.0.retention_until": "2027-08-01", "personal_data.0.flag": "pseudonymous", "personal_data.0.categories": "location",
}  # fmt: skip


def form(**of: str) -> dict[str, str]:
    """A form of a cyber threat that can be read; with these fields, too, a dot as two underlines."""
    return {
        **begun("cyber-threat", "green/community"),
        "headline": "A flood",
        "summary": "Sources in 192.0.2.0/24.",
        "facts": 'title = "Flood"',
        **{name.replace("__", "."): value for name, value in of.items()},
    }


def document(fields: dict[str, str]) -> dict[str, Any]:
    """The draft that a form says."""
    found = read(typed(fields), {})
    assert found.problems == ()
    said: dict[str, Any] = json.loads(found.raw)
    return said


def in_rows(fields: dict[str, str]) -> dict[str, str]:
    """The fields of rows that say something."""
    return {name: fields[name] for name in draft_rows.names(fields) if fields[name]}


def test_a_form_with_every_list_is_a_draft_and_the_same_form_again() -> None:
    """Each cell, and what a row has in TOML."""
    fields = form(**WHOLE)
    said = read(typed(fields), {})
    assert drafts.read(said.raw, NOW).findings == ()
    again = of_draft(said.raw, "", {})
    assert in_rows(again) == WHOLE
    assert read(again, {}).raw == said.raw


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=12)
CELLS = [f"{t.name}.{n}.{cell}" for t in TABLES.values() for n in (0, 3) for cell in t.blank]


@given(
    st.dictionaries(st.sampled_from(CELLS), st.one_of(TEXT, st.sampled_from(["url", "none", 'x = "y"', ID])))
)
def test_whatever_is_typed_comes_back_or_is_refused_beside_its_row(cells: dict[str, str]) -> None:
    """A form says one draft, the form of that draft says the same one; else a row of the form is named."""
    fields = typed({**form(), **cells})
    found = read(fields, {})
    if found.problems:
        assert {each.field.rpartition(".")[0] for each in found.problems} <= {
            n.rpartition(".")[0] for n in fields
        } | {"personal_data"}
        return
    again = of_draft(found.raw, "", {})
    assert read(typed(again), {}).raw == found.raw


KNOWN = {name: [*TABLES[name].blank, *TABLES[name].others] for name in TABLES}
VALUE = st.one_of(
    TEXT, st.sampled_from(["url", "hxxp://evil[.]example", "infrastructure", " a ", "a\rb", "a\nb"]), st.booleans(),
    st.integers(-5, 5), st.lists(TEXT, max_size=2), st.dictionaries(st.sampled_from("ab"), TEXT, max_size=2),
)  # fmt: skip
ENTRY = st.one_of(
    VALUE,
    *(st.dictionaries(st.sampled_from(sorted(set(names))), VALUE, max_size=4) for names in KNOWN.values()),
)


@given(st.dictionaries(st.sampled_from([*PARTS]), st.one_of(VALUE, ENTRY, st.lists(ENTRY, max_size=4))))
def test_nothing_of_any_draft_is_lost_in_its_form(lists: dict[str, Any]) -> None:
    """Whatever stands where a list belongs: rows, and what they cannot say in the text, are the same draft in the same order."""
    first = {"lang": "en", "headline": "A", "summary": "B"}
    more = lists.pop("info", [])
    held = {
        "info": [first, *(more if isinstance(more, list) else [])],
        "body": {"kind": "cyber-threat", "title": "x"}, "tlp": "green", "audience": "community", **lists,
    }  # fmt: skip
    fields = of_draft(msgspec.json.encode(held), "", {})
    again = read(typed(fields), {})
    assert again.problems == ()
    said = json.loads(again.raw)
    for name in PARTS:
        assert _plain(name, said.get(name)) == _plain(name, held.get(name))


def _plain(name: str, held: Any) -> Any:
    """A list without what every reader takes for the same: what is empty, and what is usual."""
    if isinstance(held, list):
        return [_plain(name, each) for each in held] or None
    if not isinstance(held, dict) or not held:
        return held or None
    usual = {("role", "infrastructure"), ("notify_affected", "True"), ("round", "1")}
    found = {key: each for key, each in held.items() if each is not False and (key, str(each)) not in usual}
    if name == "personal_data":
        found.pop("flag", None)  # follows from the observables where nobody has chosen it
    return found


@pytest.mark.parametrize(
    ("typed_value", "type_", "value", "personal"),
    [
        ("hxxps://evil[.]example/a", "url", "https://evil.example/a", "none"),
        ("192[.]0[.]2[.]41", "ipv4-addr", "192.0.2.41", "pseudonymous"),
        ("Evil[.]Example", "domain-name", "evil.example", "none"),
        ("a[at]evil[.]example", "email-addr", "a@evil.example", "personal"),
        ("D41D8CD98F00B204E9800998ECF8427E", "file", "d41d8cd98f00b204e9800998ecf8427e", "none"),
    ],
)
def test_a_value_shows_what_it_is(typed_value: str, type_: str, value: str, personal: str) -> None:
    """Typed in a row without a type, or pasted among others; defanged or not."""
    row = document(form(observables__0__value=typed_value))["observables"]
    pasted, first = spread(form(observables__paste=f"\n  {typed_value} \n"))
    assert first == "observables.0.value"
    assert row == document(pasted)["observables"] == [{"value": value, "type": type_, "personal": personal}]


def test_a_chosen_type_stays_and_its_value_is_put_right() -> None:
    """A text is what was typed, even where it looks defanged."""
    fields = form(observables__0__value="evil[.]example", observables__0__type="domain-name",
                  observables__1__value="evil[.]example", observables__1__type="text")  # fmt: skip
    assert [each["value"] for each in document(fields)["observables"]] == ["evil.example", "evil[.]example"]


def test_lines_that_show_nothing_become_rows_that_ask_for_a_type() -> None:
    """No line is lost, those beyond the last row neither; each says what to do."""
    fields, _ = spread(
        form(observables__paste="\n".join(["strange thing", *(f"host-{n}.example" for n in range(120))]))
    )
    table = TABLES["observables"]
    assert len(rows(fields, table)) == table.most
    assert fields[PASTE].split("\n")[-1] == "host-119.example"
    assert [(each.field, each.text.partition(";")[0]) for each in read(fields, {}).problems] == [
        ("observables.0.type", "nothing shows what this value is"), (PASTE, "no further row has room"),
    ]  # fmt: skip


def test_rows_are_added_and_taken_out() -> None:
    """Up to as many as may be; what is called like no row changes nothing."""
    fields, first = added(form(), "actions")
    assert first == "actions.0.text"
    fields, _ = added({**fields, "actions.0.text": "Wait."}, "actions")
    assert [n for n, _ in rows(fields, TABLES["actions"])] == [0, 1]
    assert [n for n, _ in rows(removed(fields, "actions.0")[0], TABLES["actions"])] == [1]
    for odd in ("actions", "", "actions.x", "headline", "actions.0.text"):
        assert removed(fields, odd) == (fields, "")
    for _ in range(40):
        fields, _ = added(fields, "actions")
    assert (len(rows(fields, TABLES["actions"])), added(fields, "actions")[1]) == (30, "")


def test_more_rows_than_a_form_has_are_refused_with_what_to_do() -> None:
    """However they were sent."""
    many = {f"references.{n}.id": ID for n in range(51)}
    found = read(typed({**form(), **many}), {})
    assert [(each.field, "at most 50" in each.text) for each in found.problems] == [("references", True)]


@pytest.mark.parametrize(
    ("of", "field", "words"),
    [
        ({"observables__2__value": "strange"}, "observables.2.type", "choose its type"),
        ({"actions__0__text": "x", "actions__0__more": "due ="}, "actions.0.more", "cannot be read"),
        (
            {"actions__0__text": "x", "actions__0__more": "x = " + "1" * 5000},
            "actions.0.more",
            "too many digits",
        ),
        ({"more": "x = " + "1" * 5000}, "more", "too many digits"),
        (
            {"actions__0__text": "x", "actions__0__more": 'text = "y"'},
            "actions.0.more",
            "a field of its own in this row",
        ),
        ({"observables__0__value": "a.example", "more": "observables = 5"}, "more", "[[observables]]"),
        ({"personal_data__0__purpose": "x", "more": "personal_data = {}"}, "more", "keep one of the two"),
    ],
)
def test_what_cannot_be_read_says_in_which_row(of: dict[str, str], field: str, words: str) -> None:
    """And there is no draft."""
    found = read(typed(form(**of)), {})
    assert found.raw == b""
    assert [each.field for each in found.problems] == [field]
    assert words in found.problems[0].text


def test_a_row_says_no_more_than_its_entry() -> None:
    """What a new row begins with is not put into one that is there."""
    held = {"body": {"kind": "cyber-threat"}, "personal_data": {"purpose": "x", "flag": "personal"}}
    fields = of_draft(json.dumps(held).encode(), "", {})
    assert (fields["personal_data.0.purpose"], fields["personal_data.0.lawful_basis"]) == ("x", "")


def test_a_finding_stands_beside_the_row_that_says_the_entry() -> None:
    """Empty rows are no entries; what no row says stands in the text."""
    fields = typed(
        form(
            observables__1__role="infrastructure",
            observables__4__value="a.example",
            observables__7__value="b.example",
        )
    )
    assert [typed_at(fields, f"observables.{n}.value") for n in range(3)] == [
        "observables.4.value",
        "observables.7.value",
        "more",
    ]
    assert typed_at(fields, "headline") == "headline"
    assert typed_at(fields, "personal_data.0.flag") == "personal_data"


def test_rows_and_entries_of_the_text_are_one_list() -> None:
    """Those of the rows first."""
    fields = form(
        observables__0__value="a.example",
        more='[[observables]]\ntype = "text"\nvalue = "x"\npersonal = "none"\nfirst_seen = "odd"',
    )
    assert [each["value"] for each in document(fields)["observables"]] == ["a.example", "x"]


def test_the_address_of_a_page_names_its_bulletin() -> None:
    """Of this console or of another; anything else stays as it was typed."""
    for text in (f"https://console.example/b/{ID}", f"/i/{ID}?x=1#others", ID):
        assert (
            document(form(references__0__id=text, references__0__rel="caused-by"))["references"][0]["id"]
            == ID
        )
    assert document(form(references__0__id="javascript:x"))["references"][0]["id"] == "javascript:x"


def test_personal_data_are_flagged_as_the_most_personal_observable() -> None:
    """Unless somebody has chosen."""
    of = {
        "personal_data__0__purpose": "x",
        "observables__0__value": "a@evil.example",
        "observables__1__value": "192.0.2.1",
    }
    assert document(form(**of))["personal_data"]["flag"] == PersonalFlag.PERSONAL
    chosen = document(form(**of, personal_data__0__flag="criminal-offence"))
    assert chosen["personal_data"]["flag"] == PersonalFlag.CRIMINAL_OFFENCE


@pytest.mark.parametrize("text", HOSTILE)
def test_words_that_attack_stay_words_in_rows(text: str) -> None:
    """In every cell that takes words."""
    fields = form(**{
        "observables.0.value": text, "observables.0.type": "text", "observables.0.note": text, "observables.1.value": text, "observables.1.type": text,
        "actions.0.text": text, "actions.0.kind": text, "references.0.id": text, "references.0.issuer": text, "info.0.headline": text, "info.0.lang": text,
    })  # fmt: skip
    said = document(fields)
    first = said["observables"][0]
    assert (first["value"], first["note"]) == (text, text)
    assert (said["observables"][1]["type"], said["actions"][0]["kind"], said["info"][1]["headline"]) == (
        text,
        text,
        text,
    )
    assert read(of_draft(read(typed(fields), {}).raw, "", {}), {}).raw == read(typed(fields), {}).raw
