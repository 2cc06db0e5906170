"""A draft as a form and back: nothing is lost, nothing is changed that was not typed, and what cannot be read says where."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import drafts
from bus.console.pages.draft_form import FIELDS, begun, changed, field_of, of_draft, read, typed
from bus.console.pages.draft_tables import TABLES
from schemas.codec import encode
from schemas.parts import Area, ElectionRef, Info, Observable
from schemas.vocab import ElectionType, PersonalFlag, Phase
from tests.support.consoles import HOSTILE
from tests.support.world import NOW, bulletin, draft, shared_world

ELECTION = ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING)
KNOWN = {ELECTION.id: ELECTION}
TEXTS = ("headline", "summary", "instruction", "public_line", "web", "incident_id", "exercise_id", "expires")
HELD = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r"), min_size=1, max_size=60
).map(str.strip)


def form(**of: str) -> dict[str, str]:
    """A form of a cyber threat that can be read."""
    return {
        **begun("cyber-threat", "green/community"),
        "headline": "A flood",
        "summary": "Sources in 192.0.2.0/24.",
        "facts": 'title = "Flood"',
        **of,
    }


@given(st.dictionaries(st.sampled_from(TEXTS), HELD))
def test_what_is_typed_stands_in_the_draft_and_in_the_form_again(words: dict[str, str]) -> None:
    """Whatever the letters, those that nobody sees too."""
    fields = form(**words)
    found = read(typed(fields), KNOWN)
    assert found.problems == ()
    again = of_draft(found.raw, "", KNOWN)
    assert {name: again[name] for name in words} == words
    assert read(again, KNOWN).raw == found.raw


@pytest.mark.parametrize("text", HOSTILE)
def test_words_that_attack_stay_words(text: str) -> None:
    """In the texts in TOML too."""
    facts = drafts.table_text({"title": text, "detection": [text]})
    more = drafts.table_text({"labels": [text], "things": [{"kind": text, text: text}]})
    found = read(form(headline=text, facts=facts, more=more), KNOWN)
    document = json.loads(found.raw)
    assert document["body"] == {"kind": "cyber-threat", "title": text, "detection": [text]}
    assert document["things"] == [{"kind": text, text: text}]
    again = of_draft(found.raw, "", KNOWN)
    assert read(again, KNOWN).raw == found.raw


def test_an_own_bulletin_comes_back_whole_as_an_update() -> None:
    """Every field of it, those for which the form has none too; and it refers to what it updates."""
    said = draft(
        "Flood",
        info=(
            Info(lang="en", headline="Flood", summary="One."),
            Info(lang="et", headline="Ujutus", summary="Üks."),
        ),
        areas=(Area(scope="national", country="XA"), Area(scope="country", country="XB")),
        election=ELECTION,
        observables=(Observable(type="ipv4-addr", personal=PersonalFlag.NONE, value="192.0.2.41"),),
    )
    original = bulletin(shared_world(), "xa-csirt", say=said)
    wanted = drafts.updated(original, NOW)
    fields = of_draft(encode(wanted), "", KNOWN)
    assert fields["election"] == ELECTION.id
    found = read(fields, KNOWN)
    assert found.problems == ()
    assert drafts.read(found.raw, NOW).draft == wanted


def test_countries_that_the_form_can_say_stand_in_it() -> None:
    """The others stay in the text."""
    fields = form(areas="xa, EU XB")
    document = json.loads(read(fields, KNOWN).raw)
    assert [(each["scope"], each["country"]) for each in document["areas"]] == [
        ("country", "XA"), ("eu", "EU"), ("country", "XB"),
    ]  # fmt: skip
    assert of_draft(read(fields, KNOWN).raw, "", KNOWN)["areas"] == "XA, EU, XB"


@pytest.mark.parametrize(
    ("of", "field", "words"),
    [
        ({"facts": "title = "}, "facts", "cannot be read"),
        ({"facts": "\ud800"}, "facts", "cannot be read"),
        ({"more": "a = [" + "[" * 5000}, "more", "cannot be read"),
        ({"more": 'tlp = "red"'}, "more", "a field of its own"),
        ({"more": "info = 5"}, "more", "a list"),
        ({"more": "areas = 5", "areas": "XA"}, "more", "areas is a list of tables"),
        ({"more": 'labels = ["rt:a"]', "labels": "rt:b"}, "more", "stands in the form too"),
        ({"facts": 'kind = "fimi"'}, "facts", "cannot be changed"),
        ({"to": ""}, "to", "choose"),
        ({"to": "purple/community"}, "to", "choose"),
        ({"to": "green/"}, "to", "choose"),
        ({"election": "xz-none-1999"}, "election", "no such election"),
        ({"more": f'labels = ["{"x" * 140_000}"]'}, "more", "at most 131072 bytes"),
    ],
)
def test_what_cannot_be_read_says_in_which_field(of: dict[str, str], field: str, words: str) -> None:
    """And there is no draft; nothing else is said about it."""
    found = read(form(**of), KNOWN)
    assert found.raw == b""
    assert [each.field for each in found.problems] == [field]
    assert words in found.problems[0].text


@pytest.mark.parametrize(
    "more",
    [
        "when = 2026-11-28",
        "at = 18:07:00",
        "x = nan",
        "x = inf",
        "x = 99999999999999999999",
        "x.y.z = [1, 'a', {}]",
    ],
)
def test_any_toml_makes_a_draft_that_the_rules_can_judge(more: str) -> None:
    """What no draft has is a finding of the rules, with its place; it is never an error of the form."""
    found = read(form(more=more), KNOWN)
    assert found.problems == ()
    look = drafts.read(found.raw, dt.datetime.now(dt.UTC))
    assert look.draft is None
    assert {field_of(each.path) for each in look.of("error")} == {"more"}


@pytest.mark.parametrize("name", ["areas", "dimensions", "election", "handling", "links", "observables"])
@pytest.mark.parametrize("value", [3, False, [], "x", ["x"], [["x"]], {"id": ["x"]}, [{"id": 3}]])
def test_whatever_stands_in_the_place_of_a_table_comes_back(name: str, value: object) -> None:
    """A draft is saved before any rule has seen it, and its page opens all the same."""
    raw = read(form(more=drafts.table_text({name: value})), KNOWN).raw
    assert json.loads(read(of_draft(raw, "", KNOWN), KNOWN).raw)[name] == value


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("$.info[0].headline", "headline"), ("$.info[1].headline", "info.0.headline"), ("$.body.title", "facts.title"), ("$.tlp", "to"),
        ("$.audience", "to"), ("$.severity", "severity"), ("$.observables[3].value", "observables.3.value"),
        ("$.observables[3].first_seen", "observables.3.first_seen"), ("$.labels[1]", "labels"),
        ("$.observables[3].odd", "observables.3.more"), ("$.actions", "actions"), ("$.personal_data.flag", "personal_data.0.flag"),
        ("$", ""), ("$.info[0]", "more"),
        ("$.sections[0].label", "more"), ("$.attribution.actors[1].kind", "actors.1.kind"), ("$.attribution.by", "attribution.0.by"),
        ("$.areas[1].code", "places.1.code"), ("$.election.phase", "ballot.0.phase"), ("$.rights", "rights.0"), ("$.links[0].from", "links.0.from"),
    ],
)  # fmt: skip
def test_a_finding_stands_beside_its_field(path: str, field: str) -> None:
    """Or, where the form has none, beside the text; what is about the whole stands among the checks alone."""
    assert field_of(path) == field
    assert not field or field.partition(".")[0] in {*FIELDS, *TABLES}


def test_what_is_missing_stands_beside_its_field() -> None:
    """A headline that was not written, where the finding has the place of the texts."""
    (found,) = drafts.read(read(form(headline=""), KNOWN).raw, NOW).findings
    assert field_of(found.path, found.text) == "headline"


def test_two_who_differ_see_where() -> None:
    """Only the fields that differ."""
    mine, theirs = form(headline="Mine"), form(headline="Theirs")
    assert list(changed(theirs, mine)) == [("headline", "Theirs", "Mine")]


@pytest.mark.parametrize(
    ("said", "boxes"),
    [
        (["cybercrime"], "cybercrime"),
        (["electoral-process", "disinformation"], "electoral-process, disinformation"),
        (["no-such-word"], "no-such-word"),
        ("cybercrime", ""),
        ([], ""),
        ([1], ""),
        (["a, b"], ""),
    ],
)
def test_what_a_draft_is_about_is_ticked_or_stands_in_the_text(said: object, boxes: str) -> None:
    """Whatever a draft says there comes back as it was; in both places it is a fault."""
    raw = read(form(more=drafts.table_text({"dimensions": said})), KNOWN).raw
    again = of_draft(raw, "", KNOWN)
    assert again["dimensions"] == boxes
    assert json.loads(read(again, KNOWN).raw)["dimensions"] == said
    (fault,) = read(form(dimensions="cybercrime", more='dimensions = ["physical"]'), KNOWN).problems
    assert fault.field == "more"
