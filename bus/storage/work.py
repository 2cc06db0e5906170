"""The work of a store's thread: pieces, calls and outcomes.

Items that wait for the same handler become one call. They are collected when the thread takes a group out of its queue.
So a lone item is served at once and a flood in large steps.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Handler = Callable[[sqlite3.Connection, list[Item]], Sequence[Result | Exception]]
"""Handles many items at once: one result for each item, in their order, or the error of that item."""


class Work(NamedTuple):
    """A waiting piece of work.

    Attributes:
        run: the function called with the connection, or the handler of an item.
        answer: the future of its caller.
        writes: whether it changes anything.
        item: the item for the handler, in a list of one; empty for work without a handler.
        brief: whether the copies that would undo it fit in memory.
    """

    run: Callable[..., Any]
    answer: asyncio.Future[Any]
    writes: bool
    item: tuple[Any, ...] = ()
    brief: bool = False


class Outcome(NamedTuple):
    """The outcome of a piece of work."""

    answer: asyncio.Future[Any]
    result: Any = None
    error: Exception | None = None


class Call(NamedTuple):
    """One call of the thread, for one piece of work or for the items of one handler."""

    works: list[Work]

    def outcomes(self, db: sqlite3.Connection) -> tuple[list[Outcome], Exception | None]:
        """Run it. Returns the outcome of each piece, and the error if all of it failed and must be undone."""
        first = self.works[0]
        if not first.item:
            result, error = attempt(first.run, db)
            return [Outcome(first.answer, result, error)], error
        results, error = attempt(lambda db: self._handled(db, first.run), db)
        if error is not None:
            return [Outcome(work.answer, error=error) for work in self.works], error
        return [_outcome(work, result) for work, result in zip(self.works, results, strict=True)], None

    def _handled(self, db: sqlite3.Connection, handler: Callable[..., Any]) -> Sequence[Any]:
        results: Sequence[Any] = handler(db, [item for work in self.works for item in work.item])
        if len(results) != len(self.works):
            raise RuntimeError(f"the handler gave {len(results)} results for {len(self.works)} items")
        return results


def calls(works: Sequence[Work]) -> list[Call]:
    """The calls for these pieces of work, in the order of their first pieces."""
    found: list[Call] = []
    together: dict[Callable[..., Any], list[Work]] = {}
    for work in works:
        if work.item and work.run in together:
            together[work.run].append(work)
            continue
        found.append(Call([work]))
        if work.item:
            together[work.run] = found[-1].works
    return found


def attempt(run: Callable[[sqlite3.Connection], Any], db: sqlite3.Connection) -> tuple[Any, Exception | None]:
    """The result of the work, or the error that it raised."""
    try:
        return run(db), None
    except Exception as exc:  # noqa: BLE001 (it belongs to the caller)
        return None, _bearable(exc)
    except BaseException as exc:  # noqa: BLE001 (a native library's panic; the thread must live, others wait for it)
        return None, RuntimeError(f"the work failed: {exc!r}")


def _outcome(work: Work, result: object) -> Outcome:
    if isinstance(result, Exception):
        return Outcome(work.answer, error=_bearable(result))
    return Outcome(work.answer, result)


def _bearable(exc: Exception) -> Exception:
    """The error, in a form that a future can carry."""
    return RuntimeError("the work ran out of items") if isinstance(exc, StopIteration) else exc
