"""What was worked out once for several requests, and holds until something happens. It is bounded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")
MOST = 128
"""So many answers are kept, the last used."""


class Memo:
    """Answers by what they are and for whom.

    `key` names everything on which an answer depends, the limits of its reader first; `stamp` says as of when it holds.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._kept: dict[Hashable, tuple[object, Any]] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._kept)

    def once(self, key: Hashable, stamp: object, work: Callable[[], T]) -> T:
        """The answer that is kept as of `stamp`; else it is worked out, and kept in the place of an older one."""
        with self._lock:
            kept = self._kept.pop(key, None)
            if kept is not None and kept[0] == stamp:
                self._kept[key] = kept
                answer: T = kept[1]
                return answer
        answer = work()
        with self._lock:
            self._kept.pop(key, None)
            self._kept[key] = (stamp, answer)
            while len(self._kept) > MOST:
                del self._kept[next(iter(self._kept))]
        return answer
