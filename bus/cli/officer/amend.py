"""`tocsin bulletin update` and `cancel`: replace or withdraw a bulletin of this authority, on the channels that carried it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from bus import drafts, publishing
from bus.cli import frame
from bus.cli.frame import (
    TLPS,
    Answer,
    App,
    NotFoundError,
    Sending,
    audience_option,
    command,
    completing,
    dry_run_option,
    gathered,
    reviewed_option,
    tlp_option,
    wait_option,
)
from schemas.codec import decode
from schemas.subject import Channel
from schemas.vocab import MsgType, RefRel

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.bulletin import Bulletin, Draft

MOST = 1000
"""So many versions are looked at for one that is held, where the newest is not."""


sending_options = gathered(
    "sending", Sending, audience_option, tlp_option(*TLPS), wait_option, dry_run_option, reviewed_option
)


@command(name="update")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.argument("file", metavar="FILE", shell_complete=completing.files)
@sending_options
async def update(app: App, bulletin_id: str, file: str, *, sending: Sending) -> list[Answer]:
    """Publish the draft FILE as a new version of the bulletin ID.

    ID is the id of any version, at least its first four characters, or a digest. The newest version is superseded.
    The update takes status, marking and audience of that version, unless an option says otherwise. A withdrawn
    bulletin cannot be updated. Exit codes are those of `publish`.
    """
    original = (await _own_versions(app, bulletin_id))[0]

    def changed(draft: Draft) -> Draft:
        return drafts.referring_to(draft, MsgType.UPDATE, RefRel.SUPERSEDES, original)

    return await frame.send_drafts(app, [(file, frame.DraftFile(file, changed))], sending)


@command(name="cancel")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.argument("reason")
@click.option("--lang", default="en", show_default=True, help="language of the reason")
@sending_options
async def cancel(app: App, bulletin_id: str, reason: str, *, lang: str, sending: Sending) -> list[Answer]:
    """Withdraw the bulletin ID with all its versions, and give every reader the REASON, one sentence.

    ID is the id of any version, at least its first four characters, or a digest. The withdrawal takes the channel of
    the newest version, unless an option says otherwise. If versions went to other channels, it goes there too. Exit
    codes are those of `publish`.
    """
    versions = await _own_versions(app, bulletin_id)
    if sending.audience is not None or sending.tlp is not None:
        versions = versions[:1]
    newest = versions[0]

    def made(version: Bulletin) -> Callable[[], Draft]:
        return lambda: drafts.withdrawal(version, reason, lang, app.now(), newest)

    return await frame.send_drafts(app, [(version.id, made(version)) for version in versions], sending)


async def _own_versions(app: App, wanted: str) -> list[Bulletin]:
    """The newest version of this authority's bulletin, and the newest version on each other channel that carried one.

    Raises:
        NotFoundError: the bulletin is not in the outbox; only its issuer may update or cancel it.
        AmbiguousIdError: bulletins of several threads begin so.
        VersionError: `already-withdrawn`.
    """
    if (app.state_folder() / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            named = await frame.named_in_outbox(box, wanted)
            thread = named.thread
            ways: dict[str, str] = {}
            if thread is not None:
                ways = await box.read(lambda db: publishing.versions.open_ways(db, thread))
                if not ways:
                    publishing.versions.refuse_withdrawn(thread, wanted)
            rows = {id_: await box.get(id_) for id_ in ways.values()}
            held = {id_: decode(row.payload) for id_, row in rows.items() if row is not None}
            if len(held) < len(ways):
                earlier = await box.read(lambda db: frame.ids_of(db, named, MOST, cancels=False))
                older = [row for id_ in earlier if (row := await box.get(id_)) is not None]
                held |= {row.id: decode(row.payload) for row in older}
        for word in named.words:
            app.note(word)
        if held:
            last = next(iter(held.values()))
            return [held.get(id_) or _as_on_the_bus(last, id_, channel) for channel, id_ in ways.items()]
        if ways:
            raise NotFoundError(
                f"this outbox was recovered, and of {wanted} it knows the ids alone: the newest version is "
                f"{next(iter(ways.values()))}",
                remedy="publish a draft with msg_type and references that name it",
            )
    raise NotFoundError(
        f"the outbox of this context does not hold {wanted}; only its issuer may update or cancel it, others use tocsin answer"
    )


def _as_on_the_bus(held: Bulletin, id_: str, channel: str) -> Bulletin:
    """A version of which the outbox knows the id and the channel alone, in the words of one that it holds."""
    way = Channel.parse(f"{held.issuer.id}/{channel}")
    return msgspec.structs.replace(held, id=id_, status=way.status, tlp=way.tlp, audience=way.audience)
