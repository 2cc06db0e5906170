"""Reads event logs of voting equipment (``nist-1500-101-json``): one election incident for each device that failed.

Both published versions of the schema are read, and `Events`, which vendors write for `Event`. User ids are dropped. A
log without a failure gives no draft, and a loss says so.

Source: NIST SP 1500-101, Election Event Logging Common Data Format.
"""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Final

import msgspec

from adapters.translation.drafting import finished, instant, origin_of
from adapters.translation.prose import number_of
from adapters.translation.reading import (
    OTHER,
    Format,
    FormatError,
    Losses,
    ReadContext,
    ReadResult,
    clip,
    identifier,
    strict_json,
    told,
)
from schemas.bodies.electoral import ElectionIncident
from schemas.bulletin import Draft
from schemas.parts import Area, Info, Provenance
from schemas.vocab import Certainty, Phase, Severity, Urgency

__all__ = ["FORMAT", "read_nist_1500_101"]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_DEVICES: Final = 2000
MAX_INCIDENTS: Final = 200
MAX_LOGGED: Final = 50

# The two versions of the schema use different names for the same thing.
_SAME_DEVICE: Final = {"bmd": "ballot-marking"}
_CATEGORY: Final = {
    "electronic-poll-book": "pollbook-failure",
    "transmission-sending": "transmission-failure",
    "transmission-receiving": "transmission-failure",
    "ballot-printing": "ballot-printing-error",
    "blank-ballot-printing": "ballot-printing-error",
    "ems": "outage",
    "adjudication": "outage",
}
_DEVICES: Final = frozenset(
    {
        *_CATEGORY, "access-control", "ballot-activation", "ballot-marking", "batch-fed-scanner", "bmd", "hybrid", "scan-batch",
        "scan-single", "vote-capture", "voting-machine",
    }
)  # fmt: skip
_TIME: Final = re.compile(r"[0-9TZ:+. -]{1,40}")
_GRAVE: Final = re.compile(r"\b(?:fatal|critical|emergency|alert|severe|high)\b", re.IGNORECASE)
_WRONG: Final = re.compile(r"\b(?:error|err|fail(?:ed|ure)?|fault)\b", re.IGNORECASE)


def read_nist_1500_101(data: bytes, context: ReadContext) -> ReadResult:
    """An incident for each device with a failure.

    Raises:
        FormatError: what `strict_json` raises, ``not-an-event-log`` or ``too-large``.
    """
    document = strict_json(data, max_bytes=MAX_BYTES)
    if not isinstance(document, dict) or "$schema" in document or "definitions" in document:
        raise FormatError("not an election event log", reason="not-an-event-log")
    log = document.get("ElectionEventLog", document)
    devices = log.get("Device") if isinstance(log, dict) else None
    if not isinstance(log, dict) or "GeneratedTime" not in log or not isinstance(devices, list):
        raise FormatError("no GeneratedTime or no list of Device", reason="not-an-event-log")
    if len(devices) > MAX_DEVICES:
        raise FormatError(f"{len(devices)} devices; at most {MAX_DEVICES} are read", reason="too-large")
    losses = Losses()
    losses.add("(stage)", "the log does not name the phase of the election; polling is assumed")
    if log.get("ElectionId"):
        losses.add("ElectionId", "a local id, which names no election of the bus")
    origin = origin_of(FORMAT.id, data, context)
    drafts: list[Draft] = []
    made = log["GeneratedTime"]
    made = made if isinstance(made, str) and _TIME.fullmatch(made) else ""
    for n, device in enumerate(devices):
        if not isinstance(device, dict):
            raise FormatError(f"Device[{n}] is not an object", reason="not-an-event-log")
        draft = _incident(device, n, losses, context, origin, made)
        if draft is not None and len(drafts) < MAX_INCIDENTS:
            drafts.append(draft)
        elif draft is not None:
            losses.add("Device", f"beyond the first {MAX_INCIDENTS} failed devices: left out")
    if not drafts:
        losses.add("Device", f"no failure in {len(devices)} devices: no incident")
    return ReadResult(drafts=tuple(drafts), losses=losses.found)


def _incident(
    device: dict[str, object],
    n: int,
    losses: Losses,
    context: ReadContext,
    origin: Provenance,
    generated: str,
) -> Draft | None:
    failures = []
    total = 0
    for event in _events(device, n, losses):
        total += 1
        if "UserId" in event:
            losses.add("Device/Event/UserId", "personal data, not carried")
        if any(key in event for key in ("Description", "Details", "Hash")):
            losses.add("Device/Event/Details", "free text of a vendor, not carried")
        if _failed(event):
            failures.append(event)
    if not failures:
        return None
    kind = told(str(device.get("Type")), _DEVICES)
    kind = "other" if kind == OTHER else _SAME_DEVICE.get(kind, kind)
    grave = any(_GRAVE.search(str(event.get("Severity", ""))) for event in failures)
    named = _id_of(device, "Id") or f"device {n + 1}"
    times = sorted(moment for event in failures if (moment := instant(event.get("TimeStamp"))) is not None)
    if len(times) < len(failures):
        losses.add("Device/Event/TimeStamp", "a time without zone or no time")
    logged = tuple(
        f"{_id_of(event, 'Id') or '?'}/{_id_of(event, 'Sequence') or '?'} {_id_of(event, 'Type') or ''}"[:200]
        for event in failures[:MAX_LOGGED]
    )
    if len(failures) > MAX_LOGGED:
        losses.add(
            "Device/Event", f"{len(failures) - MAX_LOGGED} of {len(failures)} failures are only counted"
        )
    if device.get("Manufacturer") or device.get("Model") or device.get("Version"):
        losses.add("Device/Manufacturer", "maker and model are not carried")
    words = f"{number_of(len(failures), 'failure')} in {total} logged events of {kind} {named}"
    summary = f"{words}; log generated {generated or 'some time'}."
    body = ElectionIncident(
        category=_CATEGORY.get(kind, "voting-device-failure"),
        stage=Phase.POLLING,
        units_affected=1,
        description=words,
        device_type=kind,
        log_events=logged,
    )
    draft = Draft(
        info=(Info(lang="en", headline=clip(words, 160), summary=summary),),
        body=body,
        areas=(Area(scope="country", country=context.country),),
        onset=times[0] if times else None,
        urgency=Urgency.IMMEDIATE if _recent(times, context.received) else Urgency.PAST,
        severity=Severity.MODERATE if grave else Severity.MINOR,
        certainty=Certainty.OBSERVED,
    )
    origin = msgspec.structs.replace(origin, original_id=identifier(f"{named.replace(' ', '-')}/{generated}"))
    return finished(draft, context=context, losses=losses, origin=origin)


def _events(device: dict[str, object], n: int, losses: Losses) -> Iterator[dict[str, object]]:
    events = device.get("Event")
    if events is None and "Events" in device:
        losses.add("Device/Events", "a vendor's spelling of Event, read as such")
        events = device["Events"]
    if events is None:
        return
    if not isinstance(events, list):
        raise FormatError(f"Device[{n}]/Event is not a list", reason="not-an-event-log")
    for event in events:
        if not isinstance(event, dict):
            raise FormatError(
                f"Device[{n}]/Event holds entries that are not events", reason="not-an-event-log"
            )
        yield event


def _id_of(owner: dict[str, object], name: str) -> str | None:
    """An id or code in a form for bulletins; logs write them as text or numbers."""
    value = owner.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    told_so = identifier(str(value))
    return None if told_so is None else told_so[:80]


def _failed(event: dict[str, object]) -> bool:
    severity = str(event.get("Severity", ""))
    return str(event.get("Disposition", "")).lower() == "failure" or bool(
        _GRAVE.search(severity) or _WRONG.search(severity)
    )


def _recent(times: list[dt.datetime], received: dt.datetime) -> bool:
    return bool(times) and received - times[-1] < dt.timedelta(hours=12)


def _sniff(data: bytes) -> bool:
    return b'"GeneratedTime"' in data[:65_536] and b'"Device"' in data and b'"$schema"' not in data[:2048]


FORMAT = Format(
    id="nist-1500-101-json",
    title="NIST SP 1500-101 election event log",
    media_types=("application/json",),
    sniff=_sniff,
    read=read_nist_1500_101,
)
