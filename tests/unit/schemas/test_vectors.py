"""The vectors that any implementation can run, run by this one."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from joserfc import jwk, jws
from jsonschema import Draft202012Validator

from bus.admission import admit, verify_file
from bus.errors import AdmissionError, SealError
from bus.sealing import OpeningKey, open_sealed
from bus.trust import VerifiedRegistry
from schemas.codec import decode, digest, encode, encode_time, parse_time
from schemas.envelope import unb64u
from schemas.errors import SchemaError
from schemas.jwe import SealContext
from schemas.rules import violations
from schemas.subject import matches, parse, subject_for, tlp_token
from tests.vectors import generate

VECTORS = json.loads((generate.FOLDER / "admission_vectors.json").read_text("utf-8"))
GROUP = VECTORS["testGroups"][0]
REGISTRY = VerifiedRegistry.open(json.dumps(GROUP["registry"]).encode(), pin=GROUP["pin"])
NOW = parse_time(GROUP["now"])
CASES: dict[str, list[dict[str, Any]]] = {}
for name in ("codec", "rules", "subject"):
    for group in json.loads((generate.FOLDER / f"{name}_vectors.json").read_text("utf-8"))["testGroups"]:
        CASES[group["type"]] = group["tests"]
SEALED = json.loads((generate.FOLDER / "sealed_vectors.json").read_text("utf-8"))["testGroups"][0]


def named(case: dict[str, Any]) -> str:
    """Number and comment of a case."""
    return f"{case['tcId']} {case['comment']}"


def reason_of(case: dict[str, Any], question: Any, *arguments: Any) -> Any:
    """What a call answers; for an invalid case, None after it was refused for the reason the case says."""
    if case["result"] == "valid":
        return question(*arguments)
    with pytest.raises(SchemaError) as refused:
        question(*arguments)
    assert refused.value.reason == case["reason"]
    return None


def test_the_generator_reproduces_the_files() -> None:
    """Nothing in the vectors is random or left over."""
    assert generate.main(["--check"]) == 0


@pytest.mark.parametrize("name", ["admission", "codec", "rules", "sealed", "subject"])
def test_each_file_is_in_order(name: str) -> None:
    """It follows its schema, counts and numbers its tests, and explains its flags and no others."""
    schema = json.loads((generate.FOLDER / "vectors.schema.json").read_text("utf-8"))
    Draft202012Validator.check_schema(schema)
    document = json.loads((generate.FOLDER / f"{name}_vectors.json").read_text("utf-8"))
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


def test_the_example_stands_and_a_stock_jose_library_verifies_it() -> None:
    """Three lines with joserfc come to the same as our own check."""
    raw = (generate.FOLDER / "example.tocsin.json").read_bytes()
    key = json.loads((generate.FOLDER / "example.jwk.json").read_bytes())
    found = jws.deserialize_json(json.loads(raw), jwk.import_key(key), algorithms=["Ed25519"])
    assert found.payload == verify_file(raw, registry=REGISTRY, now=NOW).payload


def test_the_example_in_the_specification_verifies() -> None:
    """What a reader copies from the page is what the page says it is."""
    import re

    page = (generate.FOLDER.parent / "SPEC.md").read_text("utf-8").split("## 10. Example")[1]
    _, payload = re.findall(r"```json\n(.*)\n```", page)
    header = re.findall(r"```\n([^\n]+)\n```", page)[-1]
    subject = subject_for(decode(payload.encode()))
    assert f"`{digest(payload.encode())}`" in page
    assert f"`{subject}`" in page
    admit(subject, [("Tocsin-Sig", header)], payload.encode(), registry=REGISTRY, now=NOW)
