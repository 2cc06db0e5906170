"""The JSON Schema of the Article 33 profile says what the reader does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from adapters.authorities.data_protection import ADAPTER
from adapters.formats import gdpr_art33
from adapters.translation.reading import FormatError, ReadContext
from tests.unit.adapters.formats.stamped import RECEIVED

SCHEMA = json.loads(Path(gdpr_art33.__file__).with_name("gdpr_art33.schema.json").read_text("utf-8"))
GOOD = json.loads(next(s.data for s in ADAPTER.samples("XA", RECEIVED, 7) if s.name.startswith("roll")))
CONTEXT = ReadContext(received=RECEIVED, adapter="test")


def test_the_schema_is_the_one_the_reader_makes() -> None:
    """The file beside the module has not drifted."""
    assert gdpr_art33.json_schema() == SCHEMA


def test_every_field_says_what_it_answers() -> None:
    """No field without its article."""
    properties = SCHEMA["$defs"]["_Notification"]["properties"]
    assert set(properties) == set(gdpr_art33.ARTICLES)
    assert all(each["description"] for each in properties.values())


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"stage": "later"},
        {"extra": 1},
        {"nature": []},
        {"nature": ["everything"]},
        {"risk": None},
        {"aware_at": "2027-05-23 12:00"},
        {"subjects_approx": -1},
        {"subjects_approx": "many"},
        {"summary": ""},
        {"controller": {"name": "x"}},
        {"art34": "done", "cross_border": True},
    ],
)
def test_schema_and_reader_agree(change: dict[str, Any]) -> None:
    """What one accepts or refuses, the other does too."""
    document = {**GOOD, **change}
    valid = Draft202012Validator(SCHEMA).is_valid(document)
    try:
        gdpr_art33.read_gdpr_art33(json.dumps(document).encode(), CONTEXT)
    except FormatError as refused:
        assert not valid, refused
    else:
        assert valid
