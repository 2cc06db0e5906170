"""A sheet as lines of text of a given width. The caller's `safe` removes control of the terminal before any text is cut."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator

from bus.sheets.shape import Block, Entry, Sheet

NARROWEST = 24
_STEP = 2


def lines_of(sheet: Sheet, width: int, safe: Callable[[object], str]) -> Iterator[str]:
    """The lines of a sheet, none wider than `width` cells.

    Args:
        sheet: the sheet.
        width: cells of a line; at least 24.
        safe: makes one line of text harmless.
    """
    width = max(NARROWEST, width)
    for mark in sheet.marks:
        yield from _wrapped(safe(mark), width, "", "  ")
    if sheet.alert:
        yield ""
        yield from _wrapped(safe(sheet.alert), width, "", "")
    yield ""
    yield from _wrapped(safe(sheet.headline), width, "", "")
    yield from _wrapped(safe(sheet.about), width, "", "")
    yield from _wrapped(safe(sheet.standing), width, "", "")
    yield from _wrapped(safe(sheet.id), width, "", "")
    for block in sheet.blocks:
        yield ""
        yield from _block(block, width, safe)


def _block(block: Block, width: int, safe: Callable[[object], str]) -> Iterator[str]:
    yield from _wrapped(capitals(safe(block.heading)), width, "", "")
    for entry in block.entries:
        yield from _entry(entry, width, safe)


def _entry(entry: Entry, width: int, safe: Callable[[object], str]) -> Iterator[str]:
    before = " " * min(_STEP * (entry.depth + 1), width // 2)
    texts = [safe(part) for text in entry.text for part in (text.splitlines() or [""])]
    if entry.lang and texts:
        texts[0] = f"[{safe(entry.lang)}] {texts[0]}"
    label = safe(entry.label)
    if not label:
        first, rest = before, before + "  "
    elif not texts:
        yield from _wrapped(f"{label}:", width, before, before)
        return
    else:
        texts[0] = f"{label}: {texts[0]}"
        first, rest = before, before + "    "
    for n, text in enumerate(texts):
        yield from _wrapped(text, width, first if n == 0 else rest, rest)


def capitals(text: str) -> str:
    """A text in capitals; Greek ones bear no accent."""
    parts = unicodedata.normalize("NFD", text.upper())
    bare = (
        character
        for before, character in zip(f" {parts}", parts, strict=False)
        if character != "\u0301" or not unicodedata.name(before, "").startswith("GREEK")
    )
    return unicodedata.normalize("NFC", "".join(bare))


def cells(text: str) -> int:
    """The number of terminal cells of a text: wide characters take two, marks above a letter none."""
    return sum(_cells(character) for character in text)


def _cells(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _wrapped(text: str, width: int, first: str, rest: str) -> Iterator[str]:
    """A text in lines of at most `width` cells; a word that is longer than a line is cut."""
    line, used, is_empty = first, len(first), True
    for word in text.split(" "):
        if not is_empty and used + 1 + cells(word) > width:
            yield line.rstrip()
            line, used, is_empty = rest, len(rest), True
        if not is_empty:
            line, used = f"{line} ", used + 1
        left = word
        while used + cells(left) > width:
            head = _head(left, width - used)
            yield line + head
            left, line, used = left[len(head) :], rest, len(rest)
        line, used, is_empty = line + left, used + cells(left), False
    yield line.rstrip()


def _head(word: str, room: int) -> str:
    """As much of a word as fits, but never nothing."""
    used = 0
    for n, character in enumerate(word):
        used += _cells(character)
        if used > room and n:
            return word[:n]
    return word
