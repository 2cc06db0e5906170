"""`tocsin bundle`: registry and bulletins in one file, for hubs that no cable reaches."""

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
    """The air gap: a file out, a file in, everything in it verified by whoever takes it in."""


@command(bundle, "export")
@click.option("--out", type=FILE, required=True, metavar="FILE", help="the file to write; a new one")
@click.option(
    "--since",
    type=Since(),
    default="all",
    show_default=True,
    help="what came since: all, or a span such as 2d",
)
@repeatable(
    "--topic", "topics", shell_complete=completing.topics, help="a domain (cyber) or a kind (data-breach)"
)
@stream_options
@repeatable(
    "--channel", "channels", metavar="ID/NAME", help="as `tocsin channels` names it, with its authority"
)
@click.option(
    "--to",
    metavar="AUDIENCE",
    shell_complete=completing.audiences,
    help="for whom it is: an audience or an authority, all of whom may read it",
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
    """Write what this identity holds, or without a store what it has said itself, into one file.

    Says first how much of which marking leaves, and asks. TLP:RED and TLP:AMBER+STRICT leave only for somebody named who
    may read them; what may not be read by whom it is for, is under embargo and for nobody named, or is for other countries, refuses the
    whole bundle (exit 5).
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
    """Take a bundle in: registry, then bulletins, each verified as if it came from the bus. Twice is as once.

    Exits 6 when the file is not whole, or its registry none that this identity can follow; 8 when some bulletins were
    refused: they are in quarantine.
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
        f"admitted {taken.admitted}, known already {taken.known}, refused {taken.refused}, too early {taken.early}; "
        f"registry version {taken.version}, trust {taken.trust}"
    )
    facts = {"file": str(file), "digest": summary.digest, **msgspec.structs.asdict(taken)}
    remarks = [f"left aside, a {line}" for line in taken.left_aside]
    remarks += ["what was refused is kept as evidence: tocsin quarantine"] if taken.refused else []
    return Answer(facts, lines=[text], remarks=remarks, code=PARTLY if taken.refused else DONE)


@command(bundle, "inspect")
@click.argument("file", type=FILE)
def inspect(_app: App, file: Path) -> Answer:
    """What a bundle says it is, whether it is whole, and how much is in it; nothing is verified or taken in."""
    with _opened(file) as opened:
        summary = _checked(opened)
    facts = _as_json(summary)
    rows = ((name, "-" if value is None else value) for name, value in facts.items())
    return Answer({"file": str(file), **facts}, table=Table(("what", "value"), rows))


def _as_json(summary: Summary) -> dict[str, object]:
    facts = msgspec.structs.asdict(summary)
    return msgspec.structs.asdict(facts.pop("opening")) | facts


def _tell(app: App, leaving: dict[Channel, int], to: str | None) -> None:
    app.note(f"this leaves {'for ' + to if to else 'for whoever gets hold of the file'}:")
    for channel, count in leaving.items():
        app.note(f"  TLP:{channel.tlp.upper():<12} {count:>6}  {channel}")
    if not leaving:
        app.note("  no bulletin; the registry alone")


def _channel(text: str) -> Channel:
    """A channel with its authority."""
    try:
        return Channel.parse(text)
    except SchemaError:
        raise click.UsageError(
            f"--channel takes one like xa-csirt/actual.green.community, not {text!r}"
        ) from None


@contextlib.contextmanager
def _holding(app: App) -> Iterator[tuple[Callable[[Callable[[sqlite3.Connection], T]], T], str]]:
    """How to ask what this identity holds, and in which words: its store, or without one its outbox."""
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
    """A bundle that is a file: it is read twice, so nothing else will do."""
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
    """How much of a file has been read."""
    size = os.fstat(file.fileno()).st_size
    return lambda: file.tell() / size if size else 1.0


@contextlib.contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    """A new file, whole or not there: it gets its name when everything is on the disk and nothing has failed."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            raise FileExistsError(errno.EEXIST, "something came there meanwhile", str(path))
        Path(temporary).rename(path)
    finally:
        Path(temporary).unlink(missing_ok=True)
