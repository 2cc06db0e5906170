"""What a draft would become, as a page shows it: findings beside the fields, the sheet, who reads it, what it changes. Pure.

All of it is made from what the hub, which signs, has answered.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping

import msgspec

from bus import sheets
from bus.console.page import Present
from bus.console.pages.draft_form import field_of
from bus.console.pages.draft_rows import is_beside
from bus.drafts import Egress
from bus.hub.acting import Outcome
from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin
from schemas.codec import decode
from schemas.errors import SchemaError
from schemas.subject import channel_of, priority
from schemas.vocab import Status, Tlp

BLOCKS = ("do", "public", "summary", "facts", "observables", "more")
_ORDER = ("error", "doubt", "remark")


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A finding: the field of the form that it stands beside, and its words."""

    field: str
    grade: str
    rule: str
    path: str
    text: str
    choice: str = ""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What an update says otherwise than the version before it."""

    what: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


class Readers(msgspec.Struct, frozen=True, kw_only=True):
    """Who reads it now and did not read the version before, and who no longer."""

    joined: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What the hub says of a draft.

    Attributes:
        problem: why it says nothing; empty where it does.
        digest: of the bytes that it was shown.
        findings: faults first, then doubts and remarks.
        faults: how many faults there are.
        doubts: how many doubts there are.
        more: how many findings are not shown.
        headline: its text for one line.
        priority: 1 to 4; 0 while it is no bulletin.
        tlp: its marking; empty while it is no bulletin.
        audience: its audience.
        status: `actual`, `exercise` or `test`.
        msg_type: what it does to earlier ones.
        expires: until when it stands.
        blocks: what it says, as readers see it.
        handling: the limits on passing it on, in sentences.
        egress: what leaves and who reads it.
        changes: what it says otherwise than the version before; None where there is none, or its reader may not see it.
        readers: how its readers differ from those of the version before; None as `changes`.
        notes: sentences about it.
        registry_version: of the registry by which it was computed.
        before_tlp: the marking of the version that it is compared with; empty for none.
    """

    problem: str = ""
    digest: str = ""
    findings: tuple[Shown, ...] = ()
    faults: int = 0
    doubts: int = 0
    more: int = 0
    headline: str = ""
    priority: int = 0
    tlp: str = ""
    audience: str = ""
    status: str = ""
    msg_type: str = ""
    expires: dt.datetime | None = None
    blocks: tuple[sheets.Block, ...] = ()
    handling: tuple[str, ...] = ()
    egress: Egress | None = None
    changes: tuple[Change, ...] | None = None
    readers: Readers | None = None
    notes: tuple[str, ...] = ()
    registry_version: int = 0
    before_tlp: str = ""

    @property
    def is_exercise(self) -> bool:
        """Whether it is part of an exercise."""
        return self.status == Status.EXERCISE

    def beside(self, place: str) -> tuple[Shown, ...]:
        """The findings that belong to a place of the form (`draft_rows.is_beside`)."""
        return tuple(each for each in self.findings if is_beside(each.field, place))


NOTHING = Said()
"""Before the hub was asked."""


def said_of(outcome: Outcome, to: Present) -> Said:
    """What a page says of a draft.

    Args:
        outcome: of a `Preview`.
        to: for whom: a version before that is beyond what that reader may see is not compared.
    """
    seen = outcome.foreseen
    if seen is None:
        return Said(problem=" ".join(outcome.notes) or "the hub did not answer")
    findings = sorted(
        (
            Shown(
                field=field_of(each.path, each.text),
                grade=each.grade,
                rule=each.rule,
                path=each.path,
                text=each.text,
                choice=each.choice,
            )
            for each in seen.findings
        ),
        key=lambda each: _ORDER.index(each.grade) if each.grade in _ORDER else 0,
    )
    plain = Said(
        digest=seen.digest,
        findings=tuple(findings),
        faults=sum(each.grade == "error" for each in findings),
        doubts=sum(each.grade == "doubt" for each in findings),
        more=seen.more,
        egress=seen.egress,
        notes=outcome.notes,
        registry_version=seen.registry_version,
    )
    bulletin = _bulletin(seen.payload)
    if bulletin is None:
        return plain
    sheet = _sheet(bulletin, to)
    before = _bulletin(seen.before)
    if before is not None and not to.clearance.sees(before.tlp, before.audience):
        before = None
    return msgspec.structs.replace(
        plain,
        headline=sheet.headline,
        priority=int(priority(bulletin).removeprefix("p")),
        tlp=str(bulletin.tlp),
        audience=bulletin.audience,
        status=str(bulletin.status),
        msg_type=str(bulletin.msg_type),
        expires=bulletin.expires,
        blocks=tuple(block for name in BLOCKS for block in sheet.blocks if block.name == name),
        handling=sheet.marks[1:],
        changes=None if before is None else tuple(_changes(before, bulletin, to)),
        readers=None if before is None else _readers(before, bulletin, to.registry),
        before_tlp="" if before is None else str(before.tlp),
    )


def _bulletin(payload: bytes) -> Bulletin | None:
    try:
        return decode(payload) if payload else None
    except SchemaError:
        return None


def _sheet(bulletin: Bulletin, to: Present) -> sheets.Sheet:
    return sheets.sheet_of(bulletin, sheets.Known(now=to.now, is_own=True), to.voice.tag, to.voice.words)


def _changes(before: Bulletin, after: Bulletin, to: Present) -> Iterator[Change]:
    """What differs, field by field, in the words of the sheet."""
    say = to.voice.say
    old, new = (
        {say("Headline"): (sheet.headline,), **_lines(sheet)}
        for sheet in (_sheet(before, to), _sheet(after, to))
    )
    was, is_ = (f"TLP:{b.tlp.upper()} {b.audience}" for b in (before, after))
    if was != is_:
        yield Change(what=say("Marking and audience"), before=(was,), after=(is_,))
    if (was := priority(before).upper()) != (is_ := priority(after).upper()):
        yield Change(what=say("Priority"), before=(was,), after=(is_,))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield Change(what=name, before=old.get(name, ()), after=new.get(name, ()))


def _lines(sheet: sheets.Sheet) -> Mapping[str, tuple[str, ...]]:
    """What a sheet says, by block and label."""
    found: dict[str, tuple[str, ...]] = {}
    for block in sheet.blocks:
        if block.name in BLOCKS:
            for entry in block.entries:
                name = f"{block.heading}: {entry.label}" if entry.label else block.heading
                found[name] = (*found.get(name, ()), *entry.text)
    return found


def _readers(before: Bulletin, after: Bulletin, registry: VerifiedRegistry) -> Readers:
    was, now = (set(registry.readers(channel_of(each))) for each in (before, after))
    return Readers(joined=tuple(sorted(now - was)), left=tuple(sorted(was - now)))


def narrowest_of(said: Said, tlp: str) -> tuple[Tlp, ...]:
    """The markings that a page with this draft is made from."""
    return tuple(Tlp(each) for each in (tlp, said.tlp, said.before_tlp) if each)
