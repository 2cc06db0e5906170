"""The rules of truth on whatever the types let through: each decides, none fails."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import rules
from schemas.bulletin import Bulletin
from schemas.parts import Info, Observable
from schemas.remarks import remarks
from schemas.review import doubts
from schemas.vocab import PersonalFlag
from tests.support.world import bulletin, shared_world
from tests.unit.schemas.shapes import struct

USUAL = bulletin(shared_world())
ODD = (
    "http://[",
    "https://evil[.]example/",
    "//[::1",
    "::1/",
    "1.2.3.4/99",
    "0.0.0.0/00",
    "http://a:b@[",
    "xn--",
    "@",
    ".",
    "999999999999999999999",
    "\u0661\u0662.1.1.1",
    "http://\u2100.example/",
)
TYPES = ("ipv4-addr", "ipv6-addr", "domain-name", "url", "email-addr", "file", "text")


@settings(max_examples=100, deadline=None)
@given(struct(Bulletin))
def test_every_rule_decides_about_every_bulletin(b: Bulletin) -> None:
    """However strange, as long as its types are right."""
    rules.violations(b)
    doubts(b)
    remarks(b)


@pytest.mark.parametrize("value", ODD)
def test_every_rule_decides_about_odd_values(value: str) -> None:
    """Values that libraries of the standard library stumble over."""
    seen = tuple(
        Observable(type=each, personal=PersonalFlag.NONE, value=value, actionable=True, role=role)
        for each in TYPES
        for role in ("infrastructure", "impersonating-site")
    )
    info = (Info(lang="en", headline=f"See {value}", summary=value, public_line=f"Visit {value} today."),)
    b = msgspec.structs.replace(USUAL, observables=seen, info=info)
    rules.violations(b)
    doubts(b)
    remarks(b)


@given(st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_at_a_glance_agrees_about_words(text: str) -> None:
    """The rules that are asked say of any words what all rules say."""
    info = (Info(lang="en", headline=text or "a", summary=text or "b"),)
    b = msgspec.structs.replace(USUAL, info=info)
    said = [(name, *each) for name, rule in rules.RULES.items() for each in rule(b)]
    assert [(each.rule, each.path, each.text) for each in rules.violations(b)] == said
