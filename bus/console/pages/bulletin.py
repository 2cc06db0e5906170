"""One bulletin: what is said, what to do, why it can be relied on, who has answered; and the bytes that were signed."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterator

import msgspec

from bus import sheets
from bus.console import rows
from bus.console.asked import Asked
from bus.console.errors import NotHereError
from bus.console.page import Bytes, Content
from bus.console.pages import bulletin_desk, incidents
from bus.console.pages.bulletin_desk import Desk
from bus.console.pages.held import held
from bus.console.people import Looked
from bus.console.rows import Row
from bus.console.step import Step
from bus.desk import About, Act
from bus.filters import of_options
from bus.hub import picture
from bus.hub.picture import About as Answered
from bus.hub.picture import Said, TraceStep, lists, of_rows
from bus.policy import narrowest
from bus.subscribing import Stored, whole
from bus.threads import Key
from schemas.bulletin import Bulletin
from schemas.envelope import b64u
from schemas.parts import Observable
from schemas.passing_on import embargo
from schemas.vocab import Status, Tlp

MOST_OBSERVABLES = 200
MOST_BESIDE = 50
MOST_ALSO = 99
"""So many other bulletins with an observable are counted."""
MAIN = ("summary", "do", "public", "facts", "more", "sealed", "versions")
"""The blocks of the sheet that stand one below the other; trust and answers stand beside them."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """An observable as it is shown, and in how many other bulletins that the reader may read it stands."""

    value: str
    type: str
    role: str
    actionable: bool
    also: int
    address: str


class OneBulletin(Content, frozen=True, kw_only=True):
    """The page."""

    row: Row
    sheet: sheets.Sheet
    text_lang: str
    main: tuple[sheets.Block, ...]
    trust: tuple[Step, ...]
    observables: tuple[Seen, ...]
    more_observables: int
    answers: tuple[sheets.Answered, ...]
    settled: bool
    beside: tuple[Row, ...]
    trace: tuple[TraceStep, ...]
    embargo: dt.datetime | None
    languages: tuple[str, ...]
    has_public_line: bool
    admitted: dt.datetime
    digest: str
    kid: str
    desk: Desk


class Signed(Bytes, frozen=True, kw_only=True):
    """What a browser needs to check a bulletin by itself: the header and the bytes, and the key that this hub has for it."""

    id: str
    audience: str
    signature: str
    key: dict[str, object]
    alg: str
    kid: str
    digest: str
    network: str


def look(asked: Asked) -> OneBulletin:
    """The page of a bulletin.

    Raises:
        NotHereError: it is not here, or the reader may not read it.
    """
    kept = held(asked)
    b = kept.bulletin
    line = next(iter(of_rows(asked.db, asked.clearance, asked.now, b.status, [kept.rowid])), None)
    if line is None:
        raise NotHereError("the picture has not taken this bulletin in yet; try again in a moment")
    (row,) = rows.of_lines(asked, [line])
    said, _ = picture.answers_of(asked.db, asked.clearance, asked.registry, b.status, line)
    told = [each for said_one in said for each in _answered(asked.db, said_one)]
    known = _known(asked, kept, tuple(each for each, _ in told))
    beside = tuple(_beside(asked, b, kept.rowid))
    languages = tuple(info.lang for info in b.info)
    asked_for = asked.first("lang")
    wanted = asked_for if asked_for in languages else asked.voice.tag
    sheet = sheets.sheet_of(b, known, wanted, asked.words)
    trust = next((block for block in sheet.blocks if block.name == "trust"), None)
    return OneBulletin(
        marking=str(narrowest((b.tlp, *(tlp for _, tlp in told), *(each.tlp for each in beside)))),
        note=" ".join(
            (
                asked.say("For %(audience)s.", audience=b.audience),
                *(f"{mark[:1].upper()}{mark[1:]}." for mark in sheet.marks[1:]),
            )
        ),
        is_exercise=b.status is Status.EXERCISE,
        row=row,
        sheet=sheet,
        text_lang=sheets.chosen_info(b.info, wanted).lang,
        main=tuple(block for name in MAIN for block in sheet.blocks if block.name == name),
        trust=tuple(_trust(known, trust)),
        observables=tuple(_observables(asked, b, kept.rowid)),
        more_observables=max(0, len(b.observables) - MOST_OBSERVABLES),
        answers=known.answers or (),
        settled=known.is_settled,
        beside=beside,
        trace=tuple(picture.trace.of_store(asked.db, b.id, asked.clearance.sees_channel)),
        embargo=embargo(b, asked.now),
        languages=languages,
        has_public_line=any(info.public_line for info in b.info),
        admitted=kept.admitted_at,
        digest=kept.digest,
        kid=kept.kid,
        desk=bulletin_desk.desk_of(asked, kept, row.priority, known.answers or (), is_over=bool(row.ended)),
    )


def beside(content: Content) -> Callable[[sqlite3.Connection, Act], Content] | None:
    """The question to the desk: the same page, with what people here have done about the bulletin."""
    if not isinstance(content, OneBulletin):
        return None
    row = content.row
    about = About("bulletin", content.desk.about, Tlp(row.tlp), row.audience)
    asked = bulletin_desk.told(content.desk, about)
    return lambda db, act: msgspec.structs.replace(content, desk=asked(db, act))


def signed(asked: Asked) -> Signed:
    """The signed bytes and the key.

    Raises:
        NotHereError: as `look`; or the registry has no key of that name any more.
    """
    kept = held(asked)
    key = asked.registry.key(kept.kid)
    if key is None:
        raise NotHereError("the registry names that key no more")
    return Signed(
        marking=str(kept.bulletin.tlp),
        file=f"{kept.id}.json",
        embargo=embargo(kept.bulletin, asked.now),
        id=kept.id,
        audience=kept.bulletin.audience,
        signature=kept.signature,
        payload=b64u(kept.payload),
        key=dict(key.record.jwk),
        alg=str(key.record.alg),
        kid=kept.kid,
        digest=kept.digest,
        network=asked.registry.domain,
    )


def viewed(content: Content) -> Looked | None:
    """That somebody has looked at it."""
    if not isinstance(content, OneBulletin):
        return None
    row = content.row
    return Looked(how="viewed", id=row.id, tlp=Tlp(row.tlp), audience=row.audience)


def downloaded(content: Content) -> Looked | None:
    """That somebody has taken the signed bytes."""
    if not isinstance(content, Signed):
        return None
    return Looked(how="downloaded", id=content.id, tlp=Tlp(content.marking), audience=content.audience)


def _known(asked: Asked, kept: Stored, said: tuple[sheets.Answered, ...]) -> sheets.Known:
    """What is known of it beside its own words."""
    b = kept.bulletin
    ending = picture.selected.ending(asked.db, kept)
    record = asked.registry.document.authorities.get(b.issuer.id)
    may_see = asked.clearance.sees_channel
    return sheets.Known(
        now=asked.now,
        admitted_at=kept.admitted_at,
        kid=kept.kid,
        trust=kept.trust,
        labels=tuple(sorted(kept.labels)),
        endorsers=kept.endorsers,
        network=asked.registry.domain,
        registry_version=asked.registry.version,
        names_key=record is not None and kept.kid in record.keys,
        ended_how=ending.how,
        ended_by=picture.trace.named(asked.db, ending.by, may_see) if ending.by else "",
        versions=tuple(_versions(asked, b)),
        answers=said,
        is_settled=picture.answers.is_settled(asked.db, Answered.of(b)),
        parts=tuple(_parts(b)),
    )


def _answered(db: sqlite3.Connection, said: Said) -> Iterator[tuple[sheets.Answered, Tlp]]:
    """An answer with its words, and how it is marked; nothing where its bytes have changed in this store."""
    for kept in whole(db.execute("SELECT * FROM admitted WHERE row = ?", (said.row,))):
        text = getattr(kept.bulletin.body, "text", None) or ""
        yield sheets.Answered(by=said.by, at=said.at, verdict=said.verdict, text=text), kept.bulletin.tlp


def _parts(b: Bulletin) -> Iterator[sheets.SealedPart]:
    """What of it is sealed: a console holds no key, so all of that stays closed here."""
    if b.kind == "sealed":
        yield sheets.SealedPart(
            label="sealed", recipients=tuple(getattr(b.body, "recipients", ())), reason="no-seal-key"
        )
    for section in b.sections:
        yield sheets.SealedPart(
            label=section.label, recipients=tuple(section.recipients), reason="no-seal-key"
        )


def _versions(asked: Asked, b: Bulletin) -> Iterator[sheets.Version]:
    thread = picture.versions.find(asked.db, b.id)
    if thread is None or thread.key != Key(thread.key.id, b.issuer.id, str(b.status)):
        return
    members = picture.versions.in_thread(asked.db, thread)
    if len(members) < 2:
        return
    state = picture.versions.state(asked.db, thread, asked.now)
    may_see = asked.clearance.sees_channel
    said = "alert"
    for member in reversed(members):
        kind = "cancel" if member.is_cancel else said
        said = "update"
        if member.issued is not None and picture.trace.seen(asked.db, member.id, may_see):
            yield sheets.Version(
                id=member.id,
                issued=member.issued,
                msg_type=kind,
                state=state if member.id == thread.living else "",
            )


_ODD = {"contested": "fail", "gap": "unknown", "late": "wait"}


def _trust(known: sheets.Known, block: sheets.Block | None) -> Iterator[Step]:
    """The six sentences as steps: a step that something is odd about says so by its shape."""
    sentences = [text for entry in block.entries for text in entry.text] if block is not None else []
    odd = {name for name in known.labels if name != "none"}
    for n, words in enumerate(sentences):
        state = "pass"
        if n == 3 and not known.names_key:
            state = "fail"
        if n == len(sentences) - 1:
            state = "pass" if known.trust == "fresh" else "unknown"
            for label in sorted(odd):
                state = _ODD.get(label, "unknown")
        yield Step(state=state, words=words)


def _observables(asked: Asked, b: Bulletin, row: int) -> Iterator[Seen]:
    words = asked.words
    for each in b.observables[:MOST_OBSERVABLES]:
        value = each.value if each.value is not None else each.value_hmac
        if value is None:
            continue
        yield Seen(
            value=sheets.defanged(each.type, value) if each.value is not None else f"hmac {value}",
            type=words.word("observable-type", each.type),
            role=words.word("observable-role", each.role),
            actionable=each.actionable,
            also=_also(asked, each, row),
            address=asked.address("/b", q=f'observable:"{_quoted(value)}"'),
        )


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _also(asked: Asked, observable: Observable, row: int) -> int:
    """In how many other actual bulletins that the reader may read it stands, at most `MOST_ALSO`."""
    value = observable.value or observable.value_hmac or ""
    (norm, *_) = of_options({"observable": [value]}).observable or ("",)
    return len(lists.also_in(asked.db, asked.clearance, asked.now, norm, but=row, size=MOST_ALSO).lines)


def _beside(asked: Asked, b: Bulletin, row: int) -> Iterator[Row]:
    """What else is of the same incident: by what authors say and people decided, or, until that is made, by what it says itself."""
    if b.status is not Status.ACTUAL:
        return
    if asked.incidents is not None and asked.incidents.joined is not None:
        yield from incidents.beside(asked, b.id, MOST_BESIDE)
        return
    if b.incident_id is None:
        return
    found, _ = rows.listed(
        asked, of_options({"incident": [b.incident_id]}), most=MOST_BESIDE, order=rows.TIME, ended=True
    )
    yield from (each for each in found if each.row != row)
