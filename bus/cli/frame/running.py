"""Programs that run on: the signals that end them, output that holds nobody up, and an end that comes whatever hangs (ADR-024).

The first SIGTERM or Ctrl-C asks a program to end: one that waits in `ended` does so in its own way, any other is cancelled
where it is. After `PRESS_S` all that still runs is cancelled, after `GRACE_S` the process ends without it. A second
signal ends the process at once. Nothing that was acknowledged is lost by any of this: that is what outbox and store promise.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import select
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from types import FrameType
from typing import Any

from bus.cli.frame.app import App
from bus.cli.frame.exit_codes import FAILURE, INTERRUPTED
from bus.cli.frame.outlet import Outlets
from bus.tasks import LAST_ACTS

PRESS_S = 2.0
"""So long after the first signal a program may end in its own way."""
GRACE_S = 4.0
"""So long after the first signal the process ends, whatever is left."""
CLOSE_S = 15.0
"""So long a program that has failed may take to end."""
AGAIN_S = 0.3  # what was cancelled may wait once more, for the next thing that does not come
LOOK_S, ASKED_LOOK_S = 1.0, 0.1
LAST_WORDS_S = 0.2
ROOM_BYTES = 1024**2
PAUSE_S, GONE_LOOK_S = 0.02, 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Program:
    """A program that runs on, in this process: one at a time."""

    current: Program | None = None

    def __init__(self, app: App) -> None:
        """Prepare; `run` runs."""
        self.app = app
        self.is_asked = False  # to end
        self.is_asking = False  # a person, for a passphrase; nothing else happens meanwhile
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._stops: list[asyncio.Event] = []
        self._asked_at = self._closing_since = 0.0
        self._is_over = threading.Event()
        self._heard, self._wakes = socket.socketpair()  # where the numbers of signals go, as they come
        self._watchman = threading.Thread(target=self._watch, name="watchman", daemon=True)

    def run(self, work: Coroutine[Any, Any, int | None], code: int) -> int | None:
        """Run a program until it ends or is asked to.

        Args:
            work: what it does; what it returns is its exit code, None is 0.
            code: with which it ends when it was asked to before it waited in `ended`.

        Raises:
            Exception: what has ended it.
        """
        before = Program.current
        Program.current = self
        self._watchman.start()
        try:
            with self._signals(), asyncio.Runner() as runner:
                return runner.run(self._body(work))
        except asyncio.CancelledError:
            if not self.is_asked:
                raise
            return code
        finally:
            Program.current = before
            self._is_over.set()
            self._wakes.send(b"\0")
            self._watchman.join()
            self._heard.close()
            self._wakes.close()

    async def _body(self, work: Coroutine[Any, Any, int | None]) -> int | None:
        self._loop, self._main = asyncio.get_running_loop(), asyncio.current_task()
        if self.is_asked:  # a moment ago
            work.close()
            raise asyncio.CancelledError
        try:
            outcome = await work
            if not self.is_asked:
                if self.app.outlets is not None:
                    self.app.outlets.flush()
                await _written(self.app, 0)  # as any command does, however slow the reader
            return outcome
        finally:
            self._closing_since = time.monotonic()

    # -- being asked to end -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Hear the signals; that can be set up in the main thread alone.

        The watchman hears them. Python runs a handler in the main thread alone, between two of its steps: not while that
        stands still, and not when it has just begun to wait.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._wakes.setblocking(False)
        handlers = {each: signal.signal(each, self._break_off_question) for each in SIGNALS}
        wakes = signal.set_wakeup_fd(self._wakes.fileno(), warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakes)
            for each, handler in handlers.items():
                signal.signal(each, handler)

    def _break_off_question(self, _signal: int, _frame: FrameType | None) -> None:
        if self.is_asking:
            raise KeyboardInterrupt

    def _hear(self) -> None:
        """A signal has come; in the watchman's thread."""
        if self.is_asked:
            self._break_off("ended at once, by a second signal", INTERRUPTED)
        self.is_asked, self._asked_at = True, time.monotonic()
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        for stop in self._stops:
            stop.set()
        if not self._stops and self._main is not None:
            self._main.cancel()

    @contextlib.asynccontextmanager
    async def ends_itself(self) -> AsyncIterator[asyncio.Event]:
        """Within this context the program ends in its own way: the event is set when it is asked to."""
        stop = asyncio.Event()
        self._stops.append(stop)
        try:
            yield stop
        except BaseException:
            self._closing_since = self._closing_since or time.monotonic()
            raise
        finally:
            self._stops.remove(stop)

    # -- an end that comes ------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Hear signals, and see to it that what has begun to end does end; in a thread, for the loop may stand still."""
        next_press = PRESS_S
        while not self._is_over.is_set():
            if select.select([self._heard], [], [], ASKED_LOOK_S if self.is_asked else LOOK_S)[0]:
                for number in self._heard.recv(64):
                    if number in SIGNALS:
                        self._hear()
            now = time.monotonic()
            if self._asked_at:
                if now - self._asked_at >= GRACE_S:
                    self._break_off(f"not all has ended within {GRACE_S:.0f} s, and is given up", INTERRUPTED)
                elif now - self._asked_at >= next_press and self._loop is not None:
                    if next_press == PRESS_S:
                        self.app.note(
                            f"tocsin: given up, because it takes too long to end{self._unfinished()}"
                        )
                    next_press += AGAIN_S
                    with contextlib.suppress(RuntimeError):  # the loop is closed
                        self._loop.call_soon_threadsafe(self._press)
                continue
            if self._closing_since and now - self._closing_since >= CLOSE_S:
                self._break_off(f"it fails, and not all has ended within {CLOSE_S:.0f} s of that", FAILURE)

    def _press(self) -> None:
        """Cancel all that still runs: what it waits for will not come in time. A thread cannot be cancelled."""
        for task in asyncio.all_tasks(self._loop):
            if getattr(task.get_coro(), "__name__", "") != "shutdown_default_executor":
                task.cancel()

    def _break_off(self, why: str, code: int) -> None:
        """End the process now, with the last acts that must be done even so."""
        if self._is_over.is_set():
            return
        for act in tuple(LAST_ACTS):
            with contextlib.suppress(Exception):
                act()
        self.app.note(f"tocsin: {why}{self._unfinished()}")
        if self.app.outlets is not None:
            self.app.outlets.close(LAST_WORDS_S)
        os._exit(code)

    def _unfinished(self) -> str:
        """What still runs, by the names of its tasks."""
        with contextlib.suppress(Exception):  # the loop runs on in its own thread
            tasks = asyncio.all_tasks(self._loop) if self._loop is not None else set()
            names = sorted({task.get_name() for task in tasks if not task.get_name().startswith("Task-")})
            return f": {', '.join(names)}" if names else ""
        return ""


def run_on(app: App, work: Coroutine[Any, Any, int | None], code: int) -> int | None:
    """Run a program until it ends or is asked to, with output that holds nobody up; see `Program.run`.

    The output stays as it is set up here until the process ends: what ended the program must be said, too.
    """
    app.runs_on = True
    if app.outlets is None:
        app.outlets = Outlets(json=app.json)
    try:
        return Program(app).run(work, code)
    except Exception as exc:
        # Inside, a program whose task has failed is only cancelled; what failed is known here.
        if app.last_word is not None:
            app.last_word(str(exc))
        raise


@contextlib.asynccontextmanager
async def asked() -> AsyncIterator[asyncio.Event]:
    """An event that is set by Ctrl-C or SIGTERM; while the context lasts the program ends in its own way."""
    if Program.current is not None:
        async with Program.current.ends_itself() as stop:
            yield stop
        return
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in SIGNALS:
        loop.add_signal_handler(signum, stop.set)
    try:
        yield stop
    finally:
        for signum in SIGNALS:
            loop.remove_signal_handler(signum)


def is_asked() -> bool:
    """Whether the program that runs on has been asked to end."""
    return Program.current is not None and Program.current.is_asked


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """A person is asked, and everything else stands still: a signal breaks the question off."""
    program = Program.current
    if program is not None:
        program.is_asking = True
        try:
            yield
        finally:
            program.is_asking = False
        return
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the terminal is given back as it was
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def until_shown(app: App) -> None:
    """Wait until there is room for more output, in a program whose output is its work."""
    await _written(app, ROOM_BYTES)


async def until_unread(app: App) -> None:
    """Wait until the reader of standard output has gone away, in a program whose output is its work.

    Raises:
        BrokenPipeError: it has.
    """
    if app.outlets is not None:
        app.outlets.end_with_reader()
    while app.outlets is None or not app.outlets.is_gone:  # noqa: ASYNC110 (the system is asked)
        await asyncio.sleep(GONE_LOOK_S)
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


async def _written(app: App, most: int) -> None:
    """Wait until at most so many bytes of standard output wait for their reader, or it has gone away."""
    while app.outlets is not None and app.outlets.waiting > most:  # noqa: ASYNC110 (a thread writes)
        await asyncio.sleep(PAUSE_S)
