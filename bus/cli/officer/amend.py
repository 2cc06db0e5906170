"""`tocsin bulletin update` and `cancel`: replace or withdraw a bulletin of this authority, on the channels that carried it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from bus import publishing
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
from schemas.bulletin import Draft
from schemas.codec import decode
from schemas.errors import SchemaError
from schemas.parts import Handling, Info, Ref
from schemas.subject import Channel
from schemas.vocab import MsgType, RefRel

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable

    from schemas.bulletin import Bulletin

WITHDRAWN = "Withdrawn: "
MAX_HEADLINE = 160
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
        return referring_to(draft, MsgType.UPDATE, RefRel.SUPERSEDES, original)

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
        return lambda: withdrawal(version, reason, lang, app.now(), newest)

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


def referring_to(
    draft: Draft, msg_type: MsgType, rel: RefRel, original: Bulletin, newest: Bulletin | None = None
) -> Draft:
    """The draft on the channel of `original`, with a reference to it, and to the newest version if that is another."""
    named = dict.fromkeys((original.id, *([newest.id] if newest else [])))
    others = tuple(other for other in draft.references if (other.id in named, other.rel) != (True, rel))
    return msgspec.structs.replace(
        draft,
        msg_type=msg_type,
        references=(*(Ref(id=id_, rel=rel) for id_ in named), *others),
        status=original.status,
        exercise_id=original.exercise_id,
        tlp=original.tlp,
        pap=draft.pap or original.pap,
        # An update without an embargo keeps that of the original.
        handling=original.handling if draft.handling == Handling() else draft.handling,
        audience=original.audience,
    )


def withdrawal(
    original: Bulletin, reason: str, lang: str, now: dt.datetime, newest: Bulletin | None = None
) -> Draft:
    """A draft that withdraws the original and the newest version: same facts, with the reason in place of the texts.

    Raises:
        SchemaError: the reason or the language is malformed, or the original is sealed.
    """
    if original.kind == "sealed":
        raise SchemaError(
            "the original is sealed; write a draft with msg_type cancel, and send it with tocsin bulletin seal"
        )
    headline = WITHDRAWN + original.info[0].headline.removeprefix(WITHDRAWN)
    if len(headline) > MAX_HEADLINE:
        headline = headline[: MAX_HEADLINE - 1] + "…"
    try:
        info = msgspec.convert({"lang": lang, "headline": headline, "summary": reason}, Info)
    except msgspec.ValidationError as exc:
        raise SchemaError(f"the reason is not a valid text: {exc}") from None
    fields = {name: getattr(original, name) for name in Draft.__struct_fields__}
    # It expires with the original; if that has expired, it gets the usual lifetime.
    # Sealed sections are withdrawn with the rest; nobody needs to read them again.
    fields |= {
        "info": (info,),
        "sections": (),
        "expires": original.expires if original.expires > now else None,
    }
    # The withdrawal does not repeat the references of the original.
    fields["references"] = tuple(
        ref for ref in original.references if ref.rel not in (RefRel.SUPERSEDES, RefRel.CANCELS)
    )
    return referring_to(Draft(**fields), MsgType.CANCEL, RefRel.CANCELS, original, newest)
