"""Statements of reasons are added up: never one bulletin each, never a person's words in a sum."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.formats.dsa_sor import CSV_FORMAT, JSON_FORMAT, read_dsa_sor_csv, read_dsa_sor_json
from adapters.formats.dsa_sor.statements import read_statement, summed
from adapters.translation.reading import FormatError, ReadResult
from schemas.bodies.digital import PlatformMeasure
from schemas.vocab import Dimension, Urgency
from tests.unit.adapters.formats.stamped import DIGITAL, all_stand, reasons, stamped, stands_or_is_refused

COLUMNS = [
    "uuid",
    "decision_visibility",
    "decision_visibility_other",
    "end_date_visibility_restriction",
    "decision_monetary",
    "decision_provision",
    "decision_account",
    "account_type",
    "decision_ground",
    "category",
    "category_specification",
    "content_type",
    "content_language",
    "territorial_scope",
    "application_date",
    "decision_facts",
    "source_type",
    "automated_detection",
    "automated_decision",
    "platform_name",
    "platform_uid",
    "created_at",
]
LIGHT = [name for name in COLUMNS if name not in ("territorial_scope", "decision_facts")]


def statement(**members: object) -> dict[str, Any]:
    """One statement as the interface takes it."""
    return {
        "decision_visibility": ["DECISION_VISIBILITY_CONTENT_REMOVED"],
        "decision_monetary": None,
        "decision_ground": "DECISION_GROUND_ILLEGAL_CONTENT",
        "category": "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
        "category_specification": ["KEYWORD_MISINFORMATION_DISINFORMATION"],
        "content_type": ["CONTENT_TYPE_VIDEO"],
        "territorial_scope": ["NL", "GR"],
        "application_date": "2027-05-20",
        "end_date_visibility_restriction": None,
        "decision_facts": "Reported by ada@people.example: a false polling date.",
        "source_type": "SOURCE_ARTICLE_16",
        "automated_detection": "No",
        "automated_decision": "AUTOMATED_DECISION_NOT_AUTOMATED",
        "platform_name": "Platform One",
        "puid": "abc-123_x",
        **members,
    }


def read_json(document: object) -> ReadResult:
    """Reads a document of the interface."""
    return read_dsa_sor_json(json.dumps(document).encode(), DIGITAL)


def table(rows: list[dict[str, Any]], columns: list[str] = COLUMNS) -> bytes:
    """Rows as a dump writes them: lists as JSON text, absent values empty."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(columns)
    for row in rows:
        cells = {"platform_uid": row.get("puid")} | row
        writer.writerow([json.dumps(v) if isinstance(v := cells.get(name), list) else v for name in columns])
    return out.getvalue().encode()


def measure(result: ReadResult, number: int = 0) -> PlatformMeasure:
    """The body of one draft."""
    body = result.drafts[number].body
    assert isinstance(body, PlatformMeasure)
    return body


def test_one_statement_keeps_its_facts_and_number() -> None:
    """A single statement is a sum of one, with its constants as slugs, its facts without e-mail addresses, its own number."""
    result = read_json(statement())
    (bulletin,) = all_stand(result)
    body = measure(result)
    assert (body.platform, body.source_type, body.ground) == ("platform-one", "article-16", "illegal-content")
    assert body.category == "negative-effects-on-civic-discourse-or-elections"
    assert (body.visibility, body.keywords, body.content_types) == (
        ("content-removed",),
        ("misinformation-disinformation",),
        ("video",),
    )
    assert (body.count, body.puid, body.automated_detection, body.automated_decision) == (
        1,
        "abc-123_x",
        False,
        "not-automated",
    )
    assert body.facts == "Reported by [e-mail address removed]: a false polling date."
    assert bulletin.urgency is Urgency.PAST
    assert bulletin.dimensions == (Dimension.DISINFORMATION, Dimension.ELECTORAL_PROCESS)
    assert [a.country for a in bulletin.areas] == ["GR", "NL"]


@pytest.mark.parametrize("wrapped", [lambda s: {"statements": s}, lambda s: s], ids=["statements", "list"])
def test_statements_that_agree_are_one_sum(wrapped: Any) -> None:
    """Statements of one platform, ground, category and decision are counted; the period spans their days."""
    days = ["2027-05-22", "2027-05-20", "2027-05-21"]
    result = read_json(wrapped([statement(application_date=day, puid=day) for day in days]))
    all_stand(result)
    body = measure(result)
    assert (body.count, str(body.period_start), str(body.period_end)) == (3, "2027-05-20", "2027-05-22")
    assert (body.facts, body.puid) == (None, None)
    assert "a false polling date" not in repr(result.drafts)
    assert "statements.decision_facts" in reasons(result)


def test_what_differs_is_counted_apart() -> None:
    """Another platform, ground, category, source or decision is another sum; other keywords and territories are joined."""
    others: list[dict[str, Any]] = [
        {},
        {"platform_name": "Two"},
        {"decision_ground": "DECISION_GROUND_INCOMPATIBLE_CONTENT"},
        {"category": "STATEMENT_CATEGORY_SCAMS_AND_FRAUD"},
        {"source_type": "SOURCE_TYPE_OTHER_NOTIFICATION"},
        {"decision_account": "DECISION_ACCOUNT_SUSPENDED"},
    ]
    result = read_json(
        [
            *(statement(**each) for each in others),
            statement(territorial_scope=["FR"], category_specification=["KEYWORD_OTHER"]),
        ]
    )
    all_stand(result)
    assert len(result.drafts) == 6
    assert (measure(result).count, measure(result).territorial_scope) == (2, ("FR", "GR", "NL"))
    assert measure(result).keywords == ("misinformation-disinformation", "other")


@pytest.mark.parametrize(("columns", "scope"), [(COLUMNS, ("GR", "NL")), (LIGHT, ())], ids=["full", "light"])
def test_dumps_full_and_light_are_read(columns: list[str], scope: tuple[str, ...]) -> None:
    """The daily dump gives the same sums as the interface; the light one without its missing columns."""
    result = read_dsa_sor_csv(table([statement(), statement()], columns), DIGITAL)
    all_stand(result)
    assert (measure(result).count, measure(result).territorial_scope) == (2, scope)
    assert result.drafts[0].provenance[0].format == "dsa-sor-csv"


def test_a_bom_and_empty_lists_are_read() -> None:
    """A byte order mark, empty cells, `null` and `[]` mean nothing."""
    raw = table([statement(category_specification=[], territorial_scope=[])])
    result = read_dsa_sor_csv(b"\xef\xbb\xbf" + raw, DIGITAL)
    assert (measure(result).keywords, measure(result).territorial_scope) == ((), ())
    assert measure(read_json(statement(category_specification=None, content_type=None))).content_types == ()


def test_the_first_version_of_the_interface_is_read() -> None:
    """In 2023 a visibility decision was one constant, not a list."""
    assert measure(
        read_json(statement(decision_visibility="DECISION_VISIBILITY_CONTENT_DISABLED"))
    ).visibility == ("content-disabled",)


def test_a_statement_everywhere_in_the_union_is_about_the_union() -> None:
    """Twenty-seven countries are one area."""
    codes = [
        "AT",
        "BE",
        "BG",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MT",
        "NL",
        "PL",
        "PT",
        "RO",
        "SE",
        "SI",
        "SK",
    ]
    assert [
        (a.scope, a.country) for a in stamped(read_json(statement(territorial_scope=codes)).drafts[0]).areas
    ] == [("eu", "EU")]


def test_an_odd_territory_is_a_loss() -> None:
    """An entry that is no country code is left out and recorded."""
    result = read_json(statement(territorial_scope=["EEA_NO_IS", "FR"]))
    assert measure(result).territorial_scope == ("FR",)
    assert "not country codes" in reasons(result)


def test_a_nameless_platform_is_said_to_be_so() -> None:
    """A platform's own submission does not name it; a name without Latin letters has no slug."""
    assert measure(read_json(statement(platform_name=None))).platform == "unnamed-platform"
    assert measure(read_json(statement(platform_name="платформа"))).platform == "unnamed-platform"


def test_many_kinds_of_decision_are_merged_and_none_is_lost() -> None:
    """Beyond the bound, sums that agree in platform, source, ground and category are merged; the count stays whole."""
    kinds = [
        statement(
            platform_name=f"P{n}",
            automated_detection=detection,
            decision_account=account,
            decision_provision=provision,
        )
        for n in range(50)
        for detection in ("Yes", "No")
        for account in (None, "DECISION_ACCOUNT_SUSPENDED")
        for provision in (
            None,
            "DECISION_PROVISION_TOTAL_SUSPENSION",
            "DECISION_PROVISION_PARTIAL_SUSPENSION",
        )
    ]
    result = read_json(kinds)
    all_stand(result)
    assert len(result.drafts) == 50
    bodies = [measure(result, n) for n in range(50)]
    assert sum(body.count for body in bodies) == 600
    assert bodies[0].account is None


def test_elections_come_first_and_the_rest_is_counted() -> None:
    """When even merged sums are too many, those on elections and the largest stay; the losses say how many are left out."""
    statements = [
        read_statement(statement(platform_name=f"P{n}", category="STATEMENT_CATEGORY_VIOLENCE"), "x")
        for n in range(30)
    ]
    statements += [read_statement(statement(platform_name="Last"), "x")]
    sums, beyond = summed(statements, 10)
    assert (sums[0].first.platform, len(sums), beyond) == ("last", 10, 21)


def test_a_count_beyond_the_bound_is_capped() -> None:
    """More than two thousand million statements are capped, with a loss."""
    result = read_json([statement(), statement()])
    assert measure(result).count == 2
    (big,), _ = summed([read_statement(statement(), "x")], 1)
    big.count = 5_000_000_000
    from adapters.formats.dsa_sor import documents
    from adapters.translation.reading import Losses

    losses = Losses()
    draft = documents._draft(big, False, losses)
    assert isinstance(draft.body, PlatformMeasure)
    assert draft.body.count == 2_000_000_000
    assert "5000000000" in "".join(loss.why for loss in losses.found)


BAD_JSON: dict[str, tuple[object, str]] = {
    "empty": ({}, "empty"),
    "null": (None, "empty"),
    "empty list": ([], "empty"),
    "empty statements": ({"statements": []}, "empty"),
    "numbers": ([1, 2], "not-a-statement"),
    "error answer": (
        {"message": "The category field is required.", "errors": {"category": ["x"]}},
        "error-answer",
    ),
    "not found": ({"message": "statement of reason not found", "puid": "x"}, "error-answer"),
    "a statement with errors": (
        {"statements": [statement(), statement(errors={"puid": ["not unique"]})]},
        "error-answer",
    ),
    "enumerations": (
        {"category": ["STATEMENT_CATEGORY_VIOLENCE"], "decision_ground": ["x"]},
        "not-a-statement",
    ),
    "aggregates": ({"aggregates": [{"total": 55225872}], "total": 55225872}, "not-a-statement"),
    "a query": ({"query": {}}, "not-a-statement"),
    "no decision": (statement(decision_visibility=None), "malformed-statement"),
    "unknown prefix": (statement(category="CATEGORY_VIOLENCE"), "malformed-statement"),
    "a placeholder": (statement(category="{{category}}"), "malformed-statement"),
    "list of numbers": (statement(content_type=[1]), "malformed-statement"),
    "text that is no list": (statement(territorial_scope="[broken"), "malformed-statement"),
    "no date": (statement(application_date="tomorrow"), "malformed-statement"),
    "decision is a number": (statement(decision_account=7), "malformed-statement"),
}


@pytest.mark.parametrize(("document", "reason"), BAD_JSON.values(), ids=BAD_JSON.keys())
def test_bad_json_is_refused_with_a_reason(document: object, reason: str) -> None:
    """Answers, schemas, queries and statements outside the enumerations are refused."""
    with pytest.raises(FormatError) as refused:
        read_json(document)
    assert refused.value.reason == reason


GOOD = table([statement(), statement()])
BAD_CSV = {
    "empty": (b"", "unknown-layout"),
    "header only": (table([]), "empty"),
    "documentation": (b"# Statements\n\ntext", "unknown-layout"),
    "another table": (b"a,b\n1,2\n", "unknown-layout"),
    "column twice": (GOOD.replace(b"uuid,", b"category,", 1), "unknown-layout"),
    "row cut off": (GOOD[:-60], "malformed-row"),
    "cell too many": (GOOD.rstrip() + b",x\r\n", "malformed-row"),
    "open quote": (GOOD + b'"open', "malformed-row"),
    "bad constant": (GOOD.replace(b"SOURCE_ARTICLE_16", b"article 16"), "malformed-statement"),
}


@pytest.mark.parametrize(("raw", "reason"), BAD_CSV.values(), ids=BAD_CSV.keys())
def test_bad_dumps_are_refused_with_a_reason(raw: bytes, reason: str) -> None:
    """Other tables, cut rows and unknown constants are refused; nothing of a broken dump is published."""
    with pytest.raises(FormatError) as refused:
        read_dsa_sor_csv(raw, DIGITAL)
    assert refused.value.reason == reason


WHOLE = json.dumps({"statements": [statement(), statement(platform_name="Two")]}).encode()


@settings(max_examples=100)
@given(at=st.integers(0, len(WHOLE) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_damaged_json_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in valid drafts or in a refusal with a reason."""
    raw = WHOLE[:at] if cut else WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :]
    stands_or_is_refused(read_dsa_sor_json, raw, DIGITAL)


@settings(max_examples=100)
@given(at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_dump_is_read_or_refused(at: int, byte: int, cut: bool) -> None:
    """Any cut and any changed byte ends in valid drafts or in a refusal with a reason."""
    raw = GOOD[:at] if cut else GOOD[:at] + bytes([byte]) + GOOD[at + 1 :]
    stands_or_is_refused(read_dsa_sor_csv, raw, DIGITAL)


def test_sniff_knows_its_own() -> None:
    """Each of the two formats recognises its own bytes and not the other's."""
    assert JSON_FORMAT.sniff(WHOLE)
    assert CSV_FORMAT.sniff(GOOD)
    assert not JSON_FORMAT.sniff(GOOD)
    assert not CSV_FORMAT.sniff(WHOLE)


def test_who_gave_notice_leaves_the_facts() -> None:
    """A single statement keeps its facts, without the name that the database has beside them."""
    result = read_json(
        statement(
            decision_facts="Ms EXAMPLE told of it.", source_identity="Ada Example", puid="ada-example-7"
        )
    )
    body = measure(result)
    assert body.facts == "Ms […] told of it."
    assert "xample" not in repr(body).lower()
