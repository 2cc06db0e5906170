"""Rules and reason codes explained from where they are written once."""

from __future__ import annotations

import re

import pytest

from bus.admission import REASONS
from bus.drafts import explained, like
from schemas.rules import RULES
from tests.support.places import ROOT


@pytest.mark.parametrize("rule", [*RULES, "R25"])
def test_every_rule_is_explained(rule: str) -> None:
    """With its sentence, and to the letter as the specification has it."""
    found = explained(f"rule:{rule}")
    assert found is not None
    assert found.says
    assert f"| {rule} | {found.letter} |" in (ROOT / "schemas" / "SPEC.md").read_text("utf-8")


def test_a_rule_has_its_source_and_examples() -> None:
    """The law stands apart from the sentence; what is refused says where and why."""
    found = explained("r36")
    assert found is not None
    assert found.says.endswith("exists and is in force.")
    assert found.source.startswith("the acts as published in the Official Journal")
    wrong = found.wrong[0]
    assert wrong.where == "$.legal[0].ref"
    assert "has 99 articles" in wrong.told
    assert '"celex:32016R0679#100"' in wrong.fields
    assert '"celex:32016R0679#99"' in found.right[0].fields


def test_every_code_of_the_page_is_explained() -> None:
    """Those of admission, and whatever else stands in a table of the page."""
    page = (ROOT / "docs" / "reason-codes.md").read_text("utf-8")
    rows = re.findall(r"^\| (`[^|]+`) \|", page, re.MULTILINE)
    codes = {code for row in rows for code in re.findall(r"`([^`]+)`", row)}
    assert {code for code in REASONS if not code.startswith("rule:")} <= codes
    for code in codes - {"rule:R<n>"}:
        assert explained(code) is not None, code


def test_a_code_of_several_places_is_told_for_each() -> None:
    """A revoked key means one thing of bytes that came, and another of a draft."""
    found = explained("key-revoked")
    assert found is not None
    assert [each.where for each in found.meanings] == [
        "Received bytes that are refused",
        "Drafts that are refused before signing",
        "Registry and keys",
    ]


def test_what_nobody_knows_has_a_nearest() -> None:
    """A slip in a code."""
    assert explained("key-revokd") is None
    assert explained("R9999") is None
    assert explained("R99999999999") is None
    assert like("key-revokd") == "key-revoked"
