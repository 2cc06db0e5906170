"""`tocsin bundle`: registry and bulletins in one file, for hubs without a network."""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import click
import msgspec

from bus import bundle as bundles
from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FILE,
    PARTLY,
    Answer,
    App,
    Group,
    InputFileError,
    NotFoundError,
    Since,
    Table,
    command,
    completing,
    input_errors,
    must_be_new,
    repeatable,
    stream_options,
    yes_option,
)
from bus.errors import TrustError
from schemas.errors import SchemaError
from schemas.subject import Channel
from schemas.vocab import Status

if TYPE_CHECKING:
    import sqlite3

    from bus.bundle import Chosen, Content, Summary
    from bus.filters import Selection

T = TypeVar("T")


@click.group(cls=Group)
def bundle() -> None:
    """Files across an air gap. The importing hub verifies everything in the file."""


@command(bundle, "export")
@click.option("--out", type=FILE, required=True, metavar="FILE", help="the file to write; a new one")
@click.option(
    "--since",
    type=Since(),
    default="all",
    show_default=True,
    help="bulletins that arrived since: all, or a span such as 2d",
)
@repeatable(
    "--topic", "topics", shell_complete=completing.topics, help="a domain (cyber) or a kind (data-breach)"
)
@stream_options
@repeatable(
    "--channel",
    "channels",
    metavar="ID/NAME",
    help="one channel with its authority, as `tocsin channels` names it",
)
@click.option(
    "--to",
    metavar="AUDIENCE",
    shell_complete=completing.audiences,
    help="recipient: an audience or an authority; all its members must be allowed to read it",
)
@yes_option
def export(
    app: App,
    *,
    out: Path,
    since: dt.timedelta | None,
    topics: tuple[str, ...],
    selection: Selection,
    channels: tuple[str, ...],
    to: str | None,
    yes: bool,
) -> Answer:
    """Write the bulletins of this identity's store, or without a store its own bulletins, into one file.

    First shows how many bulletins of each marking will leave, and asks. TLP:RED and TLP:AMBER+STRICT need --to with a
    recipient that may read them. The whole bundle is refused (exit 5) if a bulletin in it may not be read by that
    recipient, is under embargo without --to, or is for other countries.
    """
    must_be_new(out)
    context = app.identity
    held = frame.registry_store(app)
    interest = msgspec.structs.replace(frame.interest_of(topics=topics), statuses=tuple(Status))
    named = tuple(_channel(text) for text in channels)
    start, now = None if since is None else app.now() - since, app.now()
    fits = None if selection.is_any else lambda bulletin: selection.matches(bulletin, now)
    with _holding(app) as (read, of):
        chosen = read(lambda db: bundles.choose(db, of, interest, named, start, fits))
        leaving = bundles.by_channel(chosen)
        bundles.permit(leaving, to, held())
        read(lambda db: bundles.hold(db, of, chosen, to, held(), app.now()))
        _tell(app, leaving, to)
        app.confirm(f"Write these {len(chosen)} bulletins to {out}?", yes=yes)
        opening = bundles.Opening(domain=held().domain, by=context.authority, made=app.now(), to=to)

        written = [0]

        def content() -> Iterator[Content]:
            yield from bundles.trust_lines(held)
            for start in range(0, len(chosen), 500):
                some: list[Chosen] = chosen[start : start + 500]
                yield from read(lambda db, some=some: bundles.carried(db, of, some))  # type: ignore[misc]  # bound now
                written[0] = start + len(some)

        with app.at_work(f"writing {out}", lambda: written[0] / max(1, len(chosen))), _new_file(out) as file:
            count = bundles.write(file, opening, content())
            summary = _checked(file)
            frame.record(
                app,
                "bundle-exported",
                bundle=summary.digest,
                file=str(out),
                to=to or "",
                bulletins=count,
                channels=[f"TLP:{channel.tlp.upper()} {channel}: {n}" for channel, n in leaving.items()],
            )
    return Answer(
        {"file": str(out), **_as_json(summary)},
        notes=[
            f"{count} bulletins and registry version {held().version} are in {out}; digest {summary.digest}"
        ],
    )


@command(bundle, "import")
@click.argument("file", type=FILE)
async def import_(app: App, file: Path) -> Answer:
    """Import a bundle: registry, then bulletins, each verified as if it came from the bus. A second import changes nothing.

    Exits 6 when the file is damaged, or its registry does not follow from the one held here; 8 when some bulletins
    are refused (they are in quarantine).
    """
    held = frame.registry_store(app)
    with _opened(file) as opened:
        summary = _checked(opened)
        try:
            async with frame.open_store(app, hold_s=0.0, make=True) as store:
                with app.at_work(f"taking in {file}", _read_share(opened)):
                    taken = await bundles.take_in(opened, store=store, held=held, clock=app.now)
        except TrustError as exc:
            frame.record(app, "bundle-refused", bundle=summary.digest, file=str(file), reason=exc.reason)
            raise
    frame.record(
        app,
        "bundle-imported",
        bundle=summary.digest,
        file=str(file),
        by=summary.opening.by,
        version=taken.version,
        admitted=taken.admitted,
        known=taken.known,
        refused=taken.refused,
    )
    text = (
        f"admitted {taken.admitted}, already known {taken.known}, refused {taken.refused}, too early {taken.early}; "
        f"registry version {taken.version}, trust {taken.trust}"
    )
    facts = {"file": str(file), "digest": summary.digest, **msgspec.structs.asdict(taken)}
    remarks = [f"left aside, a {line}" for line in taken.left_aside]
    remarks += ["refused bulletins are kept as evidence: tocsin quarantine"] if taken.refused else []
    return Answer(facts, lines=[text], remarks=remarks, code=PARTLY if taken.refused else DONE)


@command(bundle, "inspect")
@click.argument("file", type=FILE)
def inspect(_app: App, file: Path) -> Answer:
    """Show what a bundle claims to be, whether it is complete, and how much it holds. Nothing is verified or imported."""
    with _opened(file) as opened:
        summary = _checked(opened)
    facts = _as_json(summary)
    rows = ((name, "-" if value is None else value) for name, value in facts.items())
    return Answer({"file": str(file), **facts}, table=Table(("what", "value"), rows))


def _as_json(summary: Summary) -> dict[str, object]:
    facts = msgspec.structs.asdict(summary)
    return msgspec.structs.asdict(facts.pop("opening")) | facts


def _tell(app: App, leaving: dict[Channel, int], to: str | None) -> None:
    app.note(f"this leaves {'for ' + to if to else 'for anyone who gets the file'}:")
    for channel, count in leaving.items():
        app.note(f"  TLP:{channel.tlp.upper():<12} {count:>6}  {channel}")
    if not leaving:
        app.note("  no bulletin; the registry alone")


def _channel(text: str) -> Channel:
    """The channel named by `AUTHORITY/STATUS.TLP.AUDIENCE`."""
    try:
        return Channel.parse(text)
    except SchemaError:
        raise click.UsageError(
            f"--channel takes one like xa-csirt/actual.green.community, not {text!r}"
        ) from None


@contextlib.contextmanager
def _holding(app: App) -> Iterator[tuple[Callable[[Callable[[sqlite3.Connection], T]], T], str]]:
    """A function that runs a query, and the name of what it reads: the store, or without one the outbox."""
    folder = app.state_folder()
    if (folder / frame.STORE_FILE).exists():
        yield lambda question: frame.query_store(app, question), bundles.OF_STORE
        return
    if not (folder / frame.OUTBOX_FILE).exists():
        raise NotFoundError(
            "this context holds no bulletins yet",
            remedy="export as a hub, or as an authority that has spoken",
        )

    yield (
        lambda question: frame.within(frame.open_outbox(app), lambda box: box.read(question)),
        bundles.OF_OUTBOX,
    )


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """An open regular file. A bundle is read twice, so a pipe is refused."""
    if not path.exists():
        raise InputFileError(f"there is no file {path}", reason="file-missing")
    if not path.is_file():
        raise InputFileError(f"{path} is no regular file; a bundle is read twice", reason="file-unreadable")
    with input_errors(path):
        file = path.open("rb")
    with file:
        if os.fstat(file.fileno()).st_size > bundles.MAX_BUNDLE_BYTES:
            raise bundles.BundleError(
                f"{path} is larger than {bundles.MAX_BUNDLE_BYTES} bytes", reason="too-large"
            )
        yield file


def _checked(file: BinaryIO) -> Summary:
    try:
        return bundles.check(file)
    except bundles.BundleError as exc:
        raise bundles.BundleError(f"{file.name}: {exc}", reason=exc.reason) from None


def _read_share(file: BinaryIO) -> Callable[[], float]:
    """A function that gives the share of a file that has been read, 0 to 1."""
    size = os.fstat(file.fileno()).st_size
    return lambda: file.tell() / size if size else 1.0


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, complete or absent: it gets its name only after all of it is on the disk."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            raise FileExistsError(errno.EEXIST, "another program has created the file", str(path))
        Path(temporary).rename(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
