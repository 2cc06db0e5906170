"""Reads election definitions and candidate lists of EML-NL (``eml-nl-xml``): messages 110a, 110b and 230b.

One message gives one election calendar. Its dates have no zone, so they are read in the reader's zone, and a loss
reports this assumption. Names of candidates and parties are left out.

Source: OASIS Election Markup Language 5.0 as profiled by the Dutch Electoral Council (Kiesraad), whose extensions
have a namespace of their own.
"""

import datetime as dt
import re
from typing import Final
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from adapters.translation.drafting import finished, origin_of
from adapters.translation.prose import number_of
from adapters.translation.reading import (
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    clip,
    safe_xml,
    slug,
)
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.bulletin import Draft
from schemas.elections import TYPE_TOKENS, phase_at
from schemas.parts import Area, ElectionRef, Info
from schemas.vocab import Certainty, Phase, Severity, Urgency

__all__ = ["FORMAT", "read_eml_nl"]

MAX_BYTES: Final = 16 * 1024 * 1024
EML: Final = "{urn:oasis:names:tc:evs:schema:eml}"
KR: Final = "{http://www.kiesraad.nl/extensions}"
_MESSAGES: Final = {"110a": "election definition", "110b": "polling places", "230b": "candidate lists"}
# Election categories of EML-NL -> token of an election id; all others are `oth`.
_TOKENS: Final = {"TK": "parl", "EK": "sen", "EP": "ep", "GR": "mun", "PS": "reg"}
_CERTIFICATION_DAYS: Final = 7


def read_eml_nl(data: bytes, context: ReadContext) -> ReadResult:
    """The calendar of the election in a message.

    Raises:
        FormatError: ``hostile-xml``, ``malformed``, ``unsupported-message``, ``no-election`` or ``bad-date`` (also
            for a nomination on or after polling day: voters must not get a calendar that contradicts itself).
    """
    root = safe_xml(data, max_bytes=MAX_BYTES)
    if root.tag != f"{EML}EML":
        raise FormatError("the root is not an EML element", reason="not-eml")
    message = root.get("Id", "")
    if message not in _MESSAGES:
        raise FormatError(
            f"another EML message; read are {', '.join(_MESSAGES)}",
            reason="unsupported-message",
        )
    losses = Losses()
    identifier = root.find(f".//{EML}ElectionIdentifier")
    if identifier is None:
        raise FormatError("no ElectionIdentifier", reason="no-election")
    name = _text(identifier, f"{EML}ElectionName") or "election"
    category = _text(identifier, f"{EML}ElectionCategory")
    polling = _date(identifier, "ElectionDate")
    if polling is None:
        raise FormatError("no ElectionDate", reason="bad-date")
    token = _TOKENS.get(category, "oth")
    if token == "oth":
        losses.add("ElectionIdentifier/ElectionCategory", "a category without a type of its own")
    zone = _zone(context)
    losses.add("ElectionIdentifier/ElectionDate", f"a date without zone, read in {context.tz}")
    windows = _windows(root, identifier, polling, zone, losses)
    calendar = ElectionCalendar(windows=windows, tz=context.tz, confirmed=True)
    place = _place(identifier, losses) if token in ("mun", "reg", "oth") else ""
    local = f"-{place}" if place else ""
    election = ElectionRef(
        id=f"{context.country.lower()}-{token}-{polling.year}{local}",
        type=TYPE_TOKENS[token],
        phase=phase_at(calendar, context.received),
        polling_first=polling,
        polling_last=polling,
    )
    lists = _not_carried(root, losses)
    draft = Draft(
        info=_words(name, polling, lists, context),
        body=calendar,
        areas=(Area(scope="country", country=context.country),),
        election=election,
        urgency=Urgency.FUTURE if polling > context.received.date() else Urgency.PAST,
        severity=Severity.UNKNOWN,
        certainty=Certainty.OBSERVED,
    )
    original_id = f"{identifier.get('Id', '')}/{message}"
    origin = origin_of(
        FORMAT.id, data, context, version=root.get("SchemaVersion", ""), original_id=original_id
    )
    draft = finished(draft, context=context, losses=losses, origin=origin)
    return ReadResult(drafts=(draft,), losses=losses.found)


def _words(name: str, polling: dt.date, lists: int, context: ReadContext) -> tuple[Info, ...]:
    """The calendar in a sentence, in Dutch and in English; English comes first outside the Netherlands."""
    day = polling.isoformat()
    dutch, english = f"{name}: stemming op {day} ({context.tz}).", f"{name}: voting on {day} ({context.tz})."
    if lists:
        dutch += f" {lists} {'kandidatenlijst' if lists == 1 else 'kandidatenlijsten'} bekendgemaakt."
        english += f" {number_of(lists, 'list')} of candidates published."
    words = (
        _info("nl", f"{name}: verkiezingsdag {day}", dutch),
        _info("en", f"{name}: polling day {day}", english),
    )
    return words if context.country == "NL" else words[::-1]


def _info(lang: str, headline: str, summary: str) -> Info:
    return Info(lang=lang, headline=clip(headline, 160), summary=clip(summary, 2000))


def _windows(
    root: Element, identifier: Element, polling: dt.date, zone: ZoneInfo, losses: Losses
) -> tuple[PhaseWindow, ...]:
    """The windows: registration up to nomination day, campaign up to polling day, polling day, and the days of counting."""

    def window(phase: Phase, first: dt.date, after: dt.date, note: str | None = None) -> PhaseWindow:
        return PhaseWindow(phase=phase, start=_midnight(first, zone), end=_midnight(after, zone), note=note)

    day = dt.timedelta(days=1)
    voting = window(Phase.POLLING, polling, polling + day)
    found = []
    nominated = _date(identifier, "NominationDate")
    issued = _plain_date(_text(root, f"{EML}IssueDate"))
    if nominated is None:
        losses.add("ElectionIdentifier/NominationDate", "missing: the window is left out")
    elif nominated >= polling:
        raise FormatError(f"nomination on {nominated}, polling on {polling}", reason="bad-date")
    else:
        if issued is not None and issued < nominated:
            found.append(window(Phase.REGISTRATION, issued, nominated + day))
        found.append(window(Phase.CAMPAIGN, nominated + day, polling))
    certified = polling + _CERTIFICATION_DAYS * day
    counting = window(Phase.COUNTING, polling + day, certified, note="assumed: a week after polling day")
    found += (voting, counting)
    losses.add("(counting)", f"the message names no end of counting; {_CERTIFICATION_DAYS} days are assumed")
    return tuple(found)


def _not_carried(root: Element, losses: Losses) -> int:
    """Report the losses. Returns the number of candidate lists."""
    candidates = sum(1 for _ in root.iter(f"{EML}Candidate"))
    if candidates:
        losses.add("Affiliation/Candidate", f"{candidates} candidates: personal data, not carried")
    parties = sum(1 for _ in root.iter(f"{KR}RegisteredParty"))
    if parties:
        losses.add("RegisteredParties", f"{parties} parties are not part of a calendar")
    if root.find(f".//{KR}ElectionTree") is not None:
        losses.add("ElectionTree", "regions and committees are not part of a calendar")
    places = sum(1 for _ in root.iter(f"{EML}PollingPlace"))
    if places:
        losses.add("PollingPlace", f"{places} polling places are not part of a calendar")
    return sum(1 for _ in root.iter(f"{EML}Affiliation"))


def _place(identifier: Element, losses: Losses) -> str:
    """The municipality or province as a word of an election id; if the message names none, the end of the message's own id."""
    place = _text(identifier, f"{KR}ElectionDomain")
    if not place:
        place = identifier.get("Id", "").partition("_")[2]
        losses.add("ElectionIdentifier/ElectionDomain", "missing: the end of the id is used instead")
    return slug(place).replace("-", "")[:12] if place.strip() else ""


def _text(element: Element, path: str) -> str:
    found = element.find(path)
    return (found.text or "").strip() if found is not None else ""


def _date(identifier: Element, name: str) -> dt.date | None:
    text = _text(identifier, f"{KR}{name}")
    if not text:
        return None
    found = _plain_date(text)
    if found is None:
        raise FormatError(f"{name} is not a date", reason="bad-date")
    return found


def _plain_date(text: str) -> dt.date | None:
    try:
        return dt.date.fromisoformat(text) if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else None
    except ValueError:
        return None


def _zone(context: ReadContext) -> ZoneInfo:
    try:
        return ZoneInfo(context.tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise FormatError(f"there is no time zone {context.tz!r}", reason="bad-zone") from None


def _midnight(day: dt.date, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.combine(day, dt.time(), zone).astimezone(dt.UTC)


def _sniff(data: bytes) -> bool:
    head = data[:4096]
    return b"urn:oasis:names:tc:evs:schema:eml" in head and b"<EML" in head


FORMAT = Format(
    id="eml-nl-xml",
    title="EML-NL election definition and candidate lists (110a, 110b, 230b)",
    media_types=("application/xml", "text/xml"),
    sniff=_sniff,
    read=read_eml_nl,
)
