"""A cache of results that cannot change while one registry is in force. It lives and ends with that registry.

Every other registry begins with an empty cache, even the same one with one more statement or beacon. Only positive
results are kept, up to a bound; a negative one is computed each time.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MOST = 4096


class Remembered(Generic[K, V]):
    """At most `MOST` answers by question; when it is full it is emptied. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[K, V] = {}

    def get(self, question: K) -> V | None:
        """The answer, or None."""
        return self._known.get(question)

    def keep(self, question: K, answer: V) -> V:
        """Keep an answer that holds, and return it."""
        if len(self._known) >= MOST:
            self._known = {}
        self._known[question] = answer
        return answer

    def __len__(self) -> int:
        return len(self._known)
