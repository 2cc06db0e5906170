"""Ids by their beginnings: from what a person types to the one bulletin that is meant. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from bus.errors import AmbiguousIdError
from bus.threads.joining import Key

LEAST = 4
"""So many characters of an id are typed at least."""
MOST = 20
"""So many candidates are named at most."""
_BEGINNING = re.compile(rf"[0-9a-f][0-9a-f-]{{{LEAST - 1},35}}")


def bounds(wanted: str) -> tuple[str, str] | None:
    """The ids that begin with what was typed, in upper or lower case: from the first up to, and without, the second.

    None where it is shorter than `LEAST` characters, or no beginning of an id.
    """
    low = wanted.lower()
    return (low, low + "g") if _BEGINNING.fullmatch(low) else None


def meant(wanted: str, candidates: Sequence[Key], living: Callable[[Key], Key]) -> Key | None:
    """The bulletin that is meant by an id or the beginning of one.

    Args:
        wanted: what was typed.
        candidates: the bulletins whose ids begin so, in the order in which they came.
        living: the version that lives, of the thread of a bulletin.

    Returns:
        The bulletin. Of several versions of one thread, the one in force. None if there is none.

    Raises:
        AmbiguousIdError: they are of several threads.
    """
    exact = [key for key in candidates if key.id == wanted.lower()]
    if exact:
        return exact[0]  # another issuer may use an id again; that takes nothing from the first
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    living_ones = {living(key) for key in candidates}
    if len(living_ones) == 1:
        return living_ones.pop()
    ids = tuple(dict.fromkeys(key.id for key in candidates))[:MOST]
    raise AmbiguousIdError(
        f"{len(candidates) if len(candidates) <= MOST else f'more than {MOST}'} bulletins begin with {wanted}: {', '.join(ids)}",
        candidates=ids,
    )
