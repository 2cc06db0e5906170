"""The one thread in which documents are read, so that a large or slow one holds up no heartbeat.

One for the whole process: msgspec builds what it knows of a type when that is first used, and a thread that uses it
meanwhile finds it half built and ends the process (seen with 0.22). So all types that are known are built before the
thread gets work, and those that only formats know are used by it alone.
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
    """What work returns, done in the reading thread after all that was asked of it before.

    When this is cancelled work that waits is not begun; what has begun goes on to its end, and nobody waits for it.

    Raises:
        Exception: what the work raised.
        RuntimeError: the system gives no thread.
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
        with contextlib.suppress(RuntimeError):  # the loop is closed, and nobody waits
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
    """Have msgspec build each struct that has been loaded since the last time."""
    waiting = [msgspec.Struct]
    while waiting:
        for each in waiting.pop().__subclasses__():
            waiting.append(each)
            if each not in _built:
                _built.add(each)
                with contextlib.suppress(Exception):  # one that cannot be built is used by nobody
                    msgspec.json.Decoder(each)
