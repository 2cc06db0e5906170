"""Keeps trust messages that came too early to be judged, for another try: bounded in all, and fair to each subject."""

from __future__ import annotations

from schemas.codec import digest
from schemas.subject import Trust, said_on

MOST_EARLY = 16
"""Most messages of one subject."""
MOST_EARLY_BYTES = 4 * 1024**2
"""Most bytes in all. The largest subject loses messages first, so a flood displaces only its own."""
MOST_SUBJECTS = 1024
"""Most subjects: many times the authorities of a federation. Beyond it the subject that has waited longest is dropped."""
EACH_BYTES = 256
"""Bytes that a message, or a subject, costs beside its own bytes."""


class Early:
    """The waiting messages, by subject and digest."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0

    def keep(self, subject: str, raw: bytes) -> None:
        """Keep a message; beyond the bounds drop the oldest message of the largest subject. The cost does not depend on their number."""
        if subject not in self._kept:
            if len(self._kept) == MOST_SUBJECTS:
                longest = next(iter(self._kept))
                for name in list(self._kept[longest]):
                    self.drop(longest, name)
            self._kept[subject], self._sizes[subject] = {}, 0
            self._count(subject, len(subject.encode()) + EACH_BYTES)
        early, name = self._kept[subject], digest(raw)
        if name not in early:
            early[name] = raw
            self._count(subject, len(raw) + EACH_BYTES)
        if len(early) > MOST_EARLY:
            self.drop(subject, next(iter(early)))
        while self._total > MOST_EARLY_BYTES:
            most = max(self._sizes, key=self._sizes.__getitem__)
            self.drop(most, next(iter(self._kept[most])))

    def drop(self, subject: str, name: str) -> None:
        """Drop a message by its digest."""
        early = self._kept.get(subject)
        if early is None or (raw := early.pop(name, None)) is None:
            return
        self._count(subject, -len(raw) - EACH_BYTES)
        if not early:
            self._total -= self._sizes.pop(subject)
            del self._kept[subject]

    def _count(self, subject: str, size: int) -> None:
        self._sizes[subject] += size
        self._total += size

    def waiting(self) -> list[tuple[str, str, bytes]]:
        """(subject, digest, bytes) of each, statements first."""
        subjects = sorted(self._kept, key=lambda subject: (said_on(subject) is not Trust.REVOKE, subject))
        return [(subject, name, raw) for subject in subjects for name, raw in self._kept[subject].items()]
