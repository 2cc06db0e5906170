"""Programs that run until Ctrl-C: signals, output that blocks nobody, and an end that comes even if a part hangs (ADR-024).

The first SIGTERM or Ctrl-C asks a program to end. A program that waits in `ended` ends in its own way; any other is
cancelled. After `PRESS_S` seconds all running tasks are cancelled; after `GRACE_S` seconds the process ends without
them. A second signal ends the process at once. No acknowledged bulletin is lost by this, because outbox and store
keep it on the disk.
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
"""Seconds after the first signal in which a program may end in its own way."""
GRACE_S = 4.0
"""Seconds after the first signal until the process ends, even with work left."""
CLOSE_S = 15.0
"""Seconds that a failed program may take to end."""
AGAIN_S = 0.3  # a cancelled task may wait again, for another thing that does not come
LOOK_S, ASKED_LOOK_S = 1.0, 0.1
LAST_WORDS_S = 0.2
ROOM_BYTES = 1024**2
PAUSE_S, GONE_LOOK_S = 0.02, 0.2
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Program:
    """A program that runs until Ctrl-C; one at a time in a process."""

    current: Program | None = None

    def __init__(self, app: App) -> None:
        """Prepare; `run` runs."""
        self.app = app
        self.is_asked = False  # to end
        self.is_asking = False  # a person is asked for a passphrase, and nothing else runs
        self._loop: asyncio.AbstractEventLoop | None = None
        self._main: asyncio.Task[Any] | None = None
        self._stops: list[asyncio.Event] = []
        self._asked_at = self._closing_since = 0.0
        self._is_over = threading.Event()
        self._heard, self._wakes = socket.socketpair()  # the pipe for the numbers of arriving signals
        self._watchman = threading.Thread(target=self._watch, name="watchman", daemon=True)

    def run(self, work: Coroutine[Any, Any, int | None], code: int) -> int | None:
        """Run a program until it ends or is asked to.

        Args:
            work: the program; its result is the exit code, None is 0.
            code: the exit code if it is asked to end before it waits in `ended`.

        Raises:
            Exception: the error that ended it.
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
                await _written(self.app, 0)  # as in any command, even with a slow reader
            return outcome
        finally:
            self._closing_since = time.monotonic()

    # -- being asked to end -----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Receive the signals until the context exits; only the main thread can set this up.

        The watchman thread reads them. Python runs a signal handler only in the main thread, between two of its
        steps: not while that thread is blocked, and not if it has just begun to wait.
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
        """Handle a signal, in the watchman's thread."""
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
        """Within this context the program ends in its own way. The event is set when it is asked to end."""
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
        """Read signals, and make sure that a program that is ending does end. Runs in a thread, because the loop may be blocked."""
        next_press = PRESS_S
        while not self._is_over.is_set():
            if select.select([self._heard], [], [], ASKED_LOOK_S if self.is_asked else LOOK_S)[0]:
                for number in self._heard.recv(64):
                    if number in SIGNALS:
                        self._hear()
            now = time.monotonic()
            if self._asked_at:
                if now - self._asked_at >= GRACE_S:
                    self._break_off(
                        f"some tasks have not ended within {GRACE_S:.0f} s; they are given up", INTERRUPTED
                    )
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
                self._break_off(f"it failed, and some tasks have not ended {CLOSE_S:.0f} s later", FAILURE)

    def _press(self) -> None:
        """Cancel all running tasks: what they wait for will not come in time. A thread cannot be cancelled."""
        for task in asyncio.all_tasks(self._loop):
            if getattr(task.get_coro(), "__name__", "") != "shutdown_default_executor":
                task.cancel()

    def _break_off(self, why: str, code: int) -> None:
        """End the process now, after the last acts that are always due."""
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
        """The names of the tasks that still run."""
        with contextlib.suppress(Exception):  # the loop keeps running in its own thread
            tasks = asyncio.all_tasks(self._loop) if self._loop is not None else set()
            names = sorted({task.get_name() for task in tasks if not task.get_name().startswith("Task-")})
            return f": {', '.join(names)}" if names else ""
        return ""


def run_on(app: App, work: Coroutine[Any, Any, int | None], code: int) -> int | None:
    """Run a program until it ends or is asked to, with output that blocks nobody; see `Program.run`.

    The output stays replaced until the process ends, because the last error must be printed too.
    """
    app.runs_on = True
    if app.outlets is None:
        app.outlets = Outlets(json=app.json)
    try:
        return Program(app).run(work, code)
    except Exception as exc:
        # A program whose task failed sees only a cancellation; the cause is known here.
        if app.last_word is not None:
            app.last_word(str(exc))
        raise


@contextlib.asynccontextmanager
async def asked() -> AsyncIterator[asyncio.Event]:
    """An event that Ctrl-C or SIGTERM sets. Until the context exits, the program ends in its own way."""
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
    """Whether the running program has been asked to end."""
    return Program.current is not None and Program.current.is_asked


@contextlib.contextmanager
def asking() -> Iterator[None]:
    """Mark that a person is asked and all else waits: a signal breaks the question off."""
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
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)  # the terminal is restored
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


async def until_shown(app: App) -> None:
    """Wait until the output has room, in a program whose output is its work."""
    await _written(app, ROOM_BYTES)


async def until_unread(app: App) -> None:
    """Wait until the reader of standard output is gone, in a program whose output is its work.

    Raises:
        BrokenPipeError: the reader is gone.
    """
    if app.outlets is not None:
        app.outlets.end_with_reader()
    while app.outlets is None or not app.outlets.is_gone:  # noqa: ASYNC110 (the system is asked)
        await asyncio.sleep(GONE_LOOK_S)
    raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


async def _written(app: App, most: int) -> None:
    """Wait until at most `most` bytes of standard output are unread, or the reader is gone."""
    while app.outlets is not None and app.outlets.waiting > most:  # noqa: ASYNC110 (a thread writes)
        await asyncio.sleep(PAUSE_S)
