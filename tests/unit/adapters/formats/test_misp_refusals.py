"""What is no MISP event is refused with a reason; what is damaged never breaks the reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.formats.misp import FORMAT, read_misp_event
from adapters.translation.reading import FormatError
from tests.unit.adapters.formats.making import UUID, attribute, event
from tests.unit.adapters.formats.stamped import CYBER, stands_or_is_refused

BAD = {
    "empty": (b"{}", "empty"),
    "empty list": (b"[]", "empty"),
    "null": (b"null", "empty"),
    "a number": (b"3", "empty"),
    "no info": ({"Event": {"date": "2027-05-20"}}, "not-an-event"),
    "info is a number": (event(info=7), "malformed-event"),
    "info is blank": (event(info=" \n "), "malformed-event"),
    "attributes alone": (
        {"response": {"Attribute": [attribute("domain", "a.example")]}},
        "attributes-without-event",
    ),
    "objects alone": ({"Object": []}, "attributes-without-event"),
    "search index": (
        [{"id": "3", "info": "x", "date": "2027-01-01", "attribute_count": "2"}],
        "search-index",
    ),
    "sharing groups": ([{"SharingGroup": {}, "Organisation": {}}], "not-an-event"),
    "feed manifest": ({UUID: {"info": "x", "Orgc": {}}}, "feed-manifest"),
    "galaxy": ({"name": "Tea", "GalaxyCluster": []}, "definition"),
    "taxonomy": ({"namespace": "tlp", "predicates": []}, "definition"),
    "object template": ({"attributes": {}, "name": "file", "requiredOneOf": []}, "definition"),
    "stix": ({"type": "bundle", "id": "bundle--x", "objects": []}, "not-an-event"),
    "unknown TLP": (event(tags=("tlp:purple",)), "unknown-marking"),
    "confused TLP": (event(tags=("tlp:unclear",)), "unknown-marking"),
    "TLP without level": (event(tags=("TLP",)), "unknown-marking"),
    "look-alike TLP": (event(tags=("tlp:аmber",)), "unknown-marking"),
    "unknown PAP": (event(tags=("PAP:BLUE",)), "unknown-marking"),
    "unknown TLP on an attribute": (
        event(attribute("domain", "a.example", Tag=[{"name": "tlp:mauve"}])),
        "unknown-marking",
    ),
    "unknown distribution": (event(distribution="9"), "unknown-marking"),
    "classified": (event(tags=('euci:classification="R-UE/EU-R"',)), "classified"),
    "too many events": ([{"Event": event()} for _ in range(201)], "too-many-events"),
}


@pytest.mark.parametrize(("document", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_documents_are_refused_with_a_reason(document: object, reason: str) -> None:
    """Everything that is no event, and every marking that cannot be read with certainty, is refused."""
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(FormatError) as refused:
        read_misp_event(raw, CYBER)
    assert refused.value.reason == reason


WHOLE = json.dumps(
    {
        "Event": event(
            attribute(
                "domain|ip",
                "a.example|192.0.2.1",
                comment="x",
                Tag=[{"name": "tlp:amber"}],
                Sighting=[{"type": "0", "date_sighting": "1"}],
            ),
            attribute("email-src", "a@b.example"),
            Object=[{"name": "file", "Attribute": [attribute("md5", "0" * 32, object_relation="md5")]}],
            Galaxy=[
                {
                    "type": "mitre-attack-pattern",
                    "GalaxyCluster": [{"value": "P - T1566", "type": "mitre-attack-pattern"}],
                }
            ],
        )
    }
).encode()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_event_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in a valid draft or in a refusal with a reason, never in a traceback."""
    raw = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    stands_or_is_refused(read_misp_event, raw, CYBER)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.text(max_size=12)
    | st.sampled_from(["tlp:red", "1", "a.example", "Person"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "value", "type", "Tag", "Attribute", "meta"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    members=st.dictionaries(
        st.sampled_from(
            [
                "Tag",
                "Attribute",
                "Object",
                "Galaxy",
                "date",
                "uuid",
                "distribution",
                "threat_level_id",
                "EventReport",
            ]
        ),
        JUNK,
    )
)
def test_members_of_any_shape_are_read_or_refused(members: dict[str, object]) -> None:
    """Whatever stands where a list, a text or a number belongs, the event is read without it or refused."""
    raw = json.dumps({"Event": {"info": "x", "date": "2027-05-20", **members}}).encode()
    stands_or_is_refused(read_misp_event, raw, CYBER)


def test_sniff_knows_its_own() -> None:
    """The format recognises an event by its first bytes, and leaves a STIX bundle alone."""
    assert FORMAT.sniff(WHOLE)
    assert FORMAT.sniff(json.dumps(event()).encode())
    assert not FORMAT.sniff(b'{"type": "bundle", "id": "bundle--1", "objects": []}')
