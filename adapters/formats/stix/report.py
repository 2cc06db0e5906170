"""Reads STIX 2.1 (``stix-2-1``): one draft for each report or grouping, or one for the bundle.

A bundle about information manipulation (DISARM techniques, channels, narratives, media content) becomes a `fimi`,
every other one a `cyber-threat`. Indicators whose pattern only lists values give actionable observables; any other
pattern is kept as text beside its values. Observables without an indicator are not actionable.

The strictest marking of all objects counts for the draft. The draft is marked only if its report is, or without a
report if each object is. Natural persons are not named below AMBER+STRICT, and their names are removed from all
texts.

Source: STIX Version 2.1, OASIS Standard, 10 June 2021.
"""

import datetime as dt
import re
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from adapters.formats.stix.actors import attribution_of, persons_of, targets_of
from adapters.formats.stix.bundle import scopes
from adapters.formats.stix.fimi import fimi_of, is_manipulation
from adapters.formats.stix.names import OBJECT_TYPES, OBSERVABLE_TYPES, RELATIONSHIP_TYPES
from adapters.formats.stix.objects import (
    Member,
    held_values,
    listed,
    named_value,
    references,
    technique_of,
    text_of,
)
from adapters.formats.stix.patterns import PatternError, read_pattern
from adapters.formats.stix.scope import Scope
from adapters.formats.stix.threat import threat_of
from adapters.formats.stix.ties import Ties
from adapters.translation.drafting import finished, instant, integer, origin_of
from adapters.translation.gathering import Gathering, at_most
from adapters.translation.prose import carried, headline_of, link_of, number_of
from adapters.translation.reading import (
    Format,
    Loss,
    Losses,
    ReadContext,
    ReadResult,
    identifier,
    strict_json,
    told,
)
from adapters.translation.threats import is_machine_tag, rule_of
from schemas.bodies.cyber import CyberThreat
from schemas.bodies.foreign import Fimi
from schemas.bulletin import Draft
from schemas.parts import Confidence, Handling, Info, Provenance, Ttp
from schemas.scalars import MAX_COUNT

__all__ = ["FORMAT", "read_stix"]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_TTPS: Final = 100
MAX_LABELS: Final = 32

# Object types that give the title if there is no report, in this order.
_TITLED: Final = (
    "incident",
    "campaign",
    "attack-flow",
    "event",
    "intrusion-set",
    "malware",
    "infrastructure",
    "vulnerability",
    "indicator",
)
_HARMLESS: Final = frozenset({"benign"})
_READ: Final = OBSERVABLE_TYPES | frozenset(
    {
        "attack-action", "attack-flow", "attack-pattern", "campaign", "extension-definition", "grouping", "identity", "incident",
        "indicator", "intrusion-set", "location", "malware", "marking-definition", "narrative", "observed-data", "relationship",
        "report", "sighting", "threat-actor", "tool", "vulnerability",
    }
)  # fmt: skip
_ONLY_THREAT: Final = ("malware", "tool", "vulnerability")
_LANG: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-[A-Z]{2})?")
_RULES: Final = frozenset({"pcre", "sigma", "snort", "spl", "suricata", "yara"})

Window = tuple[int | None, dt.datetime | None, dt.datetime | None]


def read_stix(data: bytes, context: ReadContext) -> ReadResult:
    """Reads a STIX 2.1 bundle, TAXII envelope, list of objects, or single object.

    Args:
        data: JSON, at most 32 MiB.
        context: When and by which adapter it was received.

    Returns:
        One draft for each report or grouping (without any, one for the whole); and the losses.

    Raises:
        FormatError: With a reason of `adapters.formats.stix.bundle.scopes`, ``unknown-marking``, ``classified``, or of the JSON reader.
    """
    outside = Losses()
    found = scopes(strict_json(data, max_bytes=MAX_BYTES), outside)
    origin = origin_of(FORMAT.id, data, context, version="2.1")
    drafts: list[Draft] = []
    losses: list[Loss] = list(outside.found)
    for scope in found:
        reading = _Reading(scope, context, Losses())
        drafts.append(reading.draft(origin))
        losses += reading.losses.found
    return ReadResult(drafts=tuple(drafts), losses=tuple(losses))


class _Reading:
    """Reads one scope: each part becomes a field of the draft, or a loss."""

    def __init__(self, scope: Scope, context: ReadContext, losses: Losses) -> None:
        self._scope = scope
        self._context = context
        self._gathering = Gathering(losses)
        self._detection: dict[str, None] = {}
        self._windows: dict[str, Window] = {}
        self._sighted: set[str] = set()
        self._denied: set[str] = set()
        # The object for the whole: the report, or the first that can replace it.
        self._top: Member = scope.report or next(iter(scope.of(*_TITLED)), {})
        self.losses = losses
        self._marking = scope.marking(losses)
        self._deviations()
        self._ttps = self._techniques()
        self._manipulation = is_manipulation(scope, self._ttps)

    def draft(self, origin: Provenance) -> Draft:
        scope, losses, top = self._scope, self.losses, self._top
        self._observed()
        for item in scope.of("indicator"):
            self._indicator(item)
        for item in (*scope.of(*sorted(OBSERVABLE_TYPES)), *self._embedded()):
            self._observable(item)
        title = self._title()
        described = f"{text_of(top, 'type')}.description"
        prose = carried(text_of(top, "description"), limit=8_000, path=described, losses=losses)
        body: CyberThreat | Fimi
        if self._manipulation:
            body = fimi_of(scope, self._ttps, self._marking, prose, losses)
            beside = len(self._detection) + len(scope.of(*_ONLY_THREAT))
            if beside:
                losses.add(
                    "body", f"{beside} detection rules, malware and vulnerabilities: a fimi body holds none"
                )
        else:
            body = threat_of(scope, title, prose, self._detection, losses)
            if scope.of("campaign"):
                losses.add("campaign", "a cyber-threat has no field for the campaign that it is part of")
        return self._complete(title, prose, body, origin)

    # --- observables

    def _indicator(self, item: Member) -> None:
        pattern, kind = text_of(item, "pattern"), text_of(item, "pattern_type").lower()
        if kind not in ("stix", ""):
            self._rule(kind if kind in _RULES else "other", pattern)
            return
        try:
            reading = read_pattern(pattern)
        except PatternError as error:
            self.losses.add("indicator.pattern", f"not a STIX pattern: {error}")
            return
        valid_until = instant(item.get("valid_until"))
        current = valid_until is None or valid_until > self._context.received
        harmless = _HARMLESS & {each.lower() for each in references(item, "indicator_types")}
        if not current:
            self.losses.add("indicator.valid_until", "no longer valid: not fit for automated matching")
        count, first, last = self._windows.get(text_of(item, "id"), (None, None, None))
        whole, denied = reading.exact, text_of(item, "id") in self._denied
        for named in reading.values:
            seen = named_value(named)
            if seen is None:
                whole = False
                continue
            self._gathering.add(
                seen,
                path="indicator.pattern",
                actionable=reading.exact and current and not harmless and not denied,
                first_seen=first,
                last_seen=last,
                count=count,
                note=text_of(item, "name") or text_of(item, "description"),
            )
            if denied:
                self._gathering.doubt(seen)
        if not whole:
            self._rule("stix", pattern)

    def _rule(self, kind: str, text: str) -> None:
        if rule := rule_of(kind, text, path="indicator.pattern", losses=self.losses):
            self._detection.setdefault(rule)

    def _observable(self, item: Member) -> None:
        kind = text_of(item, "type")
        values = held_values(item)
        if not values:
            self.losses.add(kind, "holds no value that could be matched")
        for name in ("payload_bin", "x_opencti_files"):
            if item.get(name):
                self.losses.add(f"{kind}.{name}", "files are not carried")
        count, first, last = self._windows.get(text_of(item, "id"), (None, None, None))
        for held in values:
            self._gathering.add(
                held.found,
                path=kind,
                # In a report on manipulation an account is a publisher; in a report on machines it is a source.
                role="source" if held.role == "publisher" and not self._manipulation else held.role,
                platform=held.platform,
                first_seen=first,
                last_seen=last,
                count=count,
                note=held.note or text_of(item, "x_opencti_description"),
            )
            if text_of(item, "id") in self._denied:
                self._gathering.doubt(held.found)

    def _observed(self) -> None:
        """Collects the times and numbers of observations and sightings, by object id."""
        for item in self._scope.of("observed-data"):
            window = _window(item, "number_observed", "first_observed", "last_observed")
            self._windows |= dict.fromkeys(references(item, "object_refs"), window)
        for item in self._scope.of("sighting"):
            seen = text_of(item, "sighting_of_ref")
            window = _window(item, "count", "first_seen", "last_seen")
            if item.get("x_opencti_negative") is True:
                self.losses.add("sighting", "a negative sighting: no longer fit for automated matching")
                self._denied.add(seen)
            elif seen in self._sighted:
                self._windows[seen] = _joined(self._windows[seen], window)
            else:
                self._windows[seen] = window
                self._sighted.add(seen)

    def _embedded(self) -> Iterator[Member]:
        """The observables inside an ``observed-data`` in the form of STIX 2.0, which 2.1 deprecates but allows."""
        for item in self._scope.of("observed-data"):
            inside = item.get("objects")
            if isinstance(inside, Mapping):
                self.losses.add(
                    "observed-data.objects", "deprecated: read as if they were objects of the bundle"
                )
                yield from (
                    each
                    for each in inside.values()
                    if isinstance(each, Mapping) and text_of(each, "type") in OBSERVABLE_TYPES
                )

    # --- words

    def _title(self) -> str:
        for item in filter(None, (self._scope.report, *self._scope.of(*_TITLED))):
            kind, words = text_of(item, "type"), text_of(item, "name") or text_of(item, "description")
            if title := headline_of(words, path=f"{kind}.name", losses=self.losses):
                return title
        return "Observables shared as STIX 2.1"

    def _techniques(self) -> tuple[Ttp, ...]:
        found: dict[tuple[str, str], Ttp] = {}
        for item in self._scope.of("attack-pattern", "attack-action"):
            ttp = technique_of(item)
            kind = text_of(item, "type")
            if ttp is None:
                self.losses.add(kind, "a technique without the id of a framework")
                continue
            name = headline_of(text_of(item, "name"), path=f"{kind}.name", losses=self.losses)
            found.setdefault((ttp.framework, ttp.id), Ttp(framework=ttp.framework, id=ttp.id, name=name))
        return at_most(found.values(), MAX_TTPS, "attack-pattern", self.losses)

    # --- the whole

    def _complete(self, title: str, prose: str | None, body: CyberThreat | Fimi, origin: Provenance) -> Draft:
        losses, marking, top, ttps = self.losses, self._marking, self._top, self._ttps
        observables = self._gathering.chosen(marking.tlp)
        counted = f"STIX 2.1: {number_of(len(observables), 'observable')}, {number_of(len(ttps), 'technique')} carried over."
        summary = carried(prose or title, limit=1_900, path="report.description", losses=Losses())
        lang = text_of(top, "lang")
        links = (link_of(text_of(each, "url")) for each in listed(top, "external_references"))
        score = integer(top.get("confidence"))
        is_score = score is not None and 0 <= score <= 100
        draft = Draft(
            info=(
                Info(
                    # Without `lang`, the content of a STIX object is in English (section 3.2).
                    lang=lang if _LANG.fullmatch(lang) else "en",
                    headline=title,
                    summary=f"{summary}\n\n{counted}",
                    web=next(filter(None, links), None),
                ),
            ),
            body=body,
            tlp=marking.tlp,
            pap=marking.pap,
            audience=marking.audience,
            handling=Handling(anonymise_source=marking.anonymise_source),
            confidence=Confidence(score=score) if is_score else Confidence(credibility=6),
            onset=self._onset(top),
            ttps=ttps,
            observables=observables,
            attribution=attribution_of(self._scope, marking, losses),
            targets=targets_of(self._scope, losses),
            labels=self._labels(top),
        )
        origin = msgspec.structs.replace(origin, original_id=identifier(text_of(top, "id")))
        persons = persons_of(self._scope, marking)
        ties = Ties(self._scope, marking, persons, losses)
        return finished(
            draft, context=self._context, losses=losses, origin=origin, persons=persons, tied=ties.of
        )

    def _onset(self, top: Member) -> dt.datetime | None:
        """The beginning, from the report itself, or else its earliest campaign or incident. The time of publication is not used."""
        if top.get("published"):
            self.losses.add("report.published", "the time of publication has no field in a bulletin")
        own = instant(top.get("first_seen"))
        told = [instant(item.get("first_seen")) for item in self._scope.of("campaign", "incident")]
        return own or min((moment for moment in told if moment), default=None)

    def _labels(self, top: Member) -> tuple[str, ...]:
        labels = references(top, "labels")
        found = [label for label in labels if is_machine_tag(label)]
        if len(found) < len(labels):
            self.losses.add(f"{text_of(top, 'type')}.labels", "labels that are not machine tags")
        return tuple(dict.fromkeys(found))[:MAX_LABELS]

    def _deviations(self) -> None:
        """Records content without a field in a bulletin, and deviations of the source from the standard."""
        for kind, count in sorted(self._scope.counts().items()):
            if kind not in _READ:
                self.losses.add(
                    told(kind, OBJECT_TYPES), f"no field in a bulletin for objects of this type ({count})"
                )
        for tie in self._scope.ties():
            kind = told(tie.kind, RELATIONSHIP_TYPES)
            start, stop = instant(tie.item.get("start_time")), instant(tie.item.get("stop_time"))
            if start and stop and stop <= start:
                self.losses.add(
                    "relationship.stop_time", "not later than start_time, as the standard requires"
                )
            if tie.source is None or tie.target is None:
                self.losses.add(f"relationship[{kind}]", "leads to a missing object")
        tied = {
            text_of(tie, end)
            for tie in self._scope.of("relationship")
            for end in ("source_ref", "target_ref")
        }
        for item in self._scope.of("identity", "location"):
            if text_of(item, "id") not in tied and text_of(item, "identity_class") != "individual":
                self.losses.add(text_of(item, "type"), "carried only as an end of a tie")
        report = self._scope.report or {}
        missing = sum(1 for each in references(report, "object_refs") if self._scope.get(each) is None)
        if missing:
            self.losses.add("report.object_refs", f"{missing} missing objects")
        if report.get("x_opencti_files"):
            self.losses.add("report.x_opencti_files", "files are not carried")


def _joined(one: Window, other: Window) -> Window:
    """Joins two sightings of one thing: adds their numbers (1 if missing), and takes the widest span."""
    count = min((one[0] or 1) + (other[0] or 1), MAX_COUNT)
    first = min(filter(None, (one[1], other[1])), default=None)
    return count, first, max(filter(None, (one[2], other[2])), default=None)


def _window(item: Member, count: str, first: str, last: str) -> Window:
    """(count, first time, last time) of an object, by the given property names."""
    return integer(item.get(count)), instant(item.get(first)), instant(item.get(last))


def _sniff(data: bytes) -> bool:
    head = data[:4096]
    return b'"bundle--' in head or (b'"spec_version"' in head and b'"type"' in head)


FORMAT: Final = Format(
    id="stix-2-1",
    title="STIX 2.1 bundle, report or TAXII envelope",
    media_types=("application/stix+json", "application/taxii+json", "application/json"),
    read=read_stix,
    sniff=_sniff,
)
