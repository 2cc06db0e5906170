"""`rules.holds` against the rules themselves: it is never True where one is broken, and is True for what is usual."""

from __future__ import annotations

import datetime as dt
import inspect
import json
import re
import types

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import rules
from schemas.bulletin import Bulletin
from schemas.codec import encode
from schemas.errors import SchemaError
from schemas.parts import Confidence
from schemas.subject import subject_for
from schemas.vocab import Certainty
from tests.support.world import bulletin, shared_world
from tests.vectors.rule_cases import cases

CASES = list(cases())
USUAL = bulletin(shared_world())
MEMBERS = json.loads(encode(USUAL))


def changed(*changes: dict[str, object]) -> Bulletin | None:
    """The usual one with some members changed; None when it is no bulletin by its types."""
    try:
        return msgspec.convert(
            {**MEMBERS, **{name: each for one in changes for name, each in one.items()}}, Bulletin
        )
    except msgspec.ValidationError:
        return None


def is_sound(b: Bulletin) -> bool:
    """What the rules themselves say."""
    try:
        rules.check(b)
    except SchemaError:
        return False
    return True


def at_a_glance(b: Bulletin, holds: object = rules.holds) -> bool:
    """What the predicate says."""
    return bool(holds(b, subject_for(b)))  # type: ignore[operator]


def test_it_is_for_something() -> None:
    """What an officer says on an ordinary day needs no second look."""
    assert at_a_glance(USUAL)


def test_it_needs_no_second_look_for_many() -> None:
    """Of the sound vectors some hold at a glance."""
    sound = [b for _, _, change, _ in CASES if (b := changed(change)) is not None and is_sound(b)]
    assert sum(map(at_a_glance, sound)) > 5


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.sampled_from([change for _, _, change, _ in CASES]), min_size=1, max_size=4))
def test_it_never_holds_where_a_rule_is_broken(changes: list[dict[str, object]]) -> None:
    """Each vector, and several of them in one bulletin."""
    b = changed(*changes)
    assert b is None or is_sound(b) or not at_a_glance(b)


BROKEN: dict[str, Bulletin] = {
    f"{n}: {comment}": b
    for n, (comment, _, change, _) in enumerate(CASES)
    if (b := changed(change)) is not None and not is_sound(b)
} | {
    "number two without a predecessor": msgspec.structs.replace(USUAL, seq=2),
    "number one with a predecessor": msgspec.structs.replace(USUAL, prev="p" * 43),
    "the last moment there is": msgspec.structs.replace(USUAL, expires=dt.datetime.max.replace(tzinfo=dt.UTC)),
    "confidence that says nothing": msgspec.structs.replace(USUAL, confidence=Confidence(source="A")),
    "observed, and hardly believed": msgspec.structs.replace(
        USUAL, confidence=Confidence(score=5), certainty=Certainty.OBSERVED
    ),
    "it ends as it begins": msgspec.structs.replace(USUAL, expires=USUAL.issued),
    "a microsecond too long": msgspec.structs.replace(
        USUAL, expires=USUAL.issued + rules.MAX_LIFETIME + dt.timedelta(microseconds=1)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_seen(name: str) -> None:
    """By the rules, and so not passed over at a glance."""
    assert not is_sound(BROKEN[name])
    assert not at_a_glance(BROKEN[name])


SOURCE = inspect.getsource(rules.holds)
CHECKS = [line.strip() for line in SOURCE.splitlines() if re.match(r" {8}or ", line)]
UNSEEN = {
    "or b.tlp is Tlp.RED  # R10, R23, R24": "another check sees each vector of it",
    "or len(subject) > MAX_SUBJECT  # R22": "no bulletin of the types has so long a subject at TLP:GREEN",
}
"""Checks that no vector tells apart; they are stricter than the rules."""


def test_there_are_checks() -> None:
    """They were found in the source."""
    assert len(CHECKS) > 8


@pytest.mark.parametrize("check", [each for each in CHECKS if each not in UNSEEN])
def test_a_predicate_that_drops_a_check_is_caught(check: str) -> None:
    """Some broken bulletin would pass it."""
    made = types.ModuleType("wrong")
    made.__dict__.update(vars(rules))
    exec(compile(SOURCE.replace(check, ""), "wrong", "exec"), made.__dict__)  # noqa: S102 (our own source)
    assert any(at_a_glance(b, made.holds) for b in BROKEN.values())
