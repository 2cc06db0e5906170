"""Files of gettext (`*.po`), read as text. Translators know the form and its tools; nothing has to be compiled (docs/adr/048).

https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LINE = re.compile(r'(msgctxt|msgid|msgid_plural|msgstr|msgstr\[\d\])?\s*"((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")
_CODES = {"n": "\n", "t": "\t"}


class Entry(NamedTuple):
    """One entry.

    Attributes:
        text: the key; empty for the heading of the file.
        said: the translation, or one for each plural form; empty texts where there is none yet.
        many: the key for more than one; empty where the entry has no plural.
        context: tells apart two entries of one key; empty for most.
    """

    text: str
    said: tuple[str, ...]
    many: str = ""
    context: str = ""


def entries(text: str) -> Iterator[Entry]:
    """The entries of a file, the heading with its empty key among them.

    Raises:
        ValueError: a line is neither a comment nor part of an entry.
    """
    parts: dict[str, str] = {}
    into = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line.strip())
        if found is None or not (found[1] or into):
            raise ValueError(f"no line of a catalogue: {line}")
        if found[1] in ("msgctxt", "msgid") and into.startswith("msgstr"):
            yield _entry(parts)
            parts = {}
        into = found[1] or into
        parts[into] = parts.get(into, "") + _ESCAPED.sub(lambda code: _CODES.get(code[1], code[1]), found[2])
    if parts:
        yield _entry(parts)


def _entry(parts: dict[str, str]) -> Entry:
    said = tuple(part for name, part in sorted(parts.items()) if name.startswith("msgstr"))
    return Entry(parts.get("msgid", ""), said, parts.get("msgid_plural", ""), parts.get("msgctxt", ""))


def heading(text: str) -> dict[str, str]:
    """The fields of the heading of a file, as `Plural-Forms`, by their names."""
    first = next((entry for entry in entries(text) if not entry.text), None)
    lines = first.said[0].splitlines() if first is not None else ()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}
