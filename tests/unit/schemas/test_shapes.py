"""Every struct of the wire, from its own types: written, read back, and judged alike by the exported schema."""

from __future__ import annotations

import json
from typing import Annotated, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from msgspec import Meta

from schemas import codec, rules
from schemas.bodies import KINDS, kind_of
from schemas.bulletin import Bulletin, Draft
from schemas.errors import SchemaError
from schemas.export import FOLDER
from schemas.lint import lint
from schemas.registry import Beacon, Registry
from schemas.scalars import MAX_INTEGER
from schemas.subject import Channel, channel_of, hides, parse, subject_for
from tests.unit.schemas import shapes
from tests.vectors.scene import example

EXAMPLE = example()
GENTLY = settings(max_examples=10, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
PATTERNS = sorted(
    {
        pattern
        for type_ in codec.wire_types()
        for hint in get_type_hints(type_, include_extras=True).values()
        for pattern in shapes.patterns(hint)
    }
)
SCHEMA = Draft202012Validator(json.loads((FOLDER / "bulletin.schema.json").read_text("utf-8")))


@pytest.mark.parametrize("type_", codec.wire_types(), ids=lambda type_: type_.__name__)
@GENTLY
@given(data=st.data())
def test_what_is_written_is_read_back(type_: type[msgspec.Struct], data: st.DataObject) -> None:
    """Every value of every struct survives the wire, unchanged and to the byte, and the gate has nothing against it."""
    value = data.draw(shapes.struct(type_))
    raw = codec.encode(value)
    codec.gate(raw)
    read = codec.decode_as(type_, raw)
    assert read == value
    assert codec.encode(read) == raw


@pytest.mark.parametrize("type_", codec.wire_types(), ids=lambda type_: type_.__name__)
def test_types_bound_what_the_gate_bounds(type_: type[msgspec.Struct]) -> None:
    """No fraction, no member of any type, no integer beyond 2^53-1, no nesting without end: why our bytes need no gate."""
    assert shapes.depth(type_) <= codec.MAX_DEPTH
    for hint in get_type_hints(type_, include_extras=True).values():
        for kind, metas in shapes.scalars(hint):
            assert kind is not float
            assert isinstance(kind, type)
            assert kind is not object
            if kind is int:
                assert shapes.first(metas, "ge", -MAX_INTEGER - 1) >= -MAX_INTEGER
                assert shapes.first(metas, "le", MAX_INTEGER + 1) <= MAX_INTEGER


@pytest.mark.parametrize("kind", KINDS)
@GENTLY
@given(data=st.data())
def test_a_bulletin_of_every_kind(kind: str, data: st.DataObject) -> None:
    """It is read back as its kind, and the exported JSON Schema agrees with the codec."""
    made = msgspec.structs.replace(EXAMPLE, body=data.draw(shapes.struct(KINDS[kind])))
    read = codec.decode(codec.encode(made))
    assert kind_of(read.body) == read.kind == kind
    SCHEMA.validate(json.loads(codec.encode(read)))


@GENTLY
@given(data=st.data())
def test_any_bulletin_has_a_subject_and_an_answer_to_every_rule(data: st.DataObject) -> None:
    """Its subject is of the grammar and names its channel; rules and remarks answer without fault."""
    made = data.draw(shapes.struct(Bulletin))
    subject = parse(subject_for(made))
    assert subject.channel == channel_of(made) == Channel.parse(str(channel_of(made)))
    assert subject.kind == ("x" if hides(made.status, made.tlp) else made.kind)
    for remark in (*rules.violations(made), *lint(made)):
        assert remark.path.startswith("$")
        assert remark.text


@given(data=st.data())
@GENTLY
def test_any_struct_with_one_member_spoilt_is_read_or_refused(data: st.DataObject) -> None:
    """Whatever stands in the place of a member, the answer is a value or a reason."""
    types: tuple[type[msgspec.Struct], ...] = (Bulletin, Draft, Registry, Beacon)
    type_ = data.draw(st.sampled_from(types))
    members = json.loads(codec.encode(data.draw(shapes.struct(type_))))
    junk: st.SearchStrategy[object] = (
        st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just([]) | st.just({})
    )
    members[data.draw(st.sampled_from(sorted(members)))] = data.draw(junk)
    try:
        read: object = codec.decode_as(type_, json.dumps(members).encode())
    except SchemaError as refused:
        assert refused.reason in ("schema", "malformed-payload")
    else:
        assert isinstance(read, type_)


def test_the_patterns_were_found() -> None:
    """The next test looks at something."""
    assert len(PATTERNS) > 20


@pytest.mark.parametrize("pattern", PATTERNS)
@settings(max_examples=3, database=None, phases=[Phase.generate])
@given(data=st.data())
def test_no_pattern_admits_a_newline_around(pattern: str, data: st.DataObject) -> None:
    """A value that fits no longer fits with a newline after it, and the pattern is anchored at both ends."""
    decoder = msgspec.json.Decoder(Annotated[str, Meta(pattern=pattern)])
    fits = data.draw(st.from_regex(pattern.removesuffix(shapes.GUARD), fullmatch=True))
    assert decoder.decode(msgspec.json.encode(fits)) == fits
    for spoilt in (f"{fits}\n", f"\n{fits}", f" {fits}"):
        with pytest.raises(msgspec.ValidationError):
            decoder.decode(msgspec.json.encode(spoilt))
