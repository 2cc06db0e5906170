"""What came of trust before it could be judged, kept to be tried again: bounded in all, and fair to each subject."""

from __future__ import annotations

from schemas.codec import digest
from schemas.subject import Trust, said_on

MOST_EARLY = 16
"""How many messages of one subject are kept."""
MOST_EARLY_BYTES = 4 * 1024**2
"""How much is kept in all. The subject that has the most pays, so who fills it makes room out of his own."""
MOST_SUBJECTS = 1024
"""How many subjects: many times as many as a federation has authorities. Beyond it the one that has waited longest goes."""
EACH_BYTES = 256
"""What a message, or a subject, costs beside its bytes."""


class Early:
    """The messages that wait, by subject and digest."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}
        self._sizes: dict[str, int] = {}
        self._total = 0

    def keep(self, subject: str, raw: bytes) -> None:
        """Keep a message; beyond the bounds the oldest of the subject that has the most goes. It costs the same for any number."""
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
        """Keep a message, by its digest, no longer."""
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
        """Subject, digest and bytes of each, statements first."""
        subjects = sorted(self._kept, key=lambda subject: (said_on(subject) is not Trust.REVOKE, subject))
        return [(subject, name, raw) for subject in subjects for name, raw in self._kept[subject].items()]
