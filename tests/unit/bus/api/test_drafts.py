"""A table that a program publishes is looked at as a draft's file is."""

from __future__ import annotations

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.api.drafts import as_draft, read
from bus.drafts import DraftError
from bus.drafts import read as read_file
from schemas.bulletin import Draft
from schemas.errors import SchemaError
from tests.unit.bus.drafts.test_looking import GOOD, NOW


@given(
    dropped=st.sets(st.sampled_from(["urgency", "severity", "certainty", "info", "body"])),
    wrong=st.booleans(),
)
def test_a_program_gets_the_faults_that_the_command_tells(dropped: set[str], wrong: bool) -> None:
    """All at once; a draft without any comes as it is."""
    table = {name: value for name, value in tomllib.loads(GOOD.decode()).items() if name not in dropped}
    if wrong:
        table |= {"urgency": "soonish", "nonsense": 1}
    told = read_file(msgspec.json.encode(table, enc_hook=str), NOW)
    found = read(table, NOW)
    if told.draft is not None:
        assert found == told.draft
        return
    assert isinstance(found, DraftError)
    assert [(each.path, each.text) for each in found.findings] == [
        (each.path, each.text) for each in sorted(told.of("error"), key=lambda each: each.path)
    ]


def test_times_may_have_an_offset() -> None:
    """As in a file; tuples are lists."""
    table = tomllib.loads(GOOD.decode().replace("2026-11-20T09:10:00Z", "2026-11-20T10:10:00+01:00"))
    draft = as_draft({**table, "info": tuple(table["info"])}, NOW)
    assert isinstance(draft, Draft)
    assert draft == as_draft(tomllib.loads(GOOD.decode()), NOW)


ENDLESS: dict[str, object] = {}
ENDLESS["x"] = ENDLESS


@pytest.mark.parametrize("table", [{"x": "\ud800"}, ENDLESS], ids=["half a character", "itself"])
def test_what_json_cannot_hold_is_no_draft(table: dict[str, object]) -> None:
    """Said in a sentence, as all else."""
    with pytest.raises(SchemaError, match="this table is not a draft"):
        as_draft(table, NOW)
