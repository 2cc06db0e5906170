"""`tocsin answer`: what this authority says to a bulletin of another, told to its author and to all who read the bulletin."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click
import msgspec

from bus.cli import frame
from bus.cli.analyst.up_to_date import up_to_date
from bus.cli.analyst.verdicts import VERDICTS, Chosen, chosen_options, must_fit
from bus.cli.frame import (
    TLPS,
    Answer,
    App,
    NotFoundError,
    Sending,
    command,
    completing,
    dry_run_option,
    gathered,
    reviewed_option,
    wait_option,
)
from bus.hub import picture
from schemas.answering import answer_to, taken_back, told_alone
from schemas.bodies.coordination import Feedback
from schemas.codec import decode
from schemas.subject import channel_of
from schemas.vocab import TLP_RANK, MsgType, Tlp

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence

    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Bulletin, Draft
    from schemas.subject import Channel


sending_options = gathered("sending", Sending, wait_option, dry_run_option, reviewed_option)
SECTIONS = "parts of it are sealed: all who read the rest have read your answer, too"
WITHDRAWN = "Taken back by its author."


@command()
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.argument("text", required=False)
@chosen_options
@click.option("--lang", default="en", show_default=True, help="language of the text")
@click.option("--tlp", "narrower", type=click.Choice(TLPS), help="a narrower marking than the bulletin's")
@sending_options
async def answer(
    app: App,
    bulletin_id: str,
    text: str | None,
    *,
    chosen: Chosen,
    lang: str,
    narrower: str | None,
    sending: Sending,
) -> list[Answer]:
    """Answer the bulletin ID of another authority; TEXT is one sentence or a few.

    ID is an id of any version, at least four characters of its beginning, or a digest; the newest version is answered.

    The answer goes to all who may read the bulletin, and to its author, at the bulletin's marking: who may read a bulletin may
    answer it, no grant is needed. It counts in watch, picture, trace and show until you withdraw it; of your answers with
    one verdict the last counts. Exits as publish does.

    For instance: tocsin answer ID --dispute "The recording is real; it was cut."
    """
    must_fit(chosen, text)
    registry, now = frame.present_registry(app)
    original, versions = await _original(app, bulletin_id, registry)
    if chosen.withdraw:
        return await _withdrawn(app, original, versions, chosen, text, lang, sending)
    verdict = VERDICTS[chosen.flags[0]].verdict
    body = Feedback(
        verdict=verdict,
        text=text,
        handover_to=chosen.to,
        relax_to=None if chosen.marking is None else Tlp(chosen.marking),
        respond_by=None if chosen.within is None else (now + chosen.within).replace(microsecond=0),
        action=chosen.action,
        seen_count=chosen.seen,
    )
    if body.relax_to is not None and TLP_RANK[body.relax_to] >= TLP_RANK[original.tlp]:
        raise click.UsageError(
            f"{original.id} is TLP:{original.tlp.upper()} already, which is as wide as {body.relax_to}"
        )
    draft = answer_to(original, body, now, lang=lang, tlp=None if narrower is None else Tlp(narrower))
    me, author = app.identity.authority, original.issuer.id
    channel, notes = _must_reach(original, draft, registry, me)
    drafts: list[tuple[str, Callable[[], Draft]]] = [(original.id, lambda: draft)]
    if registry.is_told_alone(me, author, channel):
        drafts.append((f"{original.id}, to {author}", lambda: told_alone(draft, original)))
        notes.append(f"{author}, who said it, does not read {channel.name}, and is told by its id")
    elif not registry.hears_answers(author, channel):
        notes.append(
            f"{author}, who said it, does not hear answers on {channel.name}; tell it otherwise, too"
        )
    return [*await frame.send_drafts(app, drafts, sending), Answer(remarks=notes)]


async def _original(app: App, wanted: str, registry: VerifiedRegistry) -> tuple[Bulletin, frozenset[str]]:
    """The bulletin of another authority that is answered, read from the bus first where the store does not hold it; and its versions.

    Raises:
        NotFoundError: this context does not hold it.
        click.UsageError: it is this authority's own.
    """
    me = app.identity.authority
    async with frame.open_store(app, make=True) as store:
        named, row = await store.read(lambda db: _held(db, wanted))
        if row is None and not await own_word(app, wanted):
            await up_to_date(app, store, registry)
            named, row = await store.read(lambda db: _held(db, wanted))
    found = decode(row["payload"]) if row is not None else await own_word(app, wanted)
    for word in named.words if row is not None else ():
        app.note(word)
    if found is None:
        raise NotFoundError(
            f"this context does not hold {wanted}, so it cannot answer it",
            remedy="ids of what it holds: tocsin bulletin list; to read the bus: tocsin watch",
        )
    if found.issuer.id == me:
        raise click.UsageError(
            f"{found.id} is what {me} has said itself, and nobody answers himself; correct it with tocsin bulletin update, "
            "or withdraw it with tocsin bulletin cancel"
        )
    async with frame.open_store(app) as store:
        ids = await store.read(lambda db: frozenset({found.id, *frame.ids_of(db, named, MOST)}))
    return found, ids


def _held(db: sqlite3.Connection, wanted: str) -> tuple[frame.Named, sqlite3.Row | None]:
    """What is meant by an id, the beginning of one or a digest of any version, and its row in the store."""
    named = frame.named_in_store(db, wanted)
    return named, frame.admitted_row(db, named.id)


async def own_word(app: App, wanted: str) -> Bulletin | None:
    """The bulletin as this authority has said it itself, in its newest version; None when it has not."""
    if not (app.state_folder() / frame.OUTBOX_FILE).exists():
        return None
    async with frame.open_outbox(app) as box:
        kept = await box.get((await frame.named_in_outbox(box, wanted)).id)
    return None if kept is None else decode(kept.payload)


def _must_reach(
    original: Bulletin, draft: Draft, registry: VerifiedRegistry, me: str
) -> tuple[Channel, list[str]]:
    """Refuse a marking at which somebody could not read the answer who may read the bulletin; the channel, and what is to be known.

    Raises:
        click.UsageError: with who could not.
    """
    channel = channel_of(original)
    if draft.tlp is not None and draft.tlp is not original.tlp:
        there = msgspec.structs.replace(channel, tlp=draft.tlp)
        deaf = sorted({*registry.readers(channel)} - {*registry.readers(there), me})
        if deaf:
            raise click.UsageError(
                f"at TLP:{draft.tlp.upper()} these could not read the answer, who may read the bulletin: {', '.join(deaf)}; "
                "leave --tlp out"
            )
        channel = there
    return channel, [SECTIONS] if original.sections else []


async def _withdrawn(
    app: App,
    original: Bulletin,
    versions: frozenset[str],
    chosen: Chosen,
    text: str | None,
    lang: str,
    sending: Sending,
) -> list[Answer]:
    """Withdraw what this authority has answered, or what it has with one verdict."""
    now = app.now()
    mine: list[Bulletin] = []
    if (app.state_folder() / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            rows = await box.rows(limit=MOST, status=str(original.status))
        mine = list(_standing([decode(row.payload) for row in rows if row.is_whole], versions))
    wanted = {VERDICTS[name].verdict for name in chosen.flags}
    found = [
        each
        for each in mine
        if isinstance(each.body, Feedback) and (not wanted or each.body.verdict in wanted)
    ]
    if not found:
        raise NotFoundError(
            f"{app.identity.authority} has no such answer to {original.id} that stands",
            remedy="what it has said: tocsin bulletin list --mine --kind feedback",
        )

    drafts = [(each.id, partial(taken_back, each, now, text or WITHDRAWN, lang)) for each in found]
    return await frame.send_drafts(app, drafts, sending)


MOST = 10_000
"""So many of this authority's bulletins are looked through for its answers, the newest."""


def _standing(said: Sequence[Bulletin], targets: frozenset[str]) -> Iterator[Bulletin]:
    """The answers to versions of a bulletin that their own author has neither withdrawn nor replaced."""
    ended = {
        ref.id
        for each in said
        if each.msg_type in (MsgType.CANCEL, MsgType.UPDATE)
        for ref in each.references
        if ref.rel in ("cancels", "supersedes")
    }
    for each in said:
        if (
            isinstance(each.body, Feedback)
            and each.msg_type is not MsgType.CANCEL
            and each.id not in ended
            and not targets.isdisjoint(picture.answers.answered_by(each))
        ):
            yield each
