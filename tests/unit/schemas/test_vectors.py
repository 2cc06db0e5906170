"""The vectors that any implementation can run, run by this one."""

from __future__ import annotations

import datetime as dt
import json
import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwk, jws
from jsonschema import Draft202012Validator

from bus.admission.chain import REFUSED, Link, Neighbours, judge_link
from bus.admission.steps import REASONS, admit, verify_file
from bus.errors import AdmissionError, SealError, TrustError
from bus.keys import signatures
from bus.keys.hpke import OpeningKey, open_sealed
from bus.sealing.opening import EQUAL_FIELDS, SEAL_REASONS
from bus.sealing.sections import SECTION_REASONS, open_section
from bus.trust import registry as trust_registry
from bus.trust import rules as trust_rules
from bus.trust.registry import VerifiedRegistry
from schemas.codec import MAX_PAYLOAD_BYTES, decode, digest, encode, encode_time, parse_time
from schemas.envelope import (
    Context,
    SignedFile,
    file_form,
    format_header,
    read_claims,
    read_signed,
    unb64u,
    write_signed,
)
from schemas.errors import EnvelopeError, TocsinError
from schemas.jwe import SealContext
from schemas.rules import RULES, violations
from schemas.subject import matches, parse, subject_for, tlp_token
from tests.vectors import generate
from tests.vectors.scene import FOLDER

VECTORS = json.loads((FOLDER / "admission_vectors.json").read_text("utf-8"))
GROUP = VECTORS["testGroups"][0]
REGISTRY = VerifiedRegistry.open(json.dumps(GROUP["registry"]).encode(), pin=GROUP["pin"])
NOW = parse_time(GROUP["now"])
CASES: dict[str, list[dict[str, Any]]] = {}
HELD: dict[str, dict[str, Any]] = {}
UPDATES: list[tuple[dict[str, Any], dict[str, Any]]] = []
NAMES = ("chain", "codec", "context", "registry", "revoke", "rules", "subject")
for name in NAMES:
    for group in json.loads((FOLDER / f"{name}_vectors.json").read_text("utf-8"))["testGroups"]:
        CASES.setdefault(group["type"], []).extend(group["tests"])
        HELD[group["type"]] = group
        if group["type"] == "Update":
            UPDATES += [(group, test) for test in group["tests"]]
SECTION = json.loads((FOLDER / "section_vectors.json").read_text("utf-8"))["testGroups"][0]
SEALED = json.loads((FOLDER / "sealed_vectors.json").read_text("utf-8"))["testGroups"][0]


def named(case: dict[str, Any]) -> str:
    """Number and comment of a case."""
    return f"{case['tcId']} {case['comment']}"


def reason_of(case: dict[str, Any], question: Any, *arguments: Any) -> Any:
    """What a call answers; for an invalid case, None after it was refused for the reason the case says."""
    if case["result"] == "valid":
        return question(*arguments)
    with pytest.raises(TocsinError) as refused:
        question(*arguments)
    assert refused.value.reason == case["reason"]
    return None


def test_the_generator_reproduces_the_files() -> None:
    """Nothing in the vectors is random or left over."""
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["admission", "sealed", "section", *NAMES])
def test_each_file_is_in_order(name: str) -> None:
    """It follows its schema, counts and numbers its tests, and explains its flags and no others."""
    schema = json.loads((FOLDER / "vectors.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    document = json.loads((FOLDER / f"{name}_vectors.json").read_text("utf-8"))
    Draft202012Validator(schema).validate(document)
    tests = [test for group in document["testGroups"] for test in group["tests"]]
    assert [test["tcId"] for test in tests] == list(range(1, document["numberOfTests"] + 1))
    assert {flag for test in tests for flag in test["flags"]} == set(document["notes"])
    assert all((test["result"] == "valid") == (test["reason"] == "") for test in tests)


@pytest.mark.parametrize("case", CASES["Decode"], ids=named)
def test_payloads(case: dict[str, Any]) -> None:
    """What the gate and the types say of bytes; what is read is written and read again as the same."""
    raw = unb64u(case["input"])
    assert digest(raw) == case.get("digest", digest(raw))
    raw = raw[:1] + b" " * case.get("spaces", 0) + raw[1:]
    if found := reason_of(case, decode, raw):
        assert decode(encode(found)) == found


@pytest.mark.parametrize("case", SEALED["tests"], ids=named)
def test_seals(case: dict[str, Any]) -> None:
    """What a seal opens to, in its place and for its reader; or why it does not."""
    reader, context = OpeningKey(unb64u(SEALED["seed"])), SealContext(**SEALED["context"])
    if case["result"] == "valid":
        assert digest(open_sealed(case["input"], [reader], context)) == case["digest"]
        return
    with pytest.raises(SealError) as refused:
        open_sealed(case["input"], [reader], context)
    assert refused.value.reason == case["reason"]


@pytest.mark.parametrize("case", SECTION["tests"], ids=named)
def test_sections(case: dict[str, Any]) -> None:
    """What a section opens to, in its place and for its reader; or why it does not."""
    reader = OpeningKey(unb64u(SECTION["seed"]))
    registry = VerifiedRegistry.open(json.dumps(SECTION["registry"]).encode(), pin=SECTION["pin"])
    made, index = decode(case["input"].encode()), case["index"]
    registry.permit(made)
    if found := reason_of(case, partial(open_section, made, index, [reader], registry=registry)):
        assert case["digest"] == digest(encode(found)) == made.sections[index].inner_digest


def test_every_reason_of_a_section_is_shown() -> None:
    """No refusal to open one is without a vector."""
    told = {test["reason"] for test in SECTION["tests"]}
    assert {*SECTION_REASONS, "schema", "not-permitted"} < told
    whole = {"not-sealed", "nested-seal", "inner-references", *(f"inner-{name}" for name in EQUAL_FIELDS)}
    assert set(SEAL_REASONS) - told == whole


@pytest.mark.parametrize("case", CASES["Time"], ids=named)
def test_times(case: dict[str, Any]) -> None:
    """A wire time names one moment."""
    if found := reason_of(case, parse_time, case["input"]):
        since = found - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
        assert since // dt.timedelta(microseconds=1) == case["microseconds"]
        assert parse_time(encode_time(found)) == found


@pytest.mark.parametrize("case", CASES["Rules"], ids=named)
def test_rules(case: dict[str, Any]) -> None:
    """Exactly the rules that a bulletin breaks, at their places, in order."""
    broken = violations(decode(case["input"].encode()))
    assert [{"rule": each.rule, "path": each.path} for each in broken] == case["violations"]
    assert case["reason"] == (f"rule:{broken[0].rule}" if broken else "")


@pytest.mark.parametrize("case", CASES["Derive"], ids=named)
def test_derived_subjects(case: dict[str, Any]) -> None:
    """A bulletin has one subject, and it is of the grammar."""
    assert subject_for(decode(case["input"].encode())) == case["subject"]
    parse(case["subject"])


@pytest.mark.parametrize("case", CASES["Parse"], ids=named)
def test_subjects_taken_apart(case: dict[str, Any]) -> None:
    """Twelve tokens, each where it belongs."""
    if found := reason_of(case, parse, case["input"]):
        tokens = case["tokens"]
        assert found.issuer == f"{tokens['cc']}-{tokens['org']}"
        assert tlp_token(found.tlp) == tokens["tlp"]
        for name in ("status", "audience", "domain", "kind", "area", "election", "priority"):
            assert getattr(found, name) == tokens[name]


@pytest.mark.parametrize("case", CASES["Match"], ids=named)
def test_patterns(case: dict[str, Any]) -> None:
    """NATS wildcards."""
    assert matches(case["pattern"], case["input"]) == (case["result"] == "valid")


@pytest.mark.parametrize("case", CASES["Chain"], ids=named)
def test_places_in_a_chain(case: dict[str, Any]) -> None:
    """Where a bulletin stands, given what is held of its channel."""
    link = Link(**case["link"])
    held = {each["seq"]: Link(**each) for each in case["held"]}
    at, before, behind = (held.get(link.seq + step) for step in (0, -1, 1))
    found = judge_link(
        link,
        Neighbours(
            head_seq=max(held, default=None),
            at_seq=at.digest if at else None,
            predecessor=before.digest if before else None,
            successor_prev=behind.prev if behind else None,
            digest_of_id=next((each.digest for each in held.values() if each.id == link.id), None),
        ),
    )
    assert found == case["outcome"]
    assert (found in REFUSED) == (case["result"] == "invalid")


@pytest.mark.parametrize("case", CASES["Open"], ids=named)
def test_first_versions(case: dict[str, Any]) -> None:
    """A first version is believed by its digest and its own roots."""
    raw = case["input"].encode()
    if found := reason_of(case, lambda: VerifiedRegistry.open(raw, pin=case["pin"])):
        assert found.digest == case["pin"]


@pytest.mark.parametrize(("group", "case"), UPDATES, ids=[named(case) for _, case in UPDATES])
def test_next_versions(group: dict[str, Any], case: dict[str, Any]) -> None:
    """One version later under both thresholds, or nothing changes."""
    held = VerifiedRegistry.open(json.dumps(group["registry"]).encode(), pin=group["pin"])
    updated = reason_of(case, held.update, case["input"].encode(), parse_time(group["now"]))
    assert updated is None or updated.version in (1, 2)
    assert (held.version, held.digest) == (1, group["pin"])


@pytest.mark.parametrize("case", CASES["Beacon"], ids=named)
def test_beacons(case: dict[str, Any]) -> None:
    """A beacon says how current the registry is; none changes what it says."""
    group, now = HELD["Beacon"], parse_time(HELD["Beacon"]["now"])
    held = VerifiedRegistry.open(json.dumps(group["registry"]).encode(), pin=group["pin"])
    held = held.with_beacon(json.dumps(group["beacon"]).encode(), now)
    if found := reason_of(case, held.with_beacon, case["input"].encode(), now):
        assert found.digest == held.digest
        assert found.state(now) in ("fresh", "behind")


def test_every_reason_is_shown() -> None:
    """No refusal of admission, of a chain or of a registry is without a vector."""
    tests = [*GROUP["tests"], *(test for name in ("Chain", "Rules", "Decode") for test in CASES[name])]
    shown = {"rule:R<n>" if test["reason"].startswith("rule:") else test["reason"] for test in tests}
    assert shown - {""} == set(REASONS)
    rules = {test["reason"] for test in CASES["Rules"]} - {""}
    assert rules == {f"rule:{name}" for name in RULES} - {
        "rule:R22",
        "rule:R23",
    }  # these two hold by construction
    told = {test["reason"] for name in ("Open", "Update", "Beacon") for test in CASES[name]} - {""}
    source = "".join(
        Path(module.__file__ or "").read_text("utf-8") for module in (trust_registry, trust_rules, signatures)
    )
    known = set(re.findall(r'TrustError\([^)]*?reason="([a-z-]+)"', source, re.DOTALL))
    assert len(known) > 15
    # Two answer questions and are not about a document; a document of too many keys is too large for a vector.
    assert known - told == {"unknown-authority", "bad-signature", "too-many-keys"}


@pytest.mark.parametrize("case", GROUP["tests"], ids=lambda case: f"{case['tcId']} {case['comment']}")
def test_each_vector_has_its_reason(case: dict[str, Any]) -> None:
    """What a vector says is what admission decides, reason included."""
    headers = [(name, value) for name, value in case["headers"]]
    payload = unb64u(case["payload"])
    if case["result"] == "valid":
        assert admit(case["subject"], headers, payload, registry=REGISTRY, now=NOW).payload == payload
        return
    with pytest.raises(AdmissionError) as refused:
        admit(case["subject"], headers, payload, registry=REGISTRY, now=NOW)
    assert refused.value.reason == case["reason"]


def in_context(case: dict[str, Any], key: signatures.PublicKey) -> SignedFile:
    """The file of a case, when a signature by the one known key holds for what the case asks."""
    context = Context(case["typ"], case["domain"])
    signed = read_signed(case["input"].encode(), context)
    (checked,) = signatures.check_entries(signed.entries, signed.payload, context, {key.kid: key}.get)
    if checked.fault:
        raise TrustError("it does not hold", reason=checked.fault)
    return signed


@pytest.mark.parametrize("case", CASES["Context"], ids=named)
def test_signatures_hold_for_one_purpose_in_one_federation(case: dict[str, Any]) -> None:
    """For every pair of a type and a purpose, alone and in a batch; what holds is written back as the same signatures."""
    key = signatures.PublicKey.from_jwk(HELD["Context"]["key"], "Ed25519")
    if found := reason_of(case, in_context, case, key):
        assert json.loads(write_signed(found.payload, found.entries)) == json.loads(case["input"])
        assert file_form(found.payload, format_header(found.entries)) == case["input"].encode()


@pytest.mark.parametrize("case", CASES["Context"], ids=named)
def test_the_check_of_a_signature_itself_asks_for_its_context(case: dict[str, Any]) -> None:
    """Entries that some reader let pass without stating a context do not hold for another one either."""
    context = Context(case["typ"], case["domain"])
    key = signatures.PublicKey.from_jwk(HELD["Context"]["key"], "Ed25519")
    try:
        claimed = read_claims(case["input"].encode(), max_bytes=MAX_PAYLOAD_BYTES)
    except EnvelopeError as refused:
        assert refused.reason == case["reason"]
        return
    (checked,) = signatures.check_entries(claimed.entries, claimed.payload, context, {key.kid: key}.get)
    assert checked.fault == case["reason"]


@pytest.mark.parametrize("case", CASES["Revoke"], ids=named)
def test_revocation_statements(case: dict[str, Any]) -> None:
    """What a vector says is what the registry decides."""
    raw = unb64u(case["input"])
    if case["result"] == "valid":
        REGISTRY.with_revocation(raw, NOW)
        return
    with pytest.raises(TrustError) as refused:
        REGISTRY.with_revocation(raw, NOW)
    assert refused.value.reason == case["reason"]


def test_the_example_stands_and_a_stock_jose_library_verifies_it() -> None:
    """Three lines with joserfc come to the same as our own check."""
    raw = (FOLDER / "example.tocsin.json").read_bytes()
    key = json.loads((FOLDER / "example.jwk.json").read_bytes())
    registered = jws.JWSRegistry(algorithms=["Ed25519"], strict_check_header=False)  # `domain` is ours
    found = jws.deserialize_json(json.loads(raw), jwk.import_key(key), registry=registered)
    assert found.payload == verify_file(raw, registry=REGISTRY, now=NOW).payload


def test_the_example_in_the_specification_verifies() -> None:
    """What a reader copies from the page is what the page says it is."""
    page = (FOLDER.parent / "SPEC.md").read_text("utf-8").split("## 12. Example")[1]
    _, payload = re.findall(r"```json\n(.*)\n```", page)
    header = re.findall(r"```\n([^\n]+)\n```", page)[-1]
    subject = subject_for(decode(payload.encode()))
    assert f"`{digest(payload.encode())}`" in page
    assert f"`{subject}`" in page
    admit(subject, [("Tocsin-Sig", header)], payload.encode(), registry=REGISTRY, now=NOW)
