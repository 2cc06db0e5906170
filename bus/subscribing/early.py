"""What came of trust before it could be judged, kept to be tried again: bounded in all, and fair to each subject."""

from __future__ import annotations

from schemas.codec import digest
from schemas.subject import Trust, said_on

MOST_EARLY = 16
"""How many messages of one subject are kept."""
MOST_EARLY_BYTES = 4 * 1024**2
"""How much is kept in all. The subject that has the most pays, so who fills it makes room out of his own."""


class Early:
    """The messages that wait, by subject and digest."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[str, bytes]] = {}

    def keep(self, subject: str, raw: bytes) -> None:
        """Keep a message; beyond the bounds the oldest of the subject that has the most goes."""
        early = self._kept.setdefault(subject, {})
        early[digest(raw)] = raw
        if len(early) > MOST_EARLY:
            del early[next(iter(early))]
        sizes = {name: sum(map(len, kept.values())) for name, kept in self._kept.items()}
        while sum(sizes.values()) > MOST_EARLY_BYTES:
            most = max(sizes, key=sizes.__getitem__)
            oldest = next(iter(self._kept[most]))
            sizes[most] -= len(self._kept[most][oldest])
            self.drop(most, oldest)

    def drop(self, subject: str, name: str) -> None:
        """Keep a message, by its digest, no longer."""
        early = self._kept.get(subject, {})
        early.pop(name, None)
        if not early:
            self._kept.pop(subject, None)

    def waiting(self) -> list[tuple[str, str, bytes]]:
        """Subject, digest and bytes of each, statements first."""
        subjects = sorted(self._kept, key=lambda subject: (said_on(subject) is not Trust.REVOKE, subject))
        return [(subject, name, raw) for subject in subjects for name, raw in self._kept[subject].items()]
