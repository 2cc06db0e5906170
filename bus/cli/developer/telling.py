"""What a running demonstration tells in the terminal: how to begin, the scenes of the story, bulletins as they come."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import sys
import webbrowser
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bus import demo as demonstration
from bus.cli import frame
from bus.cli.frame import Answer, App, tell

if TYPE_CHECKING:
    from bus.demo import Demo, Told
    from bus.subscribing import Stored

LOOK_S = 0.2
PAGES_S = 20.0


def greet(app: App, folder: Path, running: Demo) -> None:
    """Say where everything is, and what to type in another terminal."""
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


async def play(app: App, running: Demo, last: float | None) -> None:
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
        await _until_pages(running)
        await story.play(say, last)


async def _until_pages(running: Demo) -> None:
    """Wait until the consoles answer, so that each line names a page; not for long, since they may not come."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PAGES_S):
            while not all(console.address for console in running.consoles.values()):  # noqa: ASYNC110 (it is asked for as a person would look)
                await asyncio.sleep(LOOK_S)


async def open_browser(running: Demo) -> None:
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
