"""`tocsin demo`: the whole system on this machine, from nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from bus import demo as demonstration
from bus.cli import frame
from bus.cli.developer import telling
from bus.cli.frame import DONE, FOLDER, INTERRUPTED, PARTLY, Answer, App, Table, command, tell

if TYPE_CHECKING:
    from bus.demo import Demo, Tally

DEFAULT_FOLDER = Path("tocsin-demo")
QUIET_END_S = 6.0
PARTING_S = 1.0  # seconds for hubs to catch up after the end is asked for; the summary is due before tasks are given up


@command(when_asked=INTERRUPTED)
@click.option(
    "--dir",
    "folder",
    type=FOLDER,
    default=DEFAULT_FOLDER,
    callback=lambda _context, _parameter, folder: folder.absolute(),
    show_default=True,
    help="folder of registry, keys, stores and spools; the next run continues in it",
)
@click.option("--port", type=click.IntRange(1, 65535), help="port of the broker  [default: any free port]")
@click.option(
    "--for",
    "seconds",
    type=click.FloatRange(min=5),
    help="end after this many seconds, with a summary",
)
@click.option(
    "--console/--no-console",
    default=True,
    help="serve the consoles of both hubs on this machine, and print their addresses; no password is asked for",
)
@click.option("--no-browser", is_flag=True, help="do not open the console in a browser on a desktop")
@click.option(
    "--story/--no-story",
    default=None,
    help="tell the story of ten minutes  [default: told, but left out with --plain]",
)
@click.option(
    "--pace",
    type=click.IntRange(1, 600),
    default=1,
    hidden=True,
    help="divide the times of the story by this",
)
@click.option(
    "--hurry",
    type=click.IntRange(1, 1440),
    default=1,
    hidden=True,
    help="divide every lifetime by this: with 144 a day passes in ten minutes",
)
async def demo(
    app: App,
    *,
    folder: Path,
    port: int | None,
    seconds: float | None,
    console: bool,
    no_browser: bool,
    story: bool | None,
    pace: int,
    hurry: int,
) -> int | None:
    """Start a broker, two countries with fourteen authorities, and two hubs; show bulletins as they arrive.

    Eight of them have adapters that read sample files in native formats from spool folders. Then people write, one
    bulletin a minute in each country, without repeats.

    Beside them a story unfolds in ten minutes, at four offices of its own and a second broker: a false polling date
    and its correction, a cloned site seen by three authorities, a forged bulletin refused, a withheld one noticed, a
    stolen key revoked, a dispute settled. Each scene names the page to open. A folder has one story; the next run
    continues it.

    Exits 0 only when each hub has admitted all bulletins that its grants let it read, and refused only what the story
    wants refused.
    """
    app.logs()
    has_story = not app.plain if story is None else story
    app.note("starting: registry, broker, fourteen authorities, two hubs (a few seconds)")
    outcome: int | None = None
    try:
        async with (
            demonstration.Demo.open(
                folder,
                port=port or -1,
                clock=app.now,
                hurry=hurry,
                say=app.note if console and os.environ.get("TOCSIN_CONSOLE") != "off" else None,
                pace=pace if has_story else None,
            ) as running,
            frame.asked() as ended,
        ):
            telling.greet(app, folder, running)
            feed = telling.Feed(app, running)
            tasks: list[asyncio.Task[None]] = [asyncio.create_task(frame.until_unread(app))]
            playing: asyncio.Task[None] | None = None
            deadline = asyncio.get_running_loop().time() + seconds if seconds else None
            if has_story:
                playing = asyncio.create_task(telling.play(app, running, deadline and deadline - QUIET_END_S))
                tasks.append(playing)
            if not no_browser:
                tasks.append(asyncio.create_task(telling.open_browser(running)))
            tasks += [asyncio.create_task(feed.tell(hub)) for hub in running.stores]
            try:
                trust: Counter[str] = Counter()
                await _rounds(app, running, ended, deadline, tasks, trust)
                if playing is not None:
                    await _end(playing)
                tally = await (running.drain(PARTING_S) if ended.is_set() else running.drain())
                kept = Upkept(
                    trust=dict(trust),
                    renewed=running.keeper.renewed,
                    over=tuple(term.what for term in running.keeper.terms() if term.level == "bad"),
                )
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            feed.tell_rest()
            if ended.is_set() and not tally.published:
                raise click.Abort  # before the first bulletin; there is nothing to judge
            # Now, because closing may take longer than a person waits.
            for part in _summed_up(tally, kept, hurry):
                tell(app, part)
            outcome = DONE if tally.complete and (hurry == 1 or kept.fresh) else PARTLY
    except asyncio.CancelledError:
        if outcome is None:
            app.note("tocsin: interrupted")
            raise
    return outcome


def _summed_up(tally: Tally, kept: Upkept, hurry: int) -> Iterator[Answer]:
    """The summary: what was published, and what hubs admitted."""
    said = ((name, count.published, count.stored) for name, count in tally.authorities.items())
    yield Answer(tally, lines=[""], table=Table(("authority", "published", "stored"), said))
    heard = ((name, count.admitted, count.refused) for name, count in tally.hubs.items())
    yield Answer(table=Table(("hub", "admitted", "refused"), heard))
    sums = f"published {tally.published}, refused {tally.refused}, lost {tally.lost}"
    yield Answer(lines=[f"{sums}; kinds: {', '.join(tally.kinds)}"])
    if (part := tally.story) is not None:
        wanted = f"{part.refused} of the refused and {part.withheld} of the lost belong to it"
        failed = f"; not come true: {', '.join(part.failed)}" if part.failed else ""
        yield Answer(lines=[f"story: {part.told} of {part.scenes} scenes told; {wanted}{failed}"])
    if hurry > 1:
        looks = ", ".join(f"{state} at {count} looks" for state, count in kept.trust.items())
        over = ", ".join(kept.over) or "nothing"
        yield Answer(kept, lines=[f"trust: {looks}; beacons: {kept.renewed}; has ended: {over}"])


class Upkept(msgspec.Struct, frozen=True, kw_only=True):
    """The state of trust at each check of a run with --hurry, the number of beacon renewals, and what expired."""

    trust: dict[str, int]
    renewed: int
    over: tuple[str, ...]

    @property
    def fresh(self) -> bool:
        """Whether trust was fresh at every check."""
        return set(self.trust) == {"fresh"} and not self.over


async def _rounds(
    app: App,
    running: Demo,
    ended: asyncio.Event,
    deadline: float | None,
    tasks: list[asyncio.Task[None]],
    trust: Counter[str],
) -> None:
    """Feed the spools at least once, until the time is over or a signal comes; raises the error that ended the story.

    Counts the state of trust at each check.
    """
    loop = asyncio.get_running_loop()
    next_round, fed = 0.0, False
    while not ended.is_set():
        if (error := _error(tasks)) is not None:
            raise error
        trust[str(running.trust)] += 1
        now = loop.time()
        if deadline is not None and now >= deadline:
            return
        if now >= next_round and (not fed or deadline is None or deadline - now > QUIET_END_S):
            await _until(ended, asyncio.create_task(running.feed(app.now())))
            next_round, fed = now + demonstration.ROUND_EVERY_S, True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await ended.wait()


async def _until(ended: asyncio.Event, work: asyncio.Task[int]) -> None:
    """Let some work end, or break it off when the end is asked for: on a busy machine a round takes longer than an end may."""
    asked = asyncio.create_task(ended.wait())
    await asyncio.wait({asked, work}, return_when=asyncio.FIRST_COMPLETED)
    asked.cancel()
    if not work.done():
        await _end(work)
    elif not work.cancelled():
        work.result()


def _error(tasks: list[asyncio.Task[None]]) -> BaseException | None:
    """The error of the first task that has failed; None when none has."""
    return next((task.exception() for task in tasks if task.done() and not task.cancelled()), None)


async def _end(task: asyncio.Task[Any]) -> None:
    """End a task; its error is that of the story."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
