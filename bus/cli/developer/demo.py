"""`tocsin demo`: the whole system on this machine, from nothing."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
import webbrowser
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from bus import demo as demonstration
from bus.cli import frame
from bus.cli.frame import DONE, FOLDER, INTERRUPTED, PARTLY, Answer, App, Table, command, tell

if TYPE_CHECKING:
    from bus.demo import Demo, Tally, Told
    from bus.subscribing import Stored

DEFAULT_FOLDER = Path("tocsin-demo")
QUIET_END_S = 6.0
LOOK_S = 0.2
PARTING_S = 1.5  # seconds for hubs to catch up after the end is asked for


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
            _greet(app, folder, running)
            feed = Feed(app, running)
            telling: list[asyncio.Task[None]] = [asyncio.create_task(frame.until_unread(app))]
            playing: asyncio.Task[None] | None = None
            deadline = asyncio.get_running_loop().time() + seconds if seconds else None
            if has_story:
                playing = asyncio.create_task(_play(app, running, deadline))
                telling.append(playing)
            if not no_browser:
                telling.append(asyncio.create_task(_open_browser(running)))
            telling += [asyncio.create_task(feed.tell(hub)) for hub in running.stores]
            try:
                trust: Counter[str] = Counter()
                await _rounds(app, running, ended, deadline, telling, trust)
                if playing is not None:
                    await _end(playing)
                await (running.drain(PARTING_S) if ended.is_set() else running.drain())
                tally = await running.tally()
                kept = Upkept(
                    trust=dict(trust),
                    renewed=running.keeper.renewed,
                    over=tuple(term.what for term in running.keeper.terms() if term.level == "bad"),
                )
            finally:
                for task in telling:
                    task.cancel()
                await asyncio.gather(*telling, return_exceptions=True)
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
        wanted = f"wanted by it: {part.refused} refused, {part.withheld} withheld"
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
    telling: list[asyncio.Task[None]],
    trust: Counter[str],
) -> None:
    """Feed the spools at least once, until the time is over or a signal comes; raises the error that ended the story.

    Counts the state of trust at each check.
    """
    loop = asyncio.get_running_loop()
    next_round, fed = 0.0, False
    while not ended.is_set():
        if (error := _error(telling)) is not None:
            raise error
        trust[str(running.trust)] += 1
        now = loop.time()
        if deadline is not None and now >= deadline:
            return
        if now >= next_round and (not fed or deadline is None or deadline - now > QUIET_END_S):
            await running.feed(app.now())
            next_round, fed = now + demonstration.ROUND_EVERY_S, True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await ended.wait()


def _greet(app: App, folder: Path, running: Demo) -> None:
    home = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder
    drafts = demonstration.put_drafts(folder).name
    path = f" PATH={shlex.quote(str(place))}:$PATH" if (place := _place()) else ""
    greeting = f"""
Broker {running.server.url}, registry {running.registry.domain} version {running.registry.version}.
A bulletin is shown when every hub that may read it has verified it. Ctrl-C ends.

In another terminal:
  export TOCSIN_HOME={shlex.quote(str(folder))}{path}
  tocsin --context xa-csirt publish $TOCSIN_HOME/{drafts}/cyber.toml
  tocsin --context xa-dsc watch --since all
  tocsin --context xb-hub watch --topic cyber --since all
  tocsin --context xb-hub picture
Native files dropped into {home}/spool/AUTHORITY/in are published too.
"""
    for line in greeting.split("\n"):
        app.note(line)


async def _play(app: App, running: Demo, deadline: float | None) -> None:
    """Play the story, and say each scene in a line, with the page that shows it; none begins shortly before the end."""

    def say(told: Told) -> None:
        console = running.consoles.get(told.hub)
        line = f"story {told.clock:>4}  {told.says}."
        if told.problem:
            line += f" This has not come true: {told.problem}"
        elif console is not None and console.address:
            line += f" See {console.address.rstrip('/')}{told.path}"
        app.note(line)

    if (story := running.story) is None:
        app.note(
            "story: this folder was made by an earlier version, without its offices; to see it, name another --dir"
        )
    elif not story.untold:
        app.note("story: it has been told in this folder; to see it again, name another --dir")
    else:
        app.note(
            "story: it unfolds in ten minutes, and each line names the page to open; --no-story leaves it out"
        )
    if story is not None:
        await story.play(say, None if deadline is None else deadline - QUIET_END_S)


async def _end(task: asyncio.Task[None]) -> None:
    """End a task; its error is that of the story."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _open_browser(running: Demo) -> None:
    """Open the first console in a browser, where a person sits at a desktop."""
    if not (sys.stderr.isatty() and is_desktop(sys.platform, os.environ)):
        return
    for child in running.consoles.values():
        while not child.address:  # noqa: ASYNC110 (it is asked for as a person would look)
            await asyncio.sleep(LOOK_S)
        await asyncio.to_thread(webbrowser.open, child.address)
        return


def is_desktop(platform: str, environment: Mapping[str, str]) -> bool:
    """Whether a browser opened here is seen by a person: macOS, Windows, or a display, and no continuous integration."""
    has_display = any(environment.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
    return not environment.get("CI") and (platform in ("darwin", "win32") or has_display)


def _place() -> Path | None:
    """The folder of the program as called, or beside the interpreter; None when neither holds it."""
    called, beside = Path(sys.argv[0]), Path(sys.executable).with_name("tocsin")
    found = next((each for each in (called, beside) if each.name == "tocsin" and each.is_file()), None)
    return None if found is None else found.absolute().parent


def _error(tasks: list[asyncio.Task[None]]) -> BaseException | None:
    """The error of the first task that has failed; None when none has."""
    return next((task.exception() for task in tasks if task.done() and not task.cancelled()), None)


class Feed:
    """Shows each bulletin once, as soon as every hub that may read it has verified it."""

    def __init__(self, app: App, running: Demo) -> None:
        self._app = app
        self._running = running
        self._seen: dict[str, set[str]] = {}
        self._rows: dict[str, Stored] = {}

    async def tell(self, hub: str) -> None:
        """Follow one hub."""
        async for row in self._running.follow(hub):
            seen = self._seen.setdefault(row.digest, set())
            seen.add(hub)
            readers = {name for name in self._running.stores if self._running.may_read(name, row.channel)}
            self._rows[row.digest] = row
            if seen >= readers:
                del self._seen[row.digest], self._rows[row.digest]
                without = sorted(set(self._running.stores) - readers)
                remark = f"{', '.join(without)} has no grant for it" if without else ""
                self._show(row, remark)

    def tell_rest(self) -> None:
        """At the end, show the bulletins that only some of those hubs have verified."""
        for digest, row in self._rows.items():
            remark = f"verified by {', '.join(sorted(self._seen[digest]))} alone"
            self._show(row, remark)

    def _show(self, row: Stored, remark: str) -> None:
        tell(self._app, Answer(lines=[frame.BulletinLines(row.bulletin, row.labels, row.trust, remark)]))
