"""`tocsin answer`: answers a bulletin of another authority; its author and all its readers see the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import click
import msgspec

from bus import publishing
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
from bus.hub import acting
from schemas.answering import answer_to, taken_back
from schemas.bodies.coordination import Feedback
from schemas.codec import decode
from schemas.subject import channel_of
from schemas.vocab import TLP_RANK, Tlp

if TYPE_CHECKING:
    import sqlite3

    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Bulletin, Draft
    from schemas.subject import Channel


MOST = 10_000
"""So many versions of a bulletin are looked at, the newest."""
sending_options = gathered("sending", Sending, wait_option, dry_run_option, reviewed_option)


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

    ID is the id of any version, at least its first four characters, or a digest. The newest version is answered.

    The answer goes to the author and to all who may read the bulletin, at the bulletin's marking. All who may read a
    bulletin may answer it, without a grant. The answer counts in watch, picture, trace and show until you withdraw
    it. Of your answers with the same verdict, the last counts. Exit codes are those of publish.

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
    me = app.identity.authority
    channel = _must_reach(original, draft, registry, me)
    parts, notes = acting.parts_of(draft, original, channel, registry, me)
    names = (original.id, f"{original.id}, to {original.issuer.id}")
    drafts = [(name, partial(_itself, part)) for name, part in zip(names, parts, strict=False)]
    return [*await frame.send_drafts(app, drafts, sending), Answer(remarks=notes)]


def _itself(draft: Draft) -> Draft:
    return draft


async def _original(app: App, wanted: str, registry: VerifiedRegistry) -> tuple[Bulletin, frozenset[str]]:
    """The bulletin of another authority to answer, and the ids of its versions. Reads the bus first if the store lacks it.

    Raises:
        NotFoundError: this context does not hold the bulletin.
        click.UsageError: the bulletin is this authority's own.
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
            f"this context does not hold {wanted}; an answer needs the bulletin",
            remedy="ids of what it holds: tocsin bulletin list; to read the bus: tocsin watch",
        )
    if found.issuer.id == me:
        raise click.UsageError(
            f"{found.id} is a bulletin of {me} itself, and nobody can answer their own; correct it with tocsin bulletin update, "
            "or withdraw it with tocsin bulletin cancel"
        )
    async with frame.open_store(app) as store:
        ids = await store.read(lambda db: frozenset({found.id, *frame.ids_of(db, named, MOST)}))
    return found, ids


def _held(db: sqlite3.Connection, wanted: str) -> tuple[frame.Named, sqlite3.Row | None]:
    """The bulletin named by an id, the beginning of one, or a digest of any version; and its row in the store."""
    named = frame.named_in_store(db, wanted)
    return named, frame.admitted_row(db, named.id)


async def own_word(app: App, wanted: str) -> Bulletin | None:
    """The newest version of this authority's own bulletin; None when it has published none of this name."""
    if not (app.state_folder() / frame.OUTBOX_FILE).exists():
        return None
    async with frame.open_outbox(app) as box:
        kept = await box.get((await frame.named_in_outbox(box, wanted)).id)
    return None if kept is None else decode(kept.payload)


def _must_reach(original: Bulletin, draft: Draft, registry: VerifiedRegistry, me: str) -> Channel:
    """The channel of the answer; a marking that hides it from a reader of the bulletin is refused.

    Raises:
        click.UsageError: names the readers who could not read the answer.
    """
    channel = channel_of(original)
    if draft.tlp is not None and draft.tlp is not original.tlp:
        there = msgspec.structs.replace(channel, tlp=draft.tlp)
        deaf = sorted({*registry.readers(channel)} - {*registry.readers(there), me})
        if deaf:
            raise click.UsageError(
                f"at TLP:{draft.tlp.upper()} these readers of the bulletin could not read the answer: {', '.join(deaf)}; "
                "leave --tlp out"
            )
        channel = there
    return channel


async def _withdrawn(
    app: App,
    original: Bulletin,
    versions: frozenset[str],
    chosen: Chosen,
    text: str | None,
    lang: str,
    sending: Sending,
) -> list[Answer]:
    """Withdraw all answers of this authority to a bulletin, or those with the chosen verdict."""
    now = app.now()
    mine: list[Bulletin] = []
    if (app.state_folder() / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            rows = await box.read(
                lambda db: publishing.outbox_table.naming(db, versions, str(original.status))
            )
        mine = [decode(row.payload) for row in rows]
    wanted = {VERDICTS[name].verdict for name in chosen.flags}
    found = list(acting.standing(mine, original.issuer.id, versions, wanted))
    if not found:
        raise NotFoundError(
            f"{app.identity.authority} has no such answer to {original.id} in force",
            remedy="list its answers: tocsin bulletin list --mine --kind feedback",
        )

    drafts = [(each.id, partial(taken_back, each, now, text or acting.WITHDRAWN, lang)) for each in found]
    return await frame.send_drafts(app, drafts, sending)
