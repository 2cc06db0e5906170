"""`tocsin adapter`: list the installed adapters, convert a file by one, and run one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FILE,
    FOLDER,
    PARTLY,
    QUEUED,
    REFUSED,
    Answer,
    App,
    Group,
    InputFileError,
    Table,
    command,
    health_option,
    must_be_known,
)
from bus.plugin import Loss, ReadContext, adapter_named, discover, translate
from bus.tasks import until_first
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.plugin import Format, Manifest, ReadResult

MAX_FILE_BYTES = 64 * 1024 * 1024
PARTING_S = 0.5  # for confirmations still to come, when the program is asked to end


def _zone(_: click.Context, __: click.Parameter, name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(
            f"there is no time zone {name!r}; write a name such as Europe/Vienna"
        ) from None
    return name


TZ = click.option(
    "--tz",
    default="UTC",
    show_default=True,
    metavar="ZONE",
    callback=_zone,
    help="time zone of times without one, such as Europe/Vienna",
)


@click.group(cls=Group)
def adapter() -> None:
    """Join an authority's own systems: translators and spool folders."""


@command(adapter, "list")
def list_(_app: App) -> Answer:
    """List installed adapters and the formats they read."""
    facts, rows = [], []
    for installed in discover():
        manifest = installed.adapter.manifest if installed.adapter else None
        formats, kinds = (manifest.formats, manifest.kinds) if manifest else ((), ())
        facts.append(
            {"name": installed.name, "formats": formats, "kinds": kinds, "problem": installed.problem}
        )
        reads, publishes = (
            (", ".join(formats), ", ".join(kinds)) if manifest else ("does not load", installed.problem)
        )
        rows.append((installed.name, reads, publishes))
    return Answer(facts, table=Table(("adapter", "reads", "publishes"), rows))


@command(adapter, "convert")
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE...")
@click.option(
    "--from",
    "format_id",
    required=True,
    metavar="FORMAT",
    help="format of the files; tocsin adapter list names them",
)
@click.option("--country", default="XA", show_default=True, help="country of the reading authority")
@TZ
def convert(app: App, files: tuple[Path, ...], *, format_id: str, country: str, tz: str) -> Iterator[Answer]:
    """Translate native files into drafts, with a report of what is left out. Nothing is published.

    A draft whose source has no marking gets that of tocsin adapter run: AMBER+STRICT, to the network of the adapter.

    Exits 5 when a file is refused, 8 when some of several are.
    """
    app.logs()
    format_, manifest = format_named(format_id)
    context = ReadContext(received=app.now(), adapter="tocsin-convert", country=country, tz=tz)
    refused = 0
    for path in files:
        try:
            yield _shown(path, _marked(_translated(path, format_, context), manifest))
        except TocsinError as exc:
            refused += 1
            yield Answer(
                {"file": str(path), "refused": {"reason": exc.reason, "detail": str(exc)}},
                notes=[f"{path}: refused: {exc.reason}: {exc}"],
            )
    if refused:
        yield Answer(code=REFUSED if refused == len(files) else PARTLY)


@command(adapter, "run", when_asked=DONE)
@click.argument("name")
@health_option
@click.option("--spool", type=FOLDER, help="spool folder with in/, done/ and refused/")
@click.option("--stdin", "from_stdin", is_flag=True, help="read one document from standard input instead")
@TZ
async def run(app: App, name: str, *, spool: Path | None, from_stdin: bool, tz: str) -> int:
    """Publish the files that appear in a spool folder, as the chosen context, and send heartbeats, until Ctrl-C.

    With --stdin: exits 0 when the bulletins are stored, 75 when they are safe on this disk and will be sent later, 5
    when the document is refused.
    """
    if (spool is None) != from_stdin:
        raise click.UsageError("name a --spool folder, or --stdin")
    must_be_known("adapter", name, [plugin.name for plugin in discover()])
    app.logs()
    chosen = adapter_named(name)
    authority = app.identity.authority
    country = frame.open_registry(app).authority(authority).country

    if spool is not None:
        app.note(f"reading {spool}/in as {authority}; end with Ctrl-C")
    async with frame.open_publisher(app) as publisher, frame.tracking(app, publisher):
        source = chosen.standard_input() if spool is None else chosen.folder(spool)
        running = chosen.run(source, publisher, country=country, clock=app.now, tz=tz)
        if from_stdin:
            await running
        else:
            async with frame.beating(app, publisher), frame.telling(app, "adapter", publisher=publisher):
                await until_first(running, frame.follow_trust(app), frame.follow_phase(app), frame.ended())
        is_stored = await publisher.idle(PARTING_S if frame.is_asked() else app.timeout(5.0))
    if is_stored:
        return DONE
    app.note("safe on this disk; the bus has not confirmed it yet; it is sent later")
    return QUEUED


def format_named(format_id: str) -> tuple[Format, Manifest]:
    """A format of an installed adapter, and the manifest of that adapter. The error for an unknown name gives the nearest."""
    adapters = [installed.adapter for installed in discover() if installed.adapter]
    known = {
        name: (format_, adapter.manifest) for adapter in adapters for name, format_ in adapter.formats.items()
    }
    must_be_known("format", format_id, sorted(known))
    return known[format_id]


def _marked(result: ReadResult, manifest: Manifest) -> ReadResult:
    """The result, with a marking and an audience on each draft without one; a loss reports it."""
    drafts, losses = [], list(result.losses)
    for draft in result.drafts:
        if draft.tlp is not None:
            drafts.append(draft)
            continue
        tlp, audience = manifest.of_unmarked(draft.kind)
        drafts.append(msgspec.structs.replace(draft, tlp=tlp, audience=draft.audience or audience))
        losses.append(
            Loss("tlp", f"the source has no marking: the draft goes to {drafts[-1].audience} at {tlp}")
        )
    return msgspec.structs.replace(result, drafts=tuple(drafts), losses=tuple(losses))


def _translated(path: Path, format_: Format, context: ReadContext) -> ReadResult:
    """The drafts of a native file.

    Raises:
        InputFileError: `unreadable`, `too-large`.
        FormatError: the format refuses it.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as exc:
        raise InputFileError(str(exc.strerror), reason="unreadable") from None
    if len(data) > MAX_FILE_BYTES:
        raise InputFileError(f"at most {MAX_FILE_BYTES} bytes are read", reason="too-large")
    return translate(format_, data, context)


def _shown(path: Path, result: ReadResult) -> Answer:
    lines = []
    for draft in result.drafts:
        lines.append(f"{path}: {draft.kind}: {draft.info[0].headline}")
        lines += msgspec.json.format(msgspec.json.encode(draft), indent=2).decode().split("\n")
    notes = [f"{path}: {len(result.drafts)} drafts, {len(result.losses)} losses"]
    notes += [f"  left out: {loss.path}: {loss.why}" for loss in result.losses]
    facts = {"file": str(path), "drafts": result.drafts, "losses": result.losses}
    return Answer(facts, lines=lines, notes=notes)
