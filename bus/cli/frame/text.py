"""Text for a terminal: hostile text escaped, lines wrapped, times to the second, and hints for unknown words."""

from __future__ import annotations

import datetime as dt
import difflib
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Iterable

# Controls, format characters (bidirectional overrides, tags, zero-width space), surrogates, line and paragraph ends.
UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
# Format characters that scripts and emoji need.
JOINERS = frozenset("\u200c\u200d")
_EMPTY = frozenset(
    chr(point)
    for first, last in (
        (0x034F, 0x034F),
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x2065, 0x2065),
        (0x2800, 0x2800),
        (0x3164, 0x3164),
        (0xFE00, 0xFE0D),
        (0xFFA0, 0xFFA0),
        (0xFFF0, 0xFFF8),
        (0xE0000, 0xE0FFF),
    )
    for point in range(first, last + 1)
)
"""Letters, marks and selectors that are invisible, though their category does not say so (Unicode: Default_Ignorable_Code_Point,
and the empty Braille pattern): attackers hide whole texts in them. The two selectors of emoji are allowed.
"""


def is_seen(character: str) -> bool:
    """Whether a character is visible and does not control the terminal."""
    return character in JOINERS or (unicodedata.category(character) not in UNSEEN and character not in _EMPTY)


def safe(text: object) -> str:
    """`text` made safe for one line of a terminal: control and invisible characters become visible escapes."""
    return "".join(
        character
        if is_seen(character)
        else f"\\u{ord(character):04x}"
        if ord(character) <= 0xFFFF
        else f"\\U{ord(character):08x}"
        for character in str(text)
    )


def safe_json(text: str) -> str:
    """The same JSON on one line, with control and invisible characters as escapes.

    Line breaks between members become spaces, so that one line stays one. Inside a string JSON has no raw line break.
    """
    return _BESIDE_ASCII.sub(_escaped, text.translate(_ONE_LINE))


_ONE_LINE = {ord(character): " " for character in "\n\r\t"}
_BESIDE_ASCII = re.compile(r"[^\x20-\x7e]")


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character not in JOINERS and is_seen(character):
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n] << 8 | units[n + 1]:04x}" for n in range(0, len(units), 2))


def at(moment: dt.datetime | None) -> str:
    """A time to the second, in UTC; `-` for None."""
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment else "-"


def hint(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the nearest known one, or all of them."""
    listed = [str(each) for each in known]
    near = difflib.get_close_matches(word, listed, n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are: {', '.join(listed)}"


def on_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout is not None and sys.stdout.isatty()


def wrapped(line: str) -> list[str]:
    """A line wrapped for the terminal, with further lines indented; in a pipe, unchanged."""
    if not on_terminal():
        return [line]
    before = " " * (len(line) - len(line.lstrip()))
    room = max(20, shutil.get_terminal_size().columns)
    return textwrap.wrap(
        safe(line.lstrip()), room, initial_indent=before, subsequent_indent=before + "    "
    ) or [""]
