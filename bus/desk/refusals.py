"""The refusals of the desk, each with a stable reason code; and the accepted texts and numbers, each within a bound."""

from __future__ import annotations

import unicodedata

from bus.errors import BusError

DAY_S = 86_400.0

MAX_PEOPLE = 500
MAX_NAME, MAX_EMAIL, MAX_ID = 80, 254, 40
MAX_AUDIENCES = 100
MAX_SESSIONS = 10
"""Sessions of one person; a new one ends the oldest."""
MAX_WALLS = 20
MAX_PLACES = 20
"""Addresses from which one person has signed in; the oldest go."""
MAX_ATTEMPTS = 10_000
"""Names and addresses whose failed attempts are remembered."""
MAX_VIEWS, MAX_QUERY = 50, 2_000
MAX_FEEDS = 20
"""Feed addresses of one person."""
MAX_SNOOZES = 200
"""Snoozes of one person that hold at one time."""
MAX_REASON = 500
MAX_NOTES_OF_PERSON, MAX_NOTES_OF_TARGET, MAX_NOTE = 10_000, 200, 4_000
MAX_JOURNAL, MAX_JOURNAL_OF_PERSON = 2_000, 20_000
"""Entries in the journal of one incident, and of one person in all."""
MAX_DECISIONS = 2_000
"""Decisions about one incident, those that were undone included."""
MAX_DECISIONS_OF_PERSON = 50_000
SHARE = 0.5
"""Of what is kept about one thing, one person takes no more than this: so nobody leaves colleagues without room."""
MAX_DRAFTS, MAX_VERSIONS, MAX_DRAFT_BYTES, MAX_TITLE = 50, 50, 131_072, 200
MAX_BYTES_OF_PERSON = 64 * 1024 * 1024
"""Of all versions of drafts that one person has written and that are kept."""
MAX_APPROVALS = 20
"""Approvals that one person may have asked for and that are open at one time."""
MAX_HANDOVERS_OF_PERSON, MAX_ITEMS, MAX_HANDOVER = 1_000, 200, 8_000
MAX_ACKNOWLEDGED = 200_000
"""Bulletins that one person has acknowledged."""
MAX_TRAIL_A_DAY = 20_000
"""Rows of the audit trail that one person causes at once, and in each day after; then what would be recorded is refused. So all that goes
on record has a bound by the day, too.
"""
MAX_TRAIL_TEXT = 300
MAX_ADDRESS = 64

_ODD_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")


class DeskError(BusError):
    """A forbidden or impossible act. The sentence is for the person who tried it."""

    reason = "desk-refused"


def check_text(text: str, most: int, what: str, *, lines: bool = False, empty: bool = False) -> str:
    """A text that may be kept, without blanks at its ends.

    Args:
        text: as it came.
        most: characters.
        what: how it is called in a refusal.
        lines: it may contain line breaks and tabs.
        empty: there may be none.

    Raises:
        DeskError: `text-too-long`, `text-empty`, `text-unseen` (control and direction characters).
    """
    if len(text) > most:
        raise DeskError(f"{what} has at most {most} characters", reason="text-too-long")
    kept = text.replace("\r\n", "\n").strip() if lines else text.strip()
    if not kept and not empty:
        raise DeskError(f"{what} is missing", reason="text-empty")
    if not all(is_plain(each) or (lines and each in "\n\t") for each in kept):
        raise DeskError(
            f"{what} has characters that cannot be seen; type it without them", reason="text-unseen"
        )
    return kept


def is_plain(character: str) -> bool:
    """Whether a character shows, or joins letters as some scripts need it."""
    if character in "\u200c\u200d":
        return True
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp", "Cn") and (
        character not in _ODD_LETTERS
    )


def shown(text: str) -> str:
    """A text on one line, in which each invisible character is an escape; for pages and records."""
    return "".join(
        each if is_plain(each) else f"\\u{ord(each):04x}" if ord(each) <= 0xFFFF else f"\\U{ord(each):08x}"
        for each in text
    )


def cut(text: str, most: int = MAX_TRAIL_TEXT) -> str:
    """A text for the record: escaped, and at most so long."""
    told = shown(text[: most + 1])
    return told if len(told) <= most else f"{told[: most - 1]}…"


def check_shared(held: int, mine: int, most: int, what: str) -> None:
    """Refuse one more about a thing, or one more of the same person about it.

    Raises:
        DeskError: `desk-full`.
    """
    check_room(held, most, what)
    check_room(mine, int(most * SHARE), f"{what} of yours")


def check_room(held: int, most: int, what: str) -> None:
    """Refuse one more than a bound.

    Raises:
        DeskError: `desk-full`.
    """
    if held >= most:
        raise DeskError(f"there are {most} {what} already, and no more are kept", reason="desk-full")
