"""Reads MISP events (``misp-event``): one draft of kind `cyber-threat` for each event of an export.

Read: an event with or without its ``Event`` wrapper, a list of events, a ``response`` of either. Refused: everything else that MISP
writes as JSON (indexes, feed manifests, definitions), and attributes without their event, because the event holds the marking.

The narrowest of tag, distribution, sharing group and text counts for the whole draft: distribution 0 (own organisation only) is
AMBER+STRICT, a sharing group AMBER, and a community is at most GREEN, with any tag. A tag on a part narrows the whole
but does not mark it. A part that is local, deleted or shared more narrowly than its event (attribute, object, report, cluster) is left out,
and an event that its own instance has not published is refused.

Source: MISP core format (draft-dulaunoy-misp-core-format).
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from adapters.formats.misp.attributes import (
    DETECTION_TYPES,
    TEXT_TYPES,
    NotCarried,
    read_attribute,
    type_told,
)
from adapters.formats.misp.export import (
    UUID,
    Member,
    day_of,
    events_of,
    is_true,
    members,
    sightings,
    text_of,
)
from adapters.formats.misp.tags import TagReader
from adapters.translation.drafting import finished, instant, origin_of
from adapters.translation.gathering import Gathering, at_most
from adapters.translation.markings import Mark, Marking, strictest
from adapters.translation.persons import Persons
from adapters.translation.prose import carried, headline_of, link_of, number_of
from adapters.translation.reading import (
    Format,
    FormatError,
    Loss,
    Losses,
    ReadContext,
    ReadResult,
    strict_json,
)
from adapters.translation.threats import rule_of, vulnerability_of
from schemas.bodies.cyber import CyberThreat
from schemas.bulletin import Draft
from schemas.parts import Handling, Info, Provenance
from schemas.vocab import AttributionRule, Severity, Tlp

__all__ = ["FORMAT", "read_misp_event"]

MAX_BYTES: Final = 32 * 1024 * 1024
MAX_EVENTS: Final = 200
MAX_ATTRIBUTES: Final = 100_000
MAX_NOTED: Final = 2_000  # characters of a comment that are searched for the note of a value

_SEVERITIES: Final = {"1": Severity.SEVERE, "2": Severity.MODERATE, "3": Severity.MINOR}
# Distribution levels from narrow to wide: own organisation, sharing group, community, connected communities, all; 5 inherits.
_WIDTH: Final = {"0": 0, "4": 1, "1": 2, "2": 3, "3": 4}
_SHARING_GROUP: Final = "4"
_INHERITED: Final = "5"
_IMPLIED: Final = {"0": Tlp.AMBER_STRICT, _SHARING_GROUP: Tlp.AMBER}
# A community is not a marking, but the event's marking cannot be wider than it.
_BOUNDS: Final = {"1": Tlp.GREEN, "2": Tlp.GREEN}
# Distributions that narrow a part even if the event names none.
_NAMED: Final = frozenset({"0", _SHARING_GROUP})
# Attributes that name a natural person; the name is also removed from the texts.
_NAMES: Final = frozenset(
    {"email-dst-display-name", "email-src-display-name", "full-name", "target-user", "whois-registrant-name"}
)
_NAME_PARTS: Final = ("first-name", "middle-name", "last-name")
# Container -> members that are not read, with the reason.
_UNREAD_OF_EVENT: Final = {
    "ShadowAttribute": "proposals are not part of the event until they are accepted",
    "RelatedEvent": "related events are named by ids of another system",
    "event_creator_email": "personal data of the author",
    "Orgc": "an organisation of another system, not an authority of the bus",
    "SharingGroup": "sharing groups are not audiences of the bus",
    "extends_uuid": "the event it extends is named by an id of another system",
    "Note": "notes of analysts are not carried",
    "Opinion": "opinions of analysts are not carried",
}
_UNREAD_OF_OBJECT: Final = {"ObjectReference": "references between objects have no field in a bulletin"}
_UNREAD_OF_ATTRIBUTE: Final = {
    "ShadowAttribute": _UNREAD_OF_EVENT["ShadowAttribute"],
    "data": "files are not carried",
}


def read_misp_event(data: bytes, context: ReadContext) -> ReadResult:
    """Reads a MISP export.

    Args:
        data: JSON, at most 32 MiB and 200 events.
        context: When and by which adapter it was received.

    Returns:
        One draft for each event, in the order of the file; and the losses.

    Raises:
        FormatError: With ``not-an-event``, ``attributes-without-event``, ``search-index``, ``feed-manifest``, ``definition``, ``empty``,
            ``too-many-events``, ``malformed-event``, ``unknown-marking``, ``classified``, ``unpublished`` when no event of the
            file is published in its own instance, or a reason of the JSON reader.
    """
    events = tuple(events_of(strict_json(data, max_bytes=MAX_BYTES)))
    if len(events) > MAX_EVENTS:
        raise FormatError(f"{len(events)} events; a file may hold {MAX_EVENTS}", reason="too-many-events")
    origin = origin_of(FORMAT.id, data, context)
    drafts: list[Draft] = []
    losses: list[Loss] = []
    for number, event in enumerate(events):
        found = Losses()
        prefix = "Event" if len(events) == 1 else f"response[{number}].Event"
        if _is_draft(event):
            found.add(f"{prefix}.published", "a draft of its own instance, not published there: left out")
            losses += found.found
            continue
        drafts.append(_Event(event, prefix, context, found).draft(origin))
        losses += found.found
    if not drafts:
        raise FormatError(
            "Event.published: not published in its own instance, where it is still a draft",
            reason="unpublished",
        )
    return ReadResult(drafts=tuple(drafts), losses=tuple(losses))


def _is_draft(event: Member) -> bool:
    published = event.get("published")
    return published is not None and not is_true(published)


class _Event:
    """Reads one event: each part becomes a field of the draft, or a loss."""

    def __init__(self, event: Member, path: str, context: ReadContext, losses: Losses) -> None:
        self._event = event
        self._path = path
        self._context = context
        self._losses = losses
        self._tags = TagReader(losses)
        self._gathering = Gathering(losses)
        self._texts: list[str] = []
        self._detection: dict[str, None] = {}
        self._exploited: dict[str, None] = {}
        self._web: str | None = None
        self._persons = Persons()
        # Tags of a cluster that must not be shared.
        self._withheld: set[str] = set()

    def draft(self, origin: Provenance) -> Draft:
        event, path, losses = self._event, self._path, self._losses
        headline = headline_of(text_of(event, "info"), path=f"{path}.info", losses=losses)
        if headline is None:
            raise FormatError(f"{path}.info has no text", reason="malformed-event")
        self._unread(event, path, _UNREAD_OF_EVENT)
        self._look_ahead()
        self._labelled(event, path)
        for name in ("Tag", "EventTag"):
            for entry in members(event, name):
                tag = entry.get("Tag", entry)
                if isinstance(tag, Mapping):
                    self._tag(tag, f"{path}.{name}", of_event=True)
        for report in members(event, "EventReport"):
            if self._left_out(report, f"{path}.EventReport"):
                continue
            for tag in members(report, "Tag"):
                self._tag(tag, f"{path}.EventReport.Tag", of_event=False)
            self._texts += [text for text in (text_of(report, "name"), text_of(report, "content")) if text]
        self._attributes(event, path, "")
        for item in members(event, "Object"):
            self._object(item, f"{path}.Object")
        return self._complete(headline, origin)

    # --- parts

    def _look_ahead(self) -> None:
        """Collects from all parts what affects texts and tags: names of persons, and clusters that must not be shared."""
        event = self._event
        holders = (event, *members(event, "Object"))
        for holder in holders:
            attributes = members(holder, "Attribute")
            whole = [
                text_of(each, "value")
                for kind in _NAME_PARTS
                for each in attributes
                if text_of(each, "type") == kind
            ]
            if len(whole) > 1:
                self._persons.add(" ".join(whole))
            for each in attributes:
                name = text_of(each, "value").strip()
                if text_of(each, "type") in _NAMES and (" " in name or text_of(each, "type") == "full-name"):
                    self._persons.add(name)
        for owner in (event, *(each for holder in holders for each in members(holder, "Attribute"))):
            for galaxy in members(owner, "Galaxy"):
                for cluster in members(galaxy, "GalaxyCluster"):
                    if self._is_withheld(galaxy) or self._is_withheld(cluster):
                        kind = text_of(cluster, "type") or text_of(galaxy, "type")
                        named = f'misp-galaxy:{kind}="{text_of(cluster, "value")}"'
                        self._withheld |= {named.casefold(), text_of(cluster, "tag_name").casefold()}

    def _is_withheld(self, part: Member) -> bool:
        """Whether a part is local, deleted, or for fewer than the event."""
        return is_true(part.get("local")) or is_true(part.get("deleted")) or self._narrower(part)

    def _object(self, item: Member, path: str) -> None:
        if self._left_out(item, path):
            return
        self._unread(item, path, _UNREAD_OF_OBJECT)
        # It is the comment of each attribute of the object, and a note holds no more.
        texts = (text_of(item, name)[:MAX_NOTED] for name in ("name", "comment"))
        context = ": ".join(text for text in texts if text)
        self._attributes(item, path, context)

    def _attributes(self, owner: Member, path: str, context: str) -> None:
        attributes = members(owner, "Attribute")
        if len(attributes) > MAX_ATTRIBUTES:
            raise FormatError(f"{len(attributes)} attributes", reason="too-large")
        for attribute in attributes:
            self._attribute(attribute, f"{path}.Attribute", context)

    def _attribute(self, attribute: Member, path: str, context: str) -> None:
        if self._left_out(attribute, path):
            return
        self._unread(attribute, path, _UNREAD_OF_ATTRIBUTE)
        self._labelled(attribute, path)
        for tag in members(attribute, "Tag"):
            self._tag(tag, f"{path}.Tag", of_event=False)
        kind, value = text_of(attribute, "type"), text_of(attribute, "value")
        where = f"{path}[{type_told(kind)}]"
        if not kind or not value.strip():
            self._losses.add(where, "without type or value")
        elif not self._told(kind, value, attribute, where):
            self._matched(kind, value, attribute, where, context)

    def _told(self, kind: str, value: str, attribute: Member, where: str) -> bool:
        """Reads an attribute that is not an observable. Returns whether it was one."""
        of_person = text_of(attribute, "category") == "Person"
        if kind in TEXT_TYPES and not of_person and not attribute.get("object_relation"):
            self._texts.append(value)
        elif kind == "vulnerability" and (identifier := vulnerability_of(value)):
            self._exploited.setdefault(identifier)
        elif kind == "malware-type":
            self._tags.malware(value, where)
        elif language := DETECTION_TYPES.get(kind):
            if rule := rule_of(language, value, path=where, losses=self._losses):
                self._detection.setdefault(rule)
        elif kind == "link":
            if self._web is None:
                self._web = link_of(value)
            else:
                self._losses.add(where, "a bulletin holds one link")
        else:
            return False
        return True

    def _matched(self, kind: str, value: str, attribute: Member, where: str, context: str) -> None:
        values = read_attribute(kind, text_of(attribute, "category"), value)
        if isinstance(values, NotCarried):
            self._losses.add(where, values.why)
            return
        count, seen, doubted = sightings(attribute)
        first = min((t for t in (instant(attribute.get("first_seen")), *seen) if t), default=None)
        last = max((t for t in (instant(attribute.get("last_seen")), *seen) if t), default=None)
        for each in values:
            words = (context, text_of(attribute, "comment")[:MAX_NOTED], each.note or "")
            self._gathering.add(
                each.found,
                path=where,
                role=each.role,
                actionable=is_true(attribute.get("to_ids")),
                platform=each.platform,
                first_seen=first,
                last_seen=last,
                count=count or None,
                note="; ".join(dict.fromkeys(word.strip() for word in words if word.strip())),
            )
            if doubted:
                self._losses.add(
                    f"{where}.Sighting", "false positive or expired: no longer fit for automated matching"
                )
                self._gathering.doubt(each.found)

    def _labelled(self, owner: Member, path: str) -> None:
        for galaxy in members(owner, "Galaxy"):
            for cluster in members(galaxy, "GalaxyCluster"):
                if self._is_withheld(galaxy) or self._is_withheld(cluster):
                    self._losses.add(
                        f"{path}.Galaxy", "a cluster that is local, deleted or shared more narrowly"
                    )
                    continue
                meta = cluster.get("meta")
                ids = meta.get("external_id") if isinstance(meta, Mapping) else None
                external = [ids] if isinstance(ids, str) else ids if isinstance(ids, list) else []
                kind = text_of(cluster, "type") or text_of(galaxy, "type")
                words = [each for each in external if isinstance(each, str)]
                if not self._tags.cluster(kind, text_of(cluster, "value"), words, f"{path}.Galaxy"):
                    self._losses.add(f"{path}.Galaxy", "no field for clusters of this galaxy")

    def _tag(self, tag: Member, path: str, *, of_event: bool) -> None:
        # A local or not exportable tag must not be shown to others, but its marking counts.
        exportable = tag.get("exportable")
        name = text_of(tag, "name")
        travels = (
            not is_true(tag.get("local"))
            and (exportable is None or is_true(exportable))
            and name.casefold() not in self._withheld
        )
        self._tags.tag(name, path, of_event=of_event, travels=travels)

    def _unread(self, owner: Member, path: str, reasons: Mapping[str, str]) -> None:
        for name, why in reasons.items():
            if owner.get(name):
                self._losses.add(f"{path}.{name}", why)

    def _left_out(self, part: Member, path: str) -> bool:
        """Whether an object, an attribute or a report is left out completely."""
        if is_true(part.get("deleted")):
            self._losses.add(path, "deleted in the source")
        elif self._narrower(part):
            self._losses.add(path, "shared more narrowly than its event")
        else:
            return False
        return True

    def _narrower(self, part: Member) -> bool:
        """Whether a part is shared with fewer than its event, or with another sharing group."""
        level, whole = _level(part), _level(self._event)
        if level in ("", _INHERITED):
            return False
        if level not in _WIDTH:
            return True
        if level == whole == _SHARING_GROUP:
            return _group(part) not in ("", _group(self._event))
        return _WIDTH[level] < _WIDTH[whole] if whole in _WIDTH else level in _NAMED

    # --- the whole

    def _marking(self) -> Marking:
        marks, path = list(self._tags.marks), f"{self._path}.distribution"
        level = _level(self._event)
        if level and level not in _WIDTH and level != _INHERITED:
            raise FormatError(f"{path}: an unknown level", reason="unknown-marking")
        if level in _BOUNDS and any(mark.tlp for mark in marks):
            marks.append(Mark(path=path, tlp=_BOUNDS[level]))
        if level in _IMPLIED:
            marks.append(Mark(path=path, tlp=_IMPLIED[level]))
        return strictest(marks, self._losses, parts=self._tags.part_marks)

    def _complete(self, headline: str, origin: Provenance) -> Draft:
        event, tags = self._event, self._tags
        marking = self._marking()
        texts = "\n\n".join(dict.fromkeys(self._texts))
        description = carried(texts, limit=8_000, path=f"{self._path}.text", losses=self._losses)
        observables = self._gathering.chosen(marking.tlp)
        day = day_of(text_of(event, "date"))
        if day is None and text_of(event, "date"):
            self._losses.add(f"{self._path}.date", "not a valid date: the beginning is left out")
        when = f" of {day:%Y-%m-%d}" if day else ""
        counted = f"{number_of(len(observables), 'observable')}, {number_of(len(tags.ttps), 'technique')}"
        summary = f"{headline}\n\nMISP event{when}: {counted} carried over."
        body = CyberThreat(
            title=headline,
            classification=tags.classification,
            malware=tags.families,
            exploited=at_most(self._exploited, 100, f"{self._path}.vulnerability", self._losses),
            description=description,
            detection=at_most(self._detection, 20, f"{self._path}.detection", self._losses),
        )
        draft = Draft(
            # MISP does not name the language of an event.
            info=(Info(lang="und", headline=headline, summary=summary, web=self._web),),
            body=body,
            status=tags.status,
            exercise_id=tags.exercise_id,
            tlp=marking.tlp,
            pap=marking.pap,
            audience=marking.audience,
            handling=Handling(
                anonymise_source=marking.anonymise_source,
                attribution=AttributionRule.MUST_NOT if marking.anonymise_source else AttributionRule.MAY,
            ),
            severity=_SEVERITIES.get(text_of(event, "threat_level_id"), Severity.UNKNOWN),
            certainty=tags.certainty,
            confidence=tags.confidence,
            onset=day,
            ttps=tags.ttps,
            observables=observables,
            attribution=tags.attribution,
            labels=tags.labels,
        )
        uuid = text_of(event, "uuid")
        if UUID.fullmatch(uuid):
            origin = msgspec.structs.replace(origin, original_id=uuid.lower())
        return finished(
            draft, context=self._context, losses=self._losses, origin=origin, persons=self._persons
        )


def _level(part: Member) -> str:
    """The distribution of a part. A named sharing group counts if the distribution is missing or wider."""
    level = text_of(part, "distribution")
    if level != "0" and _group(part):
        return _SHARING_GROUP
    return level


def _group(part: Member) -> str:
    """The sharing group of a part, or the empty string."""
    found = text_of(part, "sharing_group_id")
    if found in ("", "0"):
        group = part.get("SharingGroup")
        found = text_of(group, "id") or text_of(group, "uuid") if isinstance(group, Mapping) else ""
    return "" if found == "0" else found


def _sniff(data: bytes) -> bool:
    head = data[:65_536]
    wrapped = b'"Event"' in head and b'"info"' in head
    bare = b'"threat_level_id"' in head or b'"to_ids"' in head
    return wrapped or (bare and head.lstrip()[:1] in (b"{", b"["))


FORMAT: Final = Format(
    id="misp-event",
    title="MISP event (core format JSON)",
    media_types=("application/json",),
    read=read_misp_event,
    sniff=_sniff,
)
