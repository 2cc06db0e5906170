"""Parts of any draft as fields and back: any of them comes back to the byte, what follows is completed, ties follow their rows."""

from __future__ import annotations

import json
from typing import Any, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus import drafts
from bus.console.pages.draft_form import OWN, begun, field_of, of_draft, read, typed, typed_at
from bus.console.pages.draft_rows import removed
from bus.console.pages.draft_tables import TABLES
from schemas.bulletin import Draft
from schemas.codec import encode
from schemas.parts import ElectionRef
from schemas.registry import Clock
from schemas.vocab import ElectionType, Phase
from tests.support.world import NOW, shared_world
from tests.unit.schemas import shapes

GENTLY = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
HINTS = get_type_hints(Draft, include_extras=True)
PART = st.sampled_from(sorted(OWN - {"body", "info", "tlp", "audience"}))
ELECTION = ElectionRef(id="xa-parl-2027", type=ElectionType.PARLIAMENTARY, phase=Phase.POLLING)
KNOWN = {ELECTION.id: ELECTION}


def form(kind: str = "fimi", **of: str) -> dict[str, str]:
    """A form that can be read; with these fields, too, a dot as two underlines."""
    said = {name.replace("__", "."): text for name, text in of.items()}
    return {
        **begun(kind, "green/community"),
        "headline": "A flood",
        "summary": "Since 18:40 UTC.",
        **said,
    }


def document(fields: dict[str, str]) -> dict[str, Any]:
    """The draft that a form says."""
    found = read(typed(fields), KNOWN)
    assert found.problems == ()
    said: dict[str, Any] = json.loads(found.raw)
    return said


@GENTLY
@given(st.lists(PART, min_size=1, max_size=4, unique=True), st.data())
def test_any_part_comes_back_to_the_byte(names: list[str], data: st.DataObject) -> None:
    """Whatever the types permit: odd texts, words that no list has, ties to what is there and to what is not."""
    held: dict[str, Any] = {
        "info": [{"lang": "en", "headline": "A", "summary": "B"}],
        "body": {"kind": "fimi", "narratives": [{"text": "One."}]},
        "tlp": "green",
        "audience": "community",
    }
    for name in names:
        held[name] = json.loads(encode(data.draw(shapes.shape(HINTS[name]))))
    found = read(typed(of_draft(json.dumps(held).encode(), "", KNOWN)), KNOWN)
    assert found.problems == ()
    again = json.loads(found.raw)
    for name, value in held.items():
        assert json.dumps(again.get(name)) == json.dumps(value), name


def test_the_form_has_fields_for_every_part_that_people_write() -> None:
    """The others are sealed sections, which are drafts themselves, and what adapters write of a document; no row has anything in TOML alone."""
    assert {*drafts.field_names(Draft)} - OWN == {"sections", "provenance"}
    assert {name: table.others for name, table in TABLES.items() if table.others} == {}


@pytest.mark.parametrize(
    ("of", "name", "said"),
    [
        ({"confidence__0__source": "B", "confidence__0__credibility": "2"}, "confidence", {"source": "B", "credibility": 2}),
        ({"attribution__0__level": "confirmed", "attribution__0__by": "xa-csirt, xb-mfa", "actors__4__name": "Night Owls",
          "actors__4__kind": "hacktivist", "actors__4__aliases": "Owls\nUhud"}, "attribution",
         {"level": "confirmed", "actors": [{"name": "Night Owls", "kind": "hacktivist", "aliases": ["Owls", "Uhud"]}], "by": ["xa-csirt", "xb-mfa"]}),
        ({"rights__0__legality": "yes", "rights__0__necessity": "yes", "rights__0__proportionality": "no", "rights__0__charter": "8, 11"},
         "rights", {"legality": True, "necessity": True, "proportionality": False, "charter": [8, 11]}),
        ({"areas": "xa", "places__0__scope": "region", "places__0__code": "XA1"}, "areas",
         [{"scope": "country", "country": "XA"}, {"scope": "region", "code": "XA1"}]),
        ({"ballot__0__id": "xz-ref-2027", "ballot__0__phase": "polling"}, "election", {"id": "xz-ref-2027", "phase": "polling"}),
        ({"election": "xa-parl-2027"}, "election", {"id": "xa-parl-2027", "type": "parliamentary", "phase": "polling"}),
        ({"deadlines__0__clock": "gdpr-33", "deadlines__0__met": "2027-05-23T20:00:00Z"}, "deadlines",
         [{"clock": "gdpr-33", "met": "2027-05-23T20:00:00Z"}]),
        ({"labels": "rt:election\n"}, "labels", ["rt:election"]),
    ],
)  # fmt: skip
def test_what_is_typed_is_what_a_draft_says(of: dict[str, str], name: str, said: object) -> None:
    """And the form of that draft has it in the same fields; none has it in TOML."""
    found = document(form(**of))
    assert found[name] == said
    again = of_draft(json.dumps(found).encode(), "", KNOWN)
    assert again["more"] == begun("fimi", "")["more"]
    assert document(again) == found


@pytest.mark.parametrize(
    ("of", "field", "words"),
    [
        ({"confidence__0__score": "high"}, "confidence.0.score", "in digits"),
        ({"rights__0__charter": "8 and 11"}, "rights.0.charter", "write whole numbers"),
        ({"election": "xa-parl-2027", "ballot__0__id": "xz-ref-2027"}, "ballot", "keep one of the two"),
        ({"actors__0__name": "Owls", "more": 'attribution = { level = "claimed" }'}, "more", "keep one of the two"),
        ({"attribution__2__level": "claimed", "actors__0__name": "Owls", "attribution__2__more": "actors = 5"}, "attribution.2.more", "a list of tables"),
        ({"links__0__from": "things/0", "links__0__to": "body"}, "links.0.from", "not in the draft"),
        ({"msg_type": "update", "more": 'msg_type = "cancel"'}, "more", "keep one of the two"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_in_which_field(of: dict[str, str], field: str, words: str) -> None:
    """And there is no draft."""
    found = read(typed(form(**of)), KNOWN)
    assert found.raw == b""
    assert [each.field for each in found.problems] == [field]
    assert words in found.problems[0].text


def test_what_rules_find_stands_beside_the_field() -> None:
    """Of an actor, of a place after the countries, of an election that was chosen, of what is missing."""
    fields = form(
        "cyber-threat", facts__title="Flood", attribution__0__level="confirmed", actors__3__name="Owls", areas="XA, XB", places__5__scope="region",
        places__5__code="a b", election="xa-parl-2027", legal__1__ref="GDPR", legal__1__role="duty",
    )  # fmt: skip
    assert typed_at(fields, field_of("$.areas[1].country")) == "areas"
    assert typed_at(fields, field_of("$.areas")) == "areas"
    assert typed_at(fields, field_of("$.election.phase")) == "election"
    assert typed_at(fields, field_of("$.rights")) == "rights"
    assert typed_at(fields, field_of("$.attribution.actors[1].name")) == "attribution.0.more"
    look = drafts.read(read(typed(fields), KNOWN).raw, NOW)
    found = {typed_at(fields, field_of(each.path, each.text)) for each in look.of("error")}
    assert found == {"actors.3.kind", "places.5.code", "legal.1.ref"}


def test_ties_follow_their_rows() -> None:
    """A tie names a row however many stand before it; one that is taken out is told; what names no row stands in the text."""
    fields = form(
        things__0__kind="account", things__1__kind="outlet", facts__narratives__2__text="One.",
        links__0__from="things/1", links__0__rel="publishes", links__0__to="narratives/2",
        media_checks__0__of="things/1", media_checks__0__method="forensic", media_checks__0__verdict="altered",
    )  # fmt: skip
    fields, _ = removed(fields, "things.0")
    said = document(fields)
    assert said["links"] == [{"from": "things/0", "rel": "publishes", "to": "narratives/0"}]
    assert said["media_checks"][0]["of"] == "things/0"
    fields, _ = removed(fields, "things.1")
    assert [each.field for each in read(typed(fields), {}).problems] == ["links.0.from", "media_checks.0.of"]
    said["links"].append({"from": "evidence/7", "rel": "uses", "to": "body"})
    again = of_draft(json.dumps(said).encode(), "", {})
    assert (again["links.0.to"], "evidence/7" in again["more"]) == ("narratives/0", True)
    assert document(again) == said


def test_what_follows_from_the_registry_need_not_be_written() -> None:
    """When a clock ends, and what a co-issuer is; what was written stays, and what cannot be told is left to the rules."""
    registry = msgspec.structs.replace(
        shared_world().registry.document,
        clocks={"gdpr-33": Clock(trigger="aware", due_s=259_200, ref="celex:32016R0679#33.1"), "far": Clock(trigger="x", due_s=2**53 - 1, ref="soft:far")},
    )  # fmt: skip
    fields = form(
        deadlines__0__clock="gdpr-33", deadlines__0__started="2027-05-23T20:00:00+02:00", deadlines__1__clock="gdpr-33", deadlines__1__started="today",
        deadlines__2__clock="gdpr-33", deadlines__2__started="2027-05-23T20:00:00", deadlines__3__clock="far", deadlines__3__started="2027-05-23T20:00:00Z",
        deadlines__4__clock="gdpr-33", deadlines__4__due="2027-05-24T18:00:00Z",
        deadlines__5__clock="gdpr-33", deadlines__5__started="9999-12-28T23:00:00-23:59", co_issuers__0__id="xa-emb", co_issuers__1__id="xz-none",
    )  # fmt: skip
    raw = read(typed(fields), {}, registry).raw
    assert read(of_draft(raw, "", {}), {}, registry).raw == raw
    said = json.loads(raw)
    assert [each.get("due") for each in said["deadlines"]] == ["2027-05-26T18:00:00Z", None, None, None, "2027-05-24T18:00:00Z", None]  # fmt: skip
    record = registry.authorities["xa-emb"]
    assert said["co_issuers"] == [
        {"id": "xa-emb", "kind": record.kind, "domain": str(record.domain), "country": record.country},
        {"id": "xz-none"},
    ]
