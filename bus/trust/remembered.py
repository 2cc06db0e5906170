"""What was found under one registry and cannot change while it is in force: kept with it, so that it ends with it.

Any other registry, also the same one with one more statement or beacon, begins with nothing. Only what holds is kept, and
only so much: what does not hold is asked about each time.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")
MOST = 4096


class Remembered(Generic[K, V]):
    """Answers by question, `MOST` of them; when there are more it begins anew. Threads may share it."""

    def __init__(self) -> None:
        self._known: dict[K, V] = {}

    def get(self, question: K) -> V | None:
        """The answer, when it is known."""
        return self._known.get(question)

    def keep(self, question: K, answer: V) -> V:
        """Keep an answer that holds, and return it."""
        if len(self._known) >= MOST:
            self._known = {}
        self._known[question] = answer
        return answer

    def __len__(self) -> int:
        return len(self._known)
