"""The vectors that any implementation can run, run by this one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc import jwk, jws

from bus.admission import admit, verify_file
from bus.errors import AdmissionError
from bus.trust import VerifiedRegistry
from schemas.codec import parse_time
from schemas.envelope import unb64u
from tests.vectors import generate

VECTORS = json.loads((generate.FOLDER / "admission_vectors.json").read_text("utf-8"))
GROUP = VECTORS["testGroups"][0]
REGISTRY = VerifiedRegistry.open(json.dumps(GROUP["registry"]).encode(), pin=GROUP["pin"])
NOW = parse_time(GROUP["now"])


def test_the_generator_reproduces_the_files() -> None:
    """Nothing in the vectors is random or left over."""
    assert generate.main(["--check"]) == 0
    assert VECTORS["numberOfTests"] == len(GROUP["tests"])


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

    from schemas.codec import decode, digest
    from schemas.subject import subject_for

    page = (generate.FOLDER.parent / "SPEC.md").read_text("utf-8").split("## 10. Example")[1]
    _, payload = re.findall(r"```json\n(.*)\n```", page)
    header = re.findall(r"```\n([^\n]+)\n```", page)[-1]
    subject = subject_for(decode(payload.encode()))
    assert f"`{digest(payload.encode())}`" in page
    assert f"`{subject}`" in page
    admit(subject, [("Tocsin-Sig", header)], payload.encode(), registry=REGISTRY, now=NOW)
