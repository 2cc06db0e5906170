"""What is no STIX 2.1 report is refused with a reason; what is damaged never breaks the reader."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.formats.stix import FORMAT, read_stix
from adapters.translation.reading import FormatError
from tests.unit.adapters.formats.making import bundle, indicator, item, report, tlp
from tests.unit.adapters.formats.stamped import CYBER, stands_or_is_refused

V20 = {
    "type": "indicator",
    "id": "indicator--1",
    "pattern": "[domain-name:value = 'a.example']",
    "labels": [],
}
UNKNOWN = item("marking-definition", definition_type="x-house-rules", definition={"level": 3})
BAD = {
    "empty object": ({}, "not-stix"),
    "empty list": ([], "not-stix"),
    "text": ("bundle", "not-stix"),
    "JSON schema": ({"$schema": "x", "$id": "y", "type": "object"}, "not-stix"),
    "a MISP event": ({"Event": {"info": "x"}}, "not-stix"),
    "labelled examples": ([{"object": {}, "source": "x"}], "not-stix"),
    "empty bundle": (bundle(), "empty"),
    "bundle without objects": ({"type": "bundle", "id": "bundle--1"}, "empty"),
    "markings only": (bundle(tlp("red")), "empty"),
    "STIX 2.0 bundle": (bundle(V20, spec_version="2.0"), "unsupported-version"),
    "STIX 2.0 object": (V20, "unsupported-version"),
    "a later version": (item("indicator", spec_version="2.2"), "unsupported-version"),
    "a technique": (bundle(item("attack-pattern", name="x")), "catalogue-not-a-report"),
    "a framework": (
        bundle(item("x-mitre-matrix"), item("attack-pattern"), item("malware")),
        "catalogue-not-a-report",
    ),
    "unknown TLP": (
        bundle(marked := tlp("mauve"), report(object_marking_refs=[marked["id"]])),
        "unknown-marking",
    ),
    "unknown kind of marking": (
        bundle(UNKNOWN, report(object_marking_refs=[UNKNOWN["id"]])),
        "unknown-marking",
    ),
    "dangling marking": (bundle(report(object_marking_refs=["marking-definition--gone"])), "unknown-marking"),
    "unknown TLP in a label": (bundle(report(labels=["tlp:mauve"])), "unknown-marking"),
    "too many reports": (bundle(*(report() for _ in range(201))), "too-many-reports"),
}


@pytest.mark.parametrize(("document", "reason"), BAD.values(), ids=BAD.keys())
def test_bad_documents_are_refused_with_a_reason(document: object, reason: str) -> None:
    """What is no STIX 2.1, reports nothing, or has a marking that nobody can read, is refused."""
    with pytest.raises(FormatError) as refused:
        read_stix(json.dumps(document).encode(), CYBER)
    assert refused.value.reason == reason


AMBER = tlp("amber")
WHOLE = json.dumps(
    bundle(
        AMBER,
        domain := item("domain-name", value="a.example"),
        rule := indicator("[ipv4-addr:value = '192.0.2.1' OR url:value = 'http://a.example/']"),
        item("sighting", sighting_of_ref=rule["id"], count=2),
        item(
            "attack-pattern",
            name="P",
            external_references=[{"source_name": "mitre-attack", "external_id": "T1566"}],
        ),
        item("threat-actor", name="Grey Heron"),
        report(domain, rule, object_marking_refs=[AMBER["id"]]),
    )
).encode()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_bundle_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in a valid draft or in a refusal with a reason."""
    raw = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    stands_or_is_refused(read_stix, raw, CYBER)


JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 2**70)
    | st.text(max_size=8)
    | st.sampled_from(["tlp:red", "indicator--1", "a.example", "2027-05-20T08:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["source_name", "external_id", "url", "marking_ref", "0", "MD5"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=5,
)
NAMES = [
    "name",
    "description",
    "value",
    "labels",
    "object_refs",
    "object_marking_refs",
    "granular_markings",
    "external_references",
    "hashes",
    "pattern",
    "pattern_type",
    "confidence",
    "lang",
    "number",
    "count",
    "first_observed",
    "number_observed",
    "objects",
    "aliases",
    "threat_actor_types",
    "identity_class",
    "revoked",
    "modified",
    "definition",
]
KINDS = [
    "report",
    "indicator",
    "file",
    "user-account",
    "observed-data",
    "sighting",
    "attack-pattern",
    "threat-actor",
    "narrative",
    "channel",
    "relationship",
    "marking-definition",
]


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    objects=st.lists(
        st.tuples(st.sampled_from(KINDS), st.dictionaries(st.sampled_from(NAMES), JUNK, max_size=5)),
        min_size=1,
        max_size=4,
    )
)
def test_properties_of_any_shape_are_read_or_refused(objects: list[tuple[str, dict[str, object]]]) -> None:
    """Whatever stands where a list, a text or a number belongs, the bundle is read without it or refused."""
    raw = json.dumps(bundle(*(item(kind, **members) for kind, members in objects))).encode()
    stands_or_is_refused(read_stix, raw, CYBER)


def test_sniff_knows_its_own() -> None:
    """The format recognises a bundle by its first bytes, and leaves a MISP event alone."""
    assert FORMAT.sniff(WHOLE)
    assert not FORMAT.sniff(b'{"Event": {"info": "x", "Attribute": []}}')
