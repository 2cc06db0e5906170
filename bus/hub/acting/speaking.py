"""Drafts of people at the console: what the code that signs says of one before it is signed, and then its publication."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Mapping

from bus import drafts
from bus.drafts import Speaker, doubles, stamped
from bus.hub.acting.messages import Doubt, Foreseen, Found, Outcome, Preview, Publish
from bus.publishing import Publisher, outbox_table, revised, versions
from schemas.bulletin import Bulletin, Draft
from schemas.codec import digest, encode
from schemas.errors import TocsinError
from schemas.subject import channel_of
from schemas.vocab import MsgType

MOST_FINDINGS = 100
STORED_S = 3.0
"""So long a publication waits for the bus; it is safe on this disk before."""
Record = Callable[[str, Mapping[str, str]], object]


def speaker_of(publisher: Publisher) -> Speaker:
    """For whom a draft is looked at."""
    registry = publisher.registry()
    return Speaker(
        issuer=registry.issuer(publisher.authority_id),
        given=publisher.stamping.defaults,
        now=publisher.clock(),
        registry=registry,
    )


async def preview(publisher: Publisher, request: Preview, remembered: drafts.Remembered | None) -> Outcome:
    """All that the code that checks, stamps, permits and seals says of a draft; nothing is signed or kept.

    Raises:
        StoreError: the outbox cannot be read.
    """
    speaker = speaker_of(publisher)
    look = drafts.look(request.draft, speaker, speaker.now)
    findings = [_found(each) for each in look.findings]
    draft, bulletin = look.draft, None
    if draft is not None:
        bulletin = _stamped(draft, speaker)
    if draft is not None and bulletin is not None and not look.of("error"):
        try:
            await publisher.rehearse(draft)
        except TocsinError as exc:
            findings.append(
                Found(grade="error", rule=exc.reason, path=getattr(exc, "path", "$"), text=str(exc))
            )
    registry = publisher.registry()
    return Outcome(
        state="previewed",
        foreseen=Foreseen(
            digest=digest(request.draft),
            findings=tuple(findings[:MOST_FINDINGS]),
            more=max(0, len(findings) - MOST_FINDINGS),
            payload=b"" if bulletin is None else encode(bulletin),
            egress=None if draft is None or bulletin is None
            else drafts.egress(draft, bulletin, registry, speaker.now),
            before=b"" if draft is None else await _before(publisher, draft),
            registry_version=registry.version,
        ),
        notes=tuple(
            note
            for note in (
                _double(draft, speaker, remembered),
                await _untold(publisher, draft, bulletin),
            )
            if note
        ),
    )  # fmt: skip


async def publish(
    publisher: Publisher, request: Publish, record: Record, remembered: drafts.Remembered | None
) -> Outcome:
    """Sign and keep exactly the bytes that were approved, once under their key; on record before they are signed.

    Raises:
        TocsinError: it is refused, with its reason; nothing was signed.
        OSError: the audit record cannot be written.
    """
    if digest(request.draft) != request.digest:
        return _refused("digest-differs", "these are not the bytes that were approved")
    once = f"console/{request.key}"
    known = await publisher.outbox.read(lambda db: outbox_table.kept_once(db, once))
    if known is not None:
        return Outcome(id=known.id, state=await publisher.settled(known.digest, STORED_S))
    if request.is_over:
        return _refused(
            "approval-over", "it was not published, and its approval is over; ask for another approval"
        )
    speaker = speaker_of(publisher)
    look = drafts.look(request.draft, speaker, speaker.now)
    if wrong := look.of("error"):
        error = drafts.DraftError("the draft", wrong[:3], ())
        return _refused(error.reason, str(error))
    assert look.draft is not None  # noqa: S101 (a draft without faults is one)
    facts = {
        "digest": request.digest, "key": request.key, "by": request.by, "approved_by": request.approved_by or "nobody",
    }  # fmt: skip
    doubtful = look.of("doubt")
    if doubtful and not request.reviewed:
        words = "a person must look at this once more, and say why it is right all the same"
        doubts = tuple(Doubt(each.path, each.text) for each in doubtful[:MOST_FINDINGS])
        return Outcome(state="refused", reason="not-reviewed", notes=(words,), doubts=doubts)
    if doubtful:
        record("override", {"what": "reviewed", "reason": request.reviewed, **facts})
    record("published", facts)
    kept = await publisher.publish(look.draft, once=once)
    if remembered is not None:
        at = speaker.now.timestamp()
        remembered.keep([doubles.Before(int(at), doubles.asked_for(look.draft, speaker.given), kept.id)], at)
    return Outcome(id=kept.id, state=await publisher.settled(kept.digest, STORED_S))


def _found(each: drafts.Finding) -> Found:
    return Found(grade=each.grade, rule=each.rule, path=each.path, text=each.text, choice=each.choice)


def _stamped(draft: Draft, speaker: Speaker) -> Bulletin | None:
    """The draft as it would be stamped; None where it lacks a marking, which is a finding."""
    try:
        return stamped(draft, speaker.issuer, speaker.given, speaker.now)
    except (TocsinError, OverflowError):
        return None


async def _before(publisher: Publisher, draft: Draft) -> bytes:
    """The bulletin that an update or a withdrawal changes, as it was signed; empty where this outbox does not hold it."""
    for id_ in revised(draft)[:1]:
        row = await publisher.outbox.get(id_)
        if row is not None:
            return row.payload
    return b""


def _double(draft: Draft | None, speaker: Speaker, remembered: drafts.Remembered | None) -> str:
    """That the same was sent a short time ago."""
    if draft is None or remembered is None:
        return ""
    at = speaker.now.timestamp()
    before = remembered.known(at).get(doubles.asked_for(draft, speaker.given))
    if before is None:
        return ""
    when = dt.datetime.fromtimestamp(before.at, dt.UTC)
    return (
        f"the same draft was published at {when:%H:%M} UTC, as {before.id}; update that one if it has changed"
    )


async def _untold(publisher: Publisher, draft: Draft | None, bulletin: Bulletin | None) -> str:
    """The other channels on which a version of a bulletin stands that this withdraws."""
    if draft is None or bulletin is None or draft.msg_type is not MsgType.CANCEL or not revised(draft):
        return ""
    named = revised(draft)[0]

    mine = channel_of(bulletin).name

    def others(db: sqlite3.Connection) -> list[str]:
        thread = versions.find(db, named)
        return [] if thread is None else [way for way in versions.open_ways(db, thread) if way != mine]

    found = await publisher.outbox.read(others)
    if not found:
        return ""
    return (
        f"earlier versions also went to {', '.join(found)}, whose readers do not learn of this withdrawal; withdraw them there too: "
        f"tocsin bulletin cancel {named}"
    )


def _refused(reason: str, words: str) -> Outcome:
    return Outcome(state="refused", reason=reason, notes=(words,))
