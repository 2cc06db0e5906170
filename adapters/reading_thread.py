"""The one thread that reads documents, so that a large or slow one does not delay heartbeats.

A process has only one such thread. msgspec builds its plan for a type on first use; another thread that uses the
half-built plan crashes the process (seen with 0.22). So all known types are built before the thread gets work, and
only this thread uses the types of formats.
"""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
Work = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]

_work: queue.SimpleQueue[Work] = queue.SimpleQueue()
_thread: threading.Thread | None = None
_built: set[type] = set()


async def in_reading_thread(work: Callable[[], T]) -> T:
    """The result of a work, done in the reading thread after all earlier works.

    A cancellation drops a waiting work. A running work continues to its end, but its result is dropped.

    Raises:
        Exception: the error of the work.
        RuntimeError: the system cannot start a thread.
    """
    global _thread  # noqa: PLW0603 (there is one)
    _build_types()
    if _thread is None or not _thread.is_alive():
        _thread = threading.Thread(target=_run, name="reading", daemon=True)
        _thread.start()
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()
    _work.put((work, loop, answer))
    return await answer


def _run() -> None:
    while True:
        work, loop, answer = _work.get()
        if answer.cancelled():
            continue
        result, error = None, None
        try:
            result = work()
        except BaseException as exc:  # noqa: BLE001 (it belongs to who waits; the thread must live, others wait for it)
            error = exc if isinstance(exc, Exception) else RuntimeError(f"the reading broke off: {exc!r}")
        with contextlib.suppress(RuntimeError):  # the loop is closed, and no caller waits
            loop.call_soon_threadsafe(_settle, answer, result, error)
        del work, result, error  # it holds a whole document


def _settle(answer: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if answer.done():
        return
    if isinstance(error, StopIteration):
        error = RuntimeError("the reading ran out of items")  # a future cannot carry StopIteration
    if error is not None:
        answer.set_exception(error)
    else:
        answer.set_result(result)


def _build_types() -> None:
    """Let msgspec build each struct that was loaded since the last call."""
    waiting = [msgspec.Struct]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if each not in _built:
                _built.add(each)
                with contextlib.suppress(Exception):  # a struct that cannot be built is not in use
                    msgspec.json.Decoder(each)
