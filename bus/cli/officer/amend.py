"""`tocsin bulletin update` and `cancel`: replace or withdraw what this authority has said, where it has said it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

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
from schemas.vocab import MsgType, RefRel

if TYPE_CHECKING:
    import datetime as dt

    from schemas.bulletin import Bulletin

WITHDRAWN = "Withdrawn: "
MAX_HEADLINE = 160


sending_options = gathered(
    "sending", Sending, audience_option, tlp_option(*TLPS), wait_option, dry_run_option, reviewed_option
)


@command(name="update")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.argument("file", metavar="FILE", shell_complete=completing.files)
@sending_options
async def update(app: App, bulletin_id: str, file: str, *, sending: Sending) -> list[Answer]:
    """Publish the draft FILE in place of the bulletin ID, which is superseded.

    ID is an id or a digest of this authority's outbox. The update goes the way of the original, its status, marking
    and audience, unless told otherwise. Exits as `publish` does.
    """
    original = await own_bulletin(app, bulletin_id)

    def make() -> Draft:
        return referring_to(frame.read_draft(file), original, MsgType.UPDATE, RefRel.SUPERSEDES)

    return await frame.send_drafts(app, [(file, make)], sending)


@command(name="cancel")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.argument("reason")
@click.option("--lang", default="en", show_default=True, help="language of the reason")
@sending_options
async def cancel(app: App, bulletin_id: str, reason: str, *, lang: str, sending: Sending) -> list[Answer]:
    """Withdraw the bulletin ID, telling every reader the REASON in a sentence.

    ID is an id or a digest of this authority's outbox. The withdrawal goes the way of the original, unless told
    otherwise. Exits as `publish` does.
    """
    original = await own_bulletin(app, bulletin_id)
    return await frame.send_drafts(
        app, [(bulletin_id, lambda: withdrawal(original, reason, lang, app.now()))], sending
    )


async def own_bulletin(app: App, wanted: str) -> Bulletin:
    """The bulletin in this authority's own outbox.

    Raises:
        NotFoundError: it is not there; only its issuer may update or cancel a bulletin.
    """
    if (app.state_folder() / frame.OUTBOX_FILE).exists():
        async with frame.open_outbox(app) as box:
            kept = await box.get(wanted)
        if kept is not None:
            return decode(kept.payload)
    raise NotFoundError(
        f"the outbox of this context does not hold {wanted}; only who said it may update or cancel it, others answer"
    )


def referring_to(draft: Draft, original: Bulletin, msg_type: MsgType, rel: RefRel) -> Draft:
    """The draft on the channel of the original, naming it."""
    ref = Ref(id=original.id, rel=rel)
    others = tuple(other for other in draft.references if (other.id, other.rel) != (ref.id, ref.rel))
    return msgspec.structs.replace(
        draft,
        msg_type=msg_type,
        references=(ref, *others),
        status=original.status,
        exercise_id=original.exercise_id,
        tlp=original.tlp,
        pap=draft.pap or original.pap,
        # An update that says nothing of it lifts no embargo.
        handling=original.handling if draft.handling == Handling() else draft.handling,
        audience=original.audience,
    )


def withdrawal(original: Bulletin, reason: str, lang: str, now: dt.datetime) -> Draft:
    """A draft that withdraws the original: what it was about, with the reason in place of its words.

    Raises:
        SchemaError: the reason or the language is no such thing, or the original was sealed.
    """
    if original.kind == "sealed":
        raise SchemaError(
            "the original is sealed; withdraw it with a draft that has msg_type cancel: tocsin bulletin seal"
        )
    headline = WITHDRAWN + original.info[0].headline.removeprefix(WITHDRAWN)
    if len(headline) > MAX_HEADLINE:
        headline = headline[: MAX_HEADLINE - 1] + "…"
    try:
        info = msgspec.convert({"lang": lang, "headline": headline, "summary": reason}, Info)
    except msgspec.ValidationError as exc:
        raise SchemaError(f"the reason cannot be told so: {exc}") from None
    fields = {name: getattr(original, name) for name in Draft.__struct_fields__}
    # It must outlive the original, or the original would stand again; when that is over, the usual lifetime is enough.
    # What was in sealed sections is withdrawn with the rest; nobody needs to read it once more.
    fields |= {
        "info": (info,),
        "sections": (),
        "expires": original.expires if original.expires > now else None,
    }
    return referring_to(Draft(**fields), original, MsgType.CANCEL, RefRel.CANCELS)
