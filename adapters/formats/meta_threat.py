"""Reads the indicator tables of Meta's threat reports (``meta-threat-csv``), separated by commas or tabs, under any file name.

Two families of layout: kill chain tables (Tactic, Technique, Procedure, Indicator, and sometimes Notes or Comments), whose Indicator
column holds values, counts of accounts, and prose; and flat tables (indicator_type, indicator_value, comment, ds). A kill chain table
gives one draft of kind `fimi` and scope `network`. A flat table gives the same when its rows speak of coordinated inauthentic behaviour,
else a `cyber-threat`. The table of the kill chain itself is not a report and is refused.

Source: the public threat research repository of Meta; the Online Operations Kill Chain (2023).
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Final

from adapters.translation.drafting import finished, origin_of
from adapters.translation.gathering import Gathering, at_most
from adapters.translation.prose import carried, number_of, one_line
from adapters.translation.reading import (
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    decode_text,
)
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.foreign import Abcde, Fimi
from schemas.bulletin import Draft
from schemas.observables import classify
from schemas.parts import Info, Ttp
from schemas.scalars import MAX_COUNT

__all__ = ["FORMAT", "read_meta_threat"]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_ROWS: Final = 200_000
MAX_TTPS: Final = 100
MAX_CHANNELS: Final = 30

_CHAIN: Final = ("tactic", "technique", "procedure", "indicator")
_CHAIN_ENDS: Final = ((), ("note",), ("notes",), ("comments",), ("comment",))
_FLAT: Final = ("indicator_type", "indicator_value", "comment", "ds")

_NUMBERED: Final = re.compile(r"([0-9]{1,2}(?:\.[0-9]{1,3}){0,3})\.?\s*(.*)", re.DOTALL)
_COUNTED: Final = re.compile(
    r"(?:about |around |approximately )?([0-9]{1,3}(?:[,. ][0-9]{3}){1,3}|[0-9]{1,9})\s+(?:[\w/]+ ){0,2}?"
    r"(?:ac{1,2}ounts?|pages?|groups?|channels?|profiles?|events?)\.?",
    re.IGNORECASE,
)
# Words in a procedure -> platform slug.
_PLATFORMS: Final = (
    ("facebook", "facebook"),
    ("instagram", "instagram"),
    ("whatsapp", "whatsapp"),
    ("twitter", "x"),
    ("youtube", "youtube"),
    ("tiktok", "tiktok"),
    ("telegram", "telegram"),
    ("reddit", "reddit"),
    ("medium", "medium"),
    ("pinterest", "pinterest"),
    ("linkedin", "linkedin"),
)
# A value followed by a remark: ``spoof.example (Hosted a spoof of a newspaper)``.
_REMARKED: Final = re.compile(r"(\S{4,2000})\s+\(([^()]{1,300})\)")
_SYNTHETIC: Final = re.compile(
    r"generative adversarial|\bGANs?\b|AI-generated|artificial intelligence|deepfake", re.IGNORECASE
)
_SPOOFING: Final = re.compile(r"spoof|impersonat|typosquat|mimic", re.IGNORECASE)
_INAUTHENTIC: Final = re.compile(r"\bCIB\b|inauthentic", re.IGNORECASE)


def read_meta_threat(data: bytes, context: ReadContext) -> ReadResult:
    """Reads one table.

    Args:
        data: CSV or TSV with a header, at most 32 MiB and 200 000 rows.
        context: When and by which adapter it was received.

    Returns:
        One draft, and the losses.

    Raises:
        FormatError: ``unknown-layout``, ``catalogue-not-a-report``, ``empty``, ``malformed-row``, ``too-many-rows``, ``too-large``, or
            a reason of the text reader.
    """
    if len(data) > MAX_BYTES:
        raise FormatError(f"{len(data)} bytes; a table may hold {MAX_BYTES}", reason="too-large")
    losses = Losses()
    rows = _rows(decode_text(data))
    header = next(rows, ())
    table: _Chain | _Flat
    if header[:4] == _CHAIN and header[4:] in _CHAIN_ENDS:
        table = _Chain(losses)
    elif header == _FLAT:
        table = _Flat(losses)
    elif header == _CHAIN[:3]:
        raise FormatError("the kill chain itself, without indicators", reason="catalogue-not-a-report")
    else:
        raise FormatError("not the header of a threat report table", reason="unknown-layout")
    for row in rows:
        table.row(row)
    origin = origin_of(FORMAT.id, data, context)
    draft = finished(table.draft(), context=context, losses=losses, origin=origin)
    return ReadResult(drafts=(draft,), losses=losses.found)


class _Chain:
    """Reads a kill chain table."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._gathering = Gathering(losses)
        self._ttps: dict[str, Ttp] = {}
        self._behaviour: dict[str, None] = {}
        self._degree: dict[str, None] = {}
        self._platforms: dict[str, None] = {}
        self._methods: dict[str, None] = {"inauthentic-network": None}
        self._funding: tuple[str, ...] = ()
        self._synthetic: str | None = None
        self._channels = 0

    def row(self, cells: Sequence[str]) -> None:
        tactic, technique, procedure, indicator, *more = cells
        number, name = _numbered(procedure) or _numbered(technique) or _numbered(tactic) or ("", "")
        note = more[0] if more else ""
        if number:
            words = one_line(name, path="Procedure", losses=self._losses)
            self._ttps.setdefault(number, Ttp(framework="meta-kc", id=number, name=words))
        self._methods_of(number, indicator, note)
        if not indicator:
            return
        platform = next((slug for word, slug in _PLATFORMS if word in procedure.lower()), None)
        counted = _COUNTED.fullmatch(indicator)
        value, note = _remarked(indicator, note)
        if counted and number.startswith("0."):
            self._channels += int(re.sub("[,. ]", "", counted[1]))
            if platform:
                self._platforms.setdefault(platform)
        elif found := classify(value):
            role, actionable = _use(number, found.type, found.value, note)
            if number.startswith("0.9"):
                self._channels += 1
            if shown := found.platform or (platform if number.startswith("0.9") else None):
                self._platforms.setdefault(shown)
            self._gathering.add(
                found, path="Indicator", role=role, actionable=actionable, platform=platform, note=note
            )
        else:
            # 7.1 is money spent on advertising, 7.2 the audience that was won.
            sized = number.startswith(("7.1", "7.2")) and any(c.isdigit() for c in indicator)
            prose = self._degree if sized else self._behaviour
            prose.setdefault(" ".join(f"{indicator} {note}".split()))

    def draft(self) -> Draft:
        if not (self._ttps or len(self._gathering)):
            raise FormatError("a header without indicators", reason="empty")
        losses = self._losses
        ttps = at_most(self._ttps.values(), MAX_TTPS, "Procedure", losses)
        if self._channels > MAX_COUNT:
            losses.add("Indicator", f"{self._channels} accounts are more than a bulletin can count")
        observables = self._gathering.chosen(None)
        platforms = tuple(self._platforms)[:MAX_CHANNELS]
        on = f" on {', '.join(platforms)}" if platforms else ""
        headline = _headline(self._channels, _shown(len(observables), len(self._gathering)))
        summary = f"{headline}{on}; {number_of(len(ttps), 'technique')} of the kill chain."
        behaviour, degree = (
            carried("\n".join(texts), limit=2_000, path="Indicator", losses=losses)
            for texts in (self._behaviour, self._degree)
        )
        return Draft(
            info=(Info(lang="en", headline=headline[:160], summary=summary[:2_000]),),
            body=Fimi(
                scope="network",
                methods=tuple(self._methods),
                abcde=Abcde(behaviour=behaviour, degree=degree),
                channels=platforms,
                channel_count=min(self._channels, MAX_COUNT) or None,
                synthetic=self._synthetic,
                funding=self._funding,
            ),
            ttps=ttps,
            observables=observables,
        )

    def _methods_of(self, number: str, indicator: str, note: str) -> None:
        if _SPOOFING.search(note) and number.startswith("0.6"):
            self._methods.setdefault("website-cloning")
        if number.startswith("7.1"):
            self._methods.setdefault("covert-advertising")
            self._funding = ("ad-purchases",)
        if number.startswith("3.5"):
            self._methods.setdefault("bot-amplification")
        if _SYNTHETIC.search(indicator) or _SYNTHETIC.search(note):
            self._synthetic = "suspected"


class _Flat:
    """Reads a flat table."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._gathering = Gathering(losses)
        self._comments: dict[str, None] = {}
        self._inauthentic = False

    def row(self, cells: Sequence[str]) -> None:
        kind, value, comment, day = cells
        if _INAUTHENTIC.search(comment) or kind.lower().startswith("cib"):
            self._inauthentic = True
        if comment:
            self._comments.setdefault(" ".join(comment.split()))
        if day:
            self._losses.add("ds", "the day of publication has no field in an observable")
        found = classify(value)
        if found is None:
            self._losses.add("indicator_value", "neither domain, address, URL nor digest")
            return
        actionable = found.type != "url"
        role = "infrastructure" if actionable else "content"
        self._gathering.add(found, path="indicator_value", role=role, actionable=actionable, note=comment)

    def draft(self) -> Draft:
        if not len(self._gathering):
            raise FormatError("a header without indicators", reason="empty")
        observables = self._gathering.chosen(None)
        description = carried("\n".join(self._comments), limit=2_000, path="comment", losses=self._losses)
        shown = _shown(len(observables), len(self._gathering))
        body: Fimi | CyberThreat
        if self._inauthentic:
            headline = _headline(0, shown)
            abcde = Abcde(behaviour=description)
            body = Fimi(scope="network", methods=("inauthentic-network",), abcde=abcde)
        else:
            headline = f"Threat indicators of a platform's report: {shown}"
            body = CyberThreat(title=headline, description=description)
        info = Info(
            lang="en", headline=headline, summary=f"{headline}\n\n{description or ''}"[:2_000].strip()
        )
        return Draft(info=(info,), body=body, observables=observables)


def _headline(accounts: int, shown: str) -> str:
    """The size of the network, in one line."""
    sizes = (f"{accounts} accounts, pages and groups" if accounts else "", shown)
    return f"Coordinated inauthentic network: {', '.join(filter(None, sizes)) or 'how it works'}"


def _shown(carried_over: int, known: int) -> str:
    """The number of observables, and how many are in the draft; empty if there are none."""
    if carried_over < known:
        return f"{carried_over} of {known} observables"
    return number_of(known, "observable") if known else ""


def _remarked(cell: str, note: str) -> tuple[str, str]:
    """(value, remark), with the remark from the next cell or in parentheses after the value."""
    found = _REMARKED.fullmatch(cell)
    if found is None or classify(found[1]) is None:
        return cell, note
    return found[1], f"{found[2]}; {note}" if note else found[2]


def _rows(text: str) -> Iterator[tuple[str, ...]]:
    """The header in lower case, then the rows that are not empty; every cell is trimmed."""
    delimiter = "\t" if "\t" in text.partition("\n")[0] else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    width = 0
    try:
        for number, row in enumerate(reader):
            cells = tuple(cell.strip() for cell in row)
            if not width:
                width = len(cells)
                yield tuple(cell.lower() for cell in cells)
                continue
            if number > MAX_ROWS:
                raise FormatError(f"more than {MAX_ROWS} rows", reason="too-many-rows")
            if not any(cells):
                continue
            if len(cells) < width or any(cells[width:]):
                raise FormatError(
                    f"line {reader.line_num}: {len(cells)} cells under {width} columns",
                    reason="malformed-row",
                )
            yield cells[:width]
    except csv.Error as error:
        raise FormatError(f"line {reader.line_num}: {error}", reason="malformed-row") from None


def _numbered(cell: str) -> tuple[str, str] | None:
    """The number and the name of ``0.9.1 Acquiring Facebook assets``."""
    found = _NUMBERED.match(cell)
    return (found[1], found[2].strip() or cell) if found else None


def _use(number: str, kind: str, value: str, note: str) -> tuple[str, bool]:
    """(role of a value, whether it is fit for automated matching); domains owned by the network are fit."""
    owned = number.startswith(("0.6", "0.8", "9.5")) and (
        kind == "domain-name" or value.rstrip("/").count("/") == 2
    )
    if number.startswith("0.6") and _SPOOFING.search(note):
        return "impersonating-site", owned
    if owned:
        return "infrastructure", True
    if number.startswith("0.9"):
        return "publisher", False
    return "content", False


def _sniff(data: bytes) -> bool:
    line = data[:512].lstrip(b"\xef\xbb\xbf").partition(b"\n")[0].lower()
    return line.startswith((b"tactic", b"indicator_type,", b"indicator_type\t"))


FORMAT: Final = Format(
    id="meta-threat-csv",
    title="Meta threat report indicators (CSV or TSV)",
    media_types=("text/csv", "text/tab-separated-values"),
    read=read_meta_threat,
    sniff=_sniff,
)
