"""`tocsin drill`: scored exercises on the real path, always marked as exercises."""

from __future__ import annotations

import contextlib
import copy
import secrets
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import drills, storage, transport
from bus.cli import frame
from bus.cli.frame import (
    DONE,
    FILE,
    INTERRUPTED,
    PARTLY,
    TLPS,
    Answer,
    App,
    Group,
    Sending,
    check_shape,
    command,
    completing,
    gathered,
    health_option,
    hint,
    repeatable,
    safe,
)
from bus.cli.operator.drill_files import read_inject, read_script
from bus.errors import PermitError
from schemas.scalars import Slug, Uuid
from schemas.subject import Channel
from schemas.vocab import FeedbackKind, Status, Tlp

if TYPE_CHECKING:
    from bus.drills import Expectation, Inject, Report
    from bus.publishing import Publisher
    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Draft

CONNECT_S = 5.0

out_option = click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    show_default=True,
    help="folder for the report (JSON and text)",
)


@click.group(cls=Group)
def drill() -> None:
    """Exercises: bulletins of status `exercise`, the expected answers, and the score."""


@command(drill, "run", when_asked=INTERRUPTED)
@click.argument("script", type=FILE)
@health_option
@out_option
@click.option("--check", "only_check", is_flag=True, help="read and rehearse the script; send nothing")
async def run(app: App, script: Path, *, out: Path, only_check: bool) -> Answer:
    """Play SCRIPT (TOML): publish its exercise bulletins at their times, read the answers, write a scored report.

    The chosen context conducts the drill and reads the answers, so it must be a hub's. Each step names the context
    that publishes. Everything is read and rehearsed before the first bulletin is sent. Exits 0 when all expected
    answers came in time, 8 when not, 5 when a bulletin of the script is no exercise or may not be published.
    """
    plan = read_script(script)
    injects = [read_inject(plan, n, script.parent) for n in range(len(plan.step))]
    return await _conduct(app, plan.exercise, plan.title, injects, out, only_check=only_check)


@command(drill, "comcheck", when_asked=INTERRUPTED)
@click.option(
    "--as", "speaker", metavar="CONTEXT", help="the context that asks  [default: the chosen context]"
)
@click.option(
    "--to",
    "audience",
    shell_complete=completing.audiences,
    default="community",
    show_default=True,
    help="the audience to ask",
)
@click.option("--tlp", type=click.Choice(TLPS[1:-1]), default="green", show_default=True)
@click.option(
    "--within", type=click.IntRange(1, 86_400), default=300, show_default=True, help="seconds to answer"
)
@repeatable(
    "--expect",
    "expected",
    metavar="ID",
    help="an authority that must answer  [default: every member that may]",
)
@click.option("--exercise", metavar="NAME", help="its exercise id  [default: comcheck-DATE]")
@out_option
async def comcheck(
    app: App,
    *,
    speaker: str | None,
    audience: str,
    tlp: str,
    within: int,
    expected: tuple[str, ...],
    exercise: str | None,
    out: Path,
) -> Answer:
    """Check communication: send an exercise bulletin to an audience, and show who answers before the deadline.

    An answer is feedback (`tocsin drill answer`), or a heartbeat that names the bulletin. Exit codes are those of `drill run`.
    """
    now = app.now()
    name, _ = app.context()
    speaker = speaker or name
    registry = frame.open_registry(app, now)
    issuer = _as(app, speaker).context()[1].authority
    members, mute = _members(registry, audience, Tlp(tlp), issuer)
    for authority in expected:
        if authority not in members:
            raise click.UsageError(
                f"{authority} is not in this audience, or has no grant to answer{hint(authority, members or mute)}"
            )
    wanted = expected or members
    if not wanted:
        raise click.UsageError(
            f"no other member of {audience} than {issuer} has a grant to answer at TLP:{tlp.upper()}"
        )
    if mute and not expected:
        app.note(f"members without a grant to answer there: {', '.join(mute)}")
    exercise = exercise or f"comcheck-{now:%Y-%m-%d}"
    inject = drills.Inject(
        at=0,
        speaker=speaker,
        draft=drills.of_exercise(
            drills.communication_check(exercise, audience, Tlp(tlp), now, within), exercise
        ),
        expect=tuple(drills.Expectation(by=authority, within=within) for authority in wanted),
    )
    title = f"communication check to {audience}"
    return await _conduct(app, exercise, title, [inject], out, only_check=False)


@command(drill, "answer")
@click.argument("bulletin_id", metavar="ID", shell_complete=completing.bulletins)
@click.option("--exercise", metavar="NAME", required=True, help="the exercise id of the bulletin")
@click.option(
    "--verdict",
    type=click.Choice([str(kind) for kind in FeedbackKind if kind is not FeedbackKind.HANDOVER]),
    default="ack",
    show_default=True,
)
@click.option("--text", help="a sentence")
@click.option("--tlp", type=click.Choice(TLPS[:-1]), help="the bulletin's marking")
@click.option("--audience", shell_complete=completing.audiences, help="the bulletin's audience")
@gathered("sending", Sending)
async def answer(
    app: App, bulletin_id: str, *, exercise: str, verdict: str, text: str | None, sending: Sending
) -> list[Answer]:
    """Answer the bulletin ID of an exercise. Without options, TLP and audience are those of the context."""
    check_shape(bulletin_id, Uuid, f"{bulletin_id!r} is not the id of a bulletin")
    check_shape(exercise, Slug, f"--exercise: {exercise!r} is not an exercise id")

    def make() -> Draft:
        return drills.answer(bulletin_id, exercise, FeedbackKind(verdict), text)

    return await frame.send_drafts(app, [(bulletin_id, make)], sending)


# -- conducting it ----------------------------------------------------------------------------------------------


def _as(app: App, context: str) -> App:
    """A copy of this invocation that acts as another context."""
    other = copy.copy(app)
    other.context_name = context
    return other


def _members(registry: VerifiedRegistry, audience: str, tlp: Tlp, issuer: str) -> tuple[list[str], list[str]]:
    """(authorities that can answer a check, members without a grant to answer)."""
    group = registry.document.audiences.get(audience)
    if group is None:
        known = sorted(registry.document.audiences)
        raise PermitError(
            f"there is no audience {audience!r}{hint(audience, known)}", reason="unknown-audience"
        )
    able: list[str] = []
    mute: list[str] = []
    for name in sorted(set(group.members) - {issuer}):
        ways = (
            Channel(issuer=name, status=status, tlp=tlp, audience=audience)
            for status in (Status.EXERCISE, Status.SYSTEM)
        )
        (able if any(registry.may_publish(name, way) for way in ways) else mute).append(name)
    return able, mute


def _hears(registry: VerifiedRegistry, reader: str, channel: str, expect: Sequence[Expectation]) -> None:
    """Refuse a drill if its conductor cannot read the answers."""
    asked = Channel.parse(channel)
    for answer in expect:
        registry.authority(answer.by)
        if not registry.may_read(reader, msgspec.structs.replace(asked, issuer=answer.by)):
            raise PermitError(
                f"{reader} cannot read the answer of {answer.by} on {asked.name}",
                remedy="conduct the drill as a hub that may read it: --context",
                reason="not-permitted",
            )


async def _conduct(
    app: App, exercise: str, title: str, injects: Sequence[Inject], out: Path, *, only_check: bool
) -> Answer:
    """Rehearse everything, then play it, and return the score."""
    app.logs(errors_only=True)
    await _rehearse(app, injects)
    if only_check:
        text = f"{len(injects)} bulletins would be sent, each an exercise and each permitted"
        return Answer(remarks=[text])
    await _must_answer(app)
    async with (
        _speakers(app, injects, offline=False) as speakers,
        frame.open_store(app, make=True) as store,
        frame.reading(app, store, "drill"),
    ):
        start = await store.row_before(app.now())
        board = drills.Board(
            exercise=exercise,
            title=title,
            conducted_by=app.identity.authority,
            injects=injects,
            started=app.now(),
        )
        app.note(f"EXERCISE {exercise} begins: {len(injects)} bulletins; Ctrl-C ends it without a report")
        report = await drills.play(board, speakers, store.follow(start), clock=app.now)
    try:
        drills.keep_report(app.state_folder(), report)
    except OSError as exc:
        app.note(f"the console will not show the score: {exc.filename}: {exc.strerror}")
    return _written(report, out)


async def _must_answer(app: App) -> None:
    """Refuse to start while the bus does not answer: bulletins would come late, and answers would be missed.

    Raises:
        UnreachableError, DeniedError: from the broker.
    """
    async with transport.Connection.open(frame.endpoint(app, "drill")) as connection:
        await connection.until_connected(app.timeout(CONNECT_S))


async def _rehearse(app: App, injects: Sequence[Inject]) -> None:
    """Refuse the whole drill when one bulletin may not be published, or the conductor cannot read its answers; no key is used."""
    context = app.identity
    registry = frame.open_registry(app)
    async with _speakers(app, injects, offline=True) as speakers:
        for inject in injects:
            speaker = speakers[inject.speaker]
            name = (await speaker.rehearse(inject.draft)).channel.rpartition("/")[2]
            _hears(registry, context.authority, f"{speaker.authority_id}/{name}", inject.expect)


@contextlib.asynccontextmanager
async def _speakers(
    app: App, injects: Sequence[Inject], *, offline: bool
) -> AsyncIterator[dict[str, Publisher]]:
    """The publisher of each context in the script, by its name."""
    async with contextlib.AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(frame.open_publisher(_as(app, name), offline=offline))
            for name in dict.fromkeys(inject.speaker for inject in injects)
        }


def _written(report: Report, out: Path) -> Answer:
    text = drills.as_text(report)
    stem = f"drill-{report.exercise}-{report.started:%Y%m%dT%H%M%SZ}-{secrets.token_hex(2)}"
    storage.write_atomically(
        out / f"{stem}.json", msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n"
    )
    storage.write_atomically(out / f"{stem}.txt", ("\n".join(map(safe, text)) + "\n").encode())
    remark = f"report written to {out / stem}.json and .txt"
    return Answer(report, lines=text, remarks=[remark], code=DONE if report.passed else PARTLY)
