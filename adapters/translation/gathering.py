"""Collects the observables of one draft: one entry for each value, personal data only if the marking allows it, the most useful first if there are too many."""

import datetime as dt
from collections.abc import Collection
from typing import Final, TypeVar

import msgspec

from adapters.translation.prose import carried
from adapters.translation.reading import Losses
from schemas.observables import Sighted
from schemas.parts import Observable
from schemas.scalars import MAX_COUNT
from schemas.truth.values import why_unfit
from schemas.vocab import PERSONAL_RANK, PersonalFlag, Tlp

__all__ = ["MAX_OBSERVABLES", "Gathering", "at_most"]

_T = TypeVar("_T")

MAX_OBSERVABLES: Final = 500
_NOTE_CHARS: Final = 500
_DEFAULT_ROLE: Final = "infrastructure"


class Gathering:
    """The values found so far, by type and value, in the order of first occurrence."""

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._found: dict[tuple[str, str], Observable] = {}
        self._doubted: set[tuple[str, str]] = set()

    def __len__(self) -> int:
        return len(self._found)

    def add(
        self,
        found: Sighted,
        *,
        path: str,
        role: str = _DEFAULT_ROLE,
        actionable: bool = False,
        platform: str | None = None,
        first_seen: dt.datetime | None = None,
        last_seen: dt.datetime | None = None,
        count: int | None = None,
        note: str | None = None,
    ) -> None:
        """Adds a value, or joins it with an equal one: actionable if either is, the widest window, the first note.

        Args:
            found: The value, canonical.
            path: Its place in the source.
            role: A slug of `observable-role`.
            actionable: Whether the source intends it for automated matching.
            platform: A platform slug, if the value does not show one.
            first_seen: Aware, or None.
            last_seen: Aware, or None.
            count: The number of sightings.
            note: Free text about it; e-mail addresses are removed.
        """
        value = carried(found.value, limit=2_048, path=path, losses=self._losses, verbatim=True)
        if value is None:
            return
        key = (found.type, value)
        words = carried(note or "", limit=_NOTE_CHARS, path=path, losses=self._losses)
        new = Observable(type=found.type, value=value, personal=found.personal, role=_DEFAULT_ROLE)
        if actionable and (why := why_unfit(new)):
            self._losses.add(path, f"not fit for matching: {why}")
            actionable = False
        held = self._found.get(key, new)
        self._found[key] = msgspec.structs.replace(
            held,
            personal=max(held.personal, found.personal, key=PERSONAL_RANK.__getitem__),
            role=role if held.role == _DEFAULT_ROLE else held.role,
            actionable=held.actionable or actionable,
            platform=held.platform or platform or found.platform,
            first_seen=min(filter(None, (held.first_seen, first_seen)), default=None),
            last_seen=max(filter(None, (held.last_seen, last_seen)), default=None),
            count=held.count if count is None else max(0, min((held.count or 0) + count, MAX_COUNT)),
            note=held.note or words,
        )

    def doubt(self, found: Sighted) -> None:
        """Marks a value as not actionable for good, because it was seen as harmless, or has expired."""
        self._doubted.add((found.type, found.value))

    def chosen(self, tlp: Tlp | None, limit: int = MAX_OBSERVABLES) -> tuple[Observable, ...]:
        """The observables for the draft.

        At TLP:CLEAR personal values are not allowed (rule R7): they are dropped with a loss; the marking stays and
        the bulletin is not refused. Above `limit`, actionable values come first, then those with a note, each in the
        order of the source.
        """
        kept = [
            msgspec.structs.replace(item, actionable=item.actionable and key not in self._doubted)
            for key, item in self._found.items()
        ]
        if tlp is Tlp.CLEAR:
            worst = PERSONAL_RANK[PersonalFlag.PERSONAL]
            public = [item for item in kept if PERSONAL_RANK[item.personal] < worst]
            if len(public) < len(kept):
                self._losses.add(
                    "observables",
                    f"{len(kept) - len(public)} personal values: none may travel at TLP:CLEAR (rule R7)",
                )
            kept = public
        if len(kept) > limit:
            self._losses.add(
                "observables",
                f"{len(kept) - limit} of {len(kept)} values: a bulletin holds {limit}, actionable ones first",
            )
            kept = sorted(kept, key=lambda item: (not item.actionable, item.note is None))[:limit]
        return tuple(kept)


def at_most(found: Collection[_T], most: int, path: str, losses: Losses) -> tuple[_T, ...]:
    """The first `most` of many things; a loss gives the number of the others."""
    if len(found) > most:
        losses.add(path, f"{len(found) - most} of {len(found)}: a bulletin holds {most}")
    return tuple(found)[:most]
