"""`tocsin bulletin seal` and `tocsin bulletin open`: bulletins that only named recipients can read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import admission, sealing
from bus.cli import frame
from bus.cli.frame import (
    FILE,
    TLPS,
    Answer,
    App,
    Sending,
    again_option,
    audience_option,
    command,
    completing,
    gathered,
    read_file,
    reviewed_option,
    tlp_option,
    wait_option,
    without_option,
)
from bus.errors import SealError
from schemas.envelope import file_form
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.admission import Admitted
    from bus.sealing import View


rehearse_option = click.option(
    "--dry-run",
    is_flag=True,
    help="check and address the draft, and show the recipients of the seal; sign and keep nothing",
)


@command(name="seal")
@click.argument("files", nargs=-1, required=True, metavar="DRAFT...", shell_complete=completing.files)
@gathered(
    "sending",
    Sending,
    audience_option,
    tlp_option(*TLPS[:-1]),
    without_option,
    wait_option,
    rehearse_option,
    reviewed_option,
    again_option,
)
async def seal(app: App, files: tuple[str, ...], *, sending: Sending) -> list[Answer]:
    """Publish drafts sealed: encrypted to the readers of the channel, each with a valid seal key.

    The broker's operator cannot read them. If a reader has no valid seal key, the draft is refused and the reader
    named; --without ID leaves that reader out. Exit codes are those of `publish`.
    """
    drafts = [(name, frame.DraftFile(name)) for name in files]
    return await frame.send_drafts(app, drafts, msgspec.structs.replace(sending, seal=True))


@command(name="open")
@click.argument("name", metavar="FILE|ID", shell_complete=completing.files_or_bulletins)
@click.option(
    "--seal-key", "key_file", type=FILE, help="seal key, or folder of seal keys, instead of the context's"
)
@click.option("--passphrase-file", type=FILE, help="file holding its passphrase")
@click.option(
    "--raw",
    is_flag=True,
    help="print the signed file inside; its signature is valid only inside the seal",
)
def open_(
    app: App, name: str, *, key_file: Path | None, passphrase_file: Path | None, raw: bool
) -> Answer | list[Answer]:
    """Open a sealed bulletin or sealed sections: from a file (*.tocsin.json), or by id or digest from this context.

    Inner and outer bulletin are verified and compared. Exits 6 with the reason code when the bulletin is not valid,
    or when it or none of its sections can be opened.
    """
    registry, now = frame.present_registry(app)
    file, held = _file(app, name)
    outer = admission.verify_file(file, registry=registry, now=now, continued=held)
    keys = frame.open_seal_keys(app, key_file, passphrase_file)
    what = {"id": outer.bulletin.id, "digest": outer.digest, "issuer": outer.bulletin.issuer.id}
    try:
        inner = None
        if raw or outer.bulletin.kind == "sealed" or not outer.bulletin.sections:
            inner = sealing.open_bulletin(outer.bulletin, keys, registry=registry, now=now, held=held)
        sections = sealing.look_at_sections(
            outer.bulletin, inner, sealing.Keys(keys=tuple(keys)), reader=None, registry=registry
        )
        seen = sealing.View(outer=outer.bulletin, inner=inner, sections=sections)
        if not seen.opened:
            raise SealError("none of its sections opens with these keys", reason=seen.reasons[0])
    except TocsinError as exc:
        frame.record(app, "not-opened", reason=exc.reason, **what)
        raise
    if raw and inner is not None:
        frame.must_not_be_held(app, inner.bulletin)
    # First, so that nothing is shown that is not recorded.
    frame.record(app, "opened", raw=raw, parts=list(seen.opened), **what)
    if raw and inner is not None:
        return Answer(raw=file_form(inner.payload, inner.signature).decode())
    return _opened(outer, seen)


def _opened(outer: Admitted, seen: View) -> list[Answer]:
    shown = seen.inner or outer
    facts: dict[str, object] = {
        "bulletin": msgspec.Raw(shown.payload),
        "digest": shown.digest,
        "outer_digest": outer.digest,
        "recipients": list(getattr(outer.bulletin.body, "recipients", ())),
        "labels": sorted(outer.labels | shown.labels),
        "trust": str(shown.trust),
    }
    facts |= {name: value for name, value in frame.opened_data(seen).items() if name == "sections"}
    lines = frame.readable(outer.payload) if seen.inner is None else ()
    return [Answer(facts, lines=lines), *frame.inside(seen)]


def _file(app: App, name: str) -> tuple[bytes, bool]:
    """The signed file of a name: an existing path, or else an id or digest in this context (then True)."""
    if Path(name).exists() or name.endswith(".json"):
        return read_file(Path(name)), False
    found = frame.find_bulletin(app, name)
    for word in found.named.words:
        app.note(word)
    return file_form(found.payload, found.signature), True
