"""The exported contract: up to date, and saying what the codec says."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from schemas import export
from schemas.codec import encode
from tests.vectors.scene import example

SCHEMA = json.loads((export.FOLDER / "bulletin.schema.json").read_text("utf-8"))
GOOD = json.loads(encode(example()))


def test_nothing_has_drifted() -> None:
    """What lies in the tree is what the structs say."""
    assert export.main(["--check"]) == 0


def test_the_example_is_valid() -> None:
    """By a stock validator of JSON Schema 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)
    Draft202012Validator(SCHEMA).validate(GOOD)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 0},
        {"tlp": "white"},
        {"extra": 1},
        {"info": []},
        {"id": "x"},
        {"audience": "community\n"},
        {"body": {"kind": "gossip"}},
    ],
)
def test_what_the_codec_refuses_the_schema_refuses(change: dict[str, object]) -> None:
    """Other languages get the same answer, a final newline included."""
    assert not Draft202012Validator(SCHEMA).is_valid({**GOOD, **change})


def test_the_asyncapi_document_names_every_token() -> None:
    """The address has twelve tokens and each parameter is described."""
    document = export.asyncapi()
    channel = document["channels"]["bulletins"]
    assert len(channel["address"].split(".")) == 12
    assert {part[1:-1] for part in channel["address"].split(".")[2:]} == set(channel["parameters"])


def test_every_vocabulary_that_the_schemas_name_is_written_out() -> None:
    """Another language finds the words, and no list is for nobody."""
    named: set[str] = set()
    for path in export.FOLDER.glob("*.schema.json"):
        named |= set(re.findall(r'"x-tocsin-vocabulary": "([^"]+)"', path.read_text("utf-8")))
    assert named == set(json.loads((export.FOLDER / "vocabularies.json").read_text("utf-8")))
