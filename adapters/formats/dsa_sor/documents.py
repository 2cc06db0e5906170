"""Reads statements of reasons of the DSA Transparency Database: API JSON (``dsa-sor-json``) and daily dumps (``dsa-sor-csv``).

One draft of kind `platform-measure` is a sum of many statements, not a bulletin for each. A file with a single
statement gives a sum of one, which keeps its facts and its identifier.

Source: DSA Transparency Database, API documentation and daily dumps (full and light); Regulation (EU) 2022/2065 articles 17, 24(5).
"""

import csv
import datetime as dt
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from adapters.formats.dsa_sor.statements import OTHER_ATTRIBUTES, Statement, Sum, read_statement, summed
from adapters.translation.drafting import finished, origin_of
from adapters.translation.persons import Persons
from adapters.translation.prose import carried, number_of
from adapters.translation.reading import (
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    decode_text,
    strict_json,
    told,
)
from schemas.bodies.digital import PlatformMeasure
from schemas.bulletin import Draft
from schemas.parts import Area, Info, Provenance
from schemas.scalars import MAX_COUNT
from schemas.vocab import Certainty, Dimension, Urgency

__all__ = ["CSV_FORMAT", "JSON_FORMAT", "read_dsa_sor_csv", "read_dsa_sor_json"]

MAX_JSON_BYTES: Final = 32 * 1024 * 1024
MAX_CSV_BYTES: Final = 128 * 1024 * 1024
MAX_ROWS: Final = 500_000
MAX_DRAFTS: Final = 200
MAX_KEYWORDS: Final = 10
MAX_CONTENT_TYPES: Final = 8
MAX_TERRITORIES: Final = 32
_UNION: Final = 27

_REQUIRED_COLUMNS: Final = frozenset(
    {"decision_visibility", "decision_ground", "category", "source_type", "platform_name"}
)
_CARRIED: Final = frozenset(
    {
        "application_date", "automated_decision", "automated_detection", "category", "category_specification", "content_type",
        "created_at", "decision_account", "decision_ground", "decision_monetary", "decision_provision", "decision_visibility",
        "platform_name", "source_type", "territorial_scope",
    }
)  # fmt: skip
_OF_ONE: Final = frozenset({"decision_facts", "puid", "platform_uid"})
_FREE_TEXT: Final = frozenset(
    {
        "category_specification_other", "content_type_other", "decision_facts", "decision_monetary_other", "decision_visibility_other",
        "illegal_content_explanation", "illegal_content_legal_ground", "incompatible_content_explanation",
        "incompatible_content_ground", "source_identity",
    }
)  # fmt: skip
_ATTRIBUTES: Final = _CARRIED | _OF_ONE | _FREE_TEXT | OTHER_ATTRIBUTES
_DIMENSIONS: Final = {
    "negative-effects-on-civic-discourse-or-elections": (
        Dimension.DISINFORMATION,
        Dimension.ELECTORAL_PROCESS,
    ),
    "scams-and-fraud": (Dimension.CYBERCRIME,),
    "data-protection-and-privacy-violations": (Dimension.DATA_PROTECTION,),
}


def read_dsa_sor_json(data: bytes, context: ReadContext) -> ReadResult:
    """Reads one statement, a list, or ``{"statements": [...]}``.

    Args:
        data: JSON, at most 32 MiB.
        context: When and by which adapter it was received.

    Returns:
        At most 200 drafts, each a sum; and the losses.

    Raises:
        FormatError: ``empty``, ``error-answer``, ``not-a-statement``, ``malformed-statement``, or a reason of the JSON reader.
    """
    members = tuple(_members(strict_json(data, max_bytes=MAX_JSON_BYTES)))
    present = Counter(
        name for each in members for name, value in each.items() if value not in (None, "", [], {})
    )
    statements = (read_statement(each, f"statements[{number}]") for number, each in enumerate(members))
    return _result(statements, present, origin_of(JSON_FORMAT.id, data, context), context)


def read_dsa_sor_csv(data: bytes, context: ReadContext) -> ReadResult:
    """Reads a daily dump, full or light.

    Args:
        data: CSV with a header, at most 128 MiB and 500 000 statements.
        context: When and by which adapter it was received.

    Returns:
        At most 200 drafts, each a sum; and the losses.

    Raises:
        FormatError: ``unknown-layout``, ``empty``, ``malformed-row``, ``malformed-statement``, ``too-many-rows``, or a reason of the
            text reader.
    """
    if len(data) > MAX_CSV_BYTES:
        raise FormatError(f"{len(data)} bytes; a dump may hold {MAX_CSV_BYTES}", reason="too-large")
    present: Counter[str] = Counter()
    statements = _rows(decode_text(data), present)
    return _result(statements, present, origin_of(CSV_FORMAT.id, data, context), context)


def _members(document: object) -> Iterator[Mapping[str, object]]:
    match document:
        case {"statements": list() as statements} | [*statements]:
            yield from _all(statements)
        case Mapping() if document:
            yield _checked(document)
        case _:
            raise FormatError("no statement in it", reason="empty")


def _all(statements: Sequence[object]) -> Iterator[Mapping[str, object]]:
    if not statements:
        raise FormatError("no statement in it", reason="empty")
    if len(statements) > MAX_ROWS:
        raise FormatError(f"{len(statements)} statements", reason="too-many-rows")
    for each in statements:
        if not isinstance(each, Mapping):
            raise FormatError("a list of entries that are not statements", reason="not-a-statement")
        yield _checked(each)


def _checked(members: Mapping[str, object]) -> Mapping[str, object]:
    if "errors" in members or ("message" in members and "category" not in members):
        raise FormatError("an error answer of the database", reason="error-answer")
    if not all(isinstance(members.get(name), str) for name in ("category", "decision_ground", "source_type")):
        raise FormatError("JSON, but not a statement of reasons", reason="not-a-statement")
    return members


def _rows(text: str, present: Counter[str]) -> Iterator[Statement]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if not set(header) >= _REQUIRED_COLUMNS or len(set(header)) != len(header):
            raise FormatError(
                "not the header of a dump of the Transparency Database", reason="unknown-layout"
            )
        for number, row in enumerate(reader):
            if not row:
                continue
            where = f"line {reader.line_num}"
            if len(row) != len(header):
                raise FormatError(
                    f"{where}: {len(row)} cells under {len(header)} columns", reason="malformed-row"
                )
            if number >= MAX_ROWS:
                raise FormatError(f"more than {MAX_ROWS} statements", reason="too-many-rows")
            members = {
                name: value
                for name, value in zip(header, row, strict=True)
                if value and value not in ("[]", "null")
            }
            present.update(members.keys())
            yield read_statement(members, where)
    except csv.Error as error:
        raise FormatError(f"line {reader.line_num}: {error}", reason="malformed-row") from None


def _result(
    statements: Iterator[Statement], present: Counter[str], origin: Provenance, context: ReadContext
) -> ReadResult:
    """Sums up the statements; `present` holds, after reading, how often each attribute occurred."""
    losses = Losses()
    sums, beyond = summed(statements, MAX_DRAFTS)
    count = beyond + sum(each.count for each in sums)
    if not count:
        raise FormatError("a header without statements", reason="empty")
    if beyond:
        losses.add(
            "statements", f"{beyond} of {count} statements are in sums beyond the {MAX_DRAFTS} largest"
        )
    single = count == 1
    others: Counter[str] = Counter()
    for name, times in present.items():
        if name not in _CARRIED and not (single and name in _OF_ONE):
            others[told(name, _ATTRIBUTES)] += times
    for name, times in sorted(others.items()):
        why = "free text, which may speak of persons" if name in _FREE_TEXT else "has no field in a sum"
        losses.add(f"statements.{name}", f"{why}: {times} not carried")
    persons = Persons()
    if single:
        # The notifier may be a person, and the facts of a single statement may name them.
        persons.add(sums[0].first.notifier)
    drafts = tuple(
        finished(_draft(each, single, losses), context=context, losses=losses, origin=origin, persons=persons)
        for each in sums
    )
    return ReadResult(drafts=drafts, losses=losses.found)


def _draft(each: Sum, single: bool, losses: Losses) -> Draft:
    first = each.first
    count = min(each.count, MAX_COUNT)
    if count < each.count:
        losses.add("count", f"{each.count} is more than a bulletin can count: {MAX_COUNT}")
    if each.unread_territories:
        losses.add(
            "statements.territorial_scope", f"{each.unread_territories} entries that are not country codes"
        )
    keywords = _common(each.keywords, MAX_KEYWORDS, "category_specification", losses)
    content_types = _common(each.content_types, MAX_CONTENT_TYPES, "content_type", losses)
    territories = _common(each.territories, MAX_TERRITORIES, "territorial_scope", losses)
    category = first.category.replace("-", " ")
    facts = carried(first.facts or "", limit=5_000, path="decision_facts", losses=losses) if single else None
    body = PlatformMeasure(
        platform=first.platform,
        source_type=first.source,
        ground=first.ground,
        category=first.category,
        visibility=first.visibility,
        monetary=first.monetary,
        provision=first.provision,
        account=first.account,
        keywords=keywords,
        content_types=content_types,
        territorial_scope=territories,
        automated_detection=first.detection,
        automated_decision=first.decision,
        facts=facts,
        puid=first.puid if single else None,
        count=count,
        period_start=each.begin,
        period_end=each.end,
    )
    headline = f"{first.platform}: {number_of(count, 'measure')} ({category})"[:160]
    return Draft(
        info=(Info(lang="en", headline=headline, summary=_summary(each, count, category)),),
        body=body,
        dimensions=_DIMENSIONS.get(first.category),
        areas=_areas(territories),
        urgency=Urgency.PAST,
        certainty=Certainty.OBSERVED,
        onset=dt.datetime.combine(each.begin, dt.time(), dt.UTC) if each.begin else None,
    )


def _summary(each: Sum, count: int, category: str) -> str:
    first = each.first
    decisions = [f"visibility {item}" for item in first.visibility]
    others = {"monetary": first.monetary, "provision": first.provision, "account": first.account}
    decisions += [f"{name} {value}" for name, value in others.items() if value]
    period = f" from {each.begin} to {each.end}" if each.begin else ""
    return (
        f"{number_of(count, 'statement')} of reasons (DSA article 17) of {first.platform}{period}. Category: {category}. Ground: {first.ground}. "
        f"Source: {first.source}. Decision: {', '.join(decisions) or 'several'}."
    )[:2_000]


def _areas(territories: tuple[str, ...]) -> tuple[Area, ...] | None:
    if not territories:
        return None
    if len(territories) >= _UNION:
        return (Area(scope="eu", country="EU"),)
    return tuple(Area(scope="country", country=each) for each in territories)


def _common(found: Counter[str], most: int, path: str, losses: Losses) -> tuple[str, ...]:
    """The most frequent values, in alphabetical order."""
    if len(found) > most:
        losses.add(f"statements.{path}", f"the {most} most frequent of {len(found)} values")
    ranked = sorted(found, key=lambda value: (-found[value], value))
    return tuple(sorted(ranked[:most]))


def _sniff_json(data: bytes) -> bool:
    return b'"decision_ground"' in data[:65_536] and b'"STATEMENT_CATEGORY_' in data[:65_536]


def _sniff_csv(data: bytes) -> bool:
    line = data[:4096].partition(b"\n")[0]
    return b"decision_ground" in line and b"source_type" in line and b'"' not in line


JSON_FORMAT: Final = Format(
    id="dsa-sor-json",
    title="DSA statements of reasons (Transparency Database API)",
    media_types=("application/json",),
    read=read_dsa_sor_json,
    sniff=_sniff_json,
)
CSV_FORMAT: Final = Format(
    id="dsa-sor-csv",
    title="DSA statements of reasons (Transparency Database daily dump)",
    media_types=("text/csv",),
    read=read_dsa_sor_csv,
    sniff=_sniff_csv,
)
