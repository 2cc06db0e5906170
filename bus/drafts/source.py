"""A draft as a person wrote it, TOML or JSON: its values, and the position of each key and value."""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Mapping
from typing import Any, NamedTuple

from bus import toml
from bus.drafts.places import Node, Scanner, Span
from schemas.codec import MAX_DEPTH, MAX_PAYLOAD_BYTES

Path = tuple[str | int, ...]
"""Names and numbers that lead from the whole to a value."""

MOST_SYNTAX = 10
"""At most this many malformed TOML lines are listed in one run."""
_WIRE_PATH = re.compile(r"\.([A-Za-z_][A-Za-z0-9_-]*)|\[([0-9]+)\]")
_TOML_PLACE = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")
_TOML_KEY = re.compile(r"[ \t]*+([A-Za-z0-9_-]++)[ \t]*+=")
_TWICE = "this name stands twice; keep one of the two"
_MARKS = ((b"\xef\xbb\xbf", "a mark of byte order"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


class Slip(NamedTuple):
    """A fault that makes a text unreadable: place, sentence and reason code."""

    at: Span | None
    text: str
    reason: str = "malformed-payload"


class Source:
    """A draft that was read: its text, its values and their places.

    Attributes:
        text: the text; empty if the bytes are not text.
        value: the parsed value; None if the text cannot be read.
        slips: the places that are not TOML or JSON.
        guessed: names on malformed TOML lines, which `value` therefore lacks.
        is_json: whether it is JSON.
    """

    def __init__(self, raw: bytes | Mapping[str, Any]) -> None:
        """Read a draft.

        Args:
            raw: any bytes; or a table parsed elsewhere, which has no positions.
        """
        self.text = ""
        self.value: Mapping[str, Any] | None = None
        self.slips: list[Slip] = []
        self.guessed: set[str] = set()
        self.is_json = not isinstance(raw, bytes) or raw.lstrip()[:1] == b"{"
        self._scanned = ""
        self._scanner: Scanner | None = None
        self._starts: list[int] | None = None
        if not isinstance(raw, bytes):
            value: Mapping[str, Any] | None = raw
        elif (text := self._decoded(raw)) is None:
            return
        else:
            self.text = self._scanned = text
            value = self._json(text) if self.is_json else self._toml(text)
        if value is not None and _is_deep(value):
            self.slips.append(Slip(None, f"the draft is nested more than {MAX_DEPTH} deep"))
        elif value is not None:
            self.value = value

    def _decoded(self, raw: bytes) -> str | None:
        if not raw.strip():
            self.slips.append(Slip(None, "the draft is empty", "empty"))
            return None
        if len(raw) > MAX_PAYLOAD_BYTES:
            text = f"{len(raw)} bytes; a draft has at most {MAX_PAYLOAD_BYTES}"
            self.slips.append(Slip(None, text, "too-large"))
            return None
        for mark, name in _MARKS:
            if raw.startswith(mark):
                self.slips.append(Slip(None, f"the file begins with {name}; save it as UTF-8 without a mark"))
                return None
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as exc:
            text = f"a draft is JSON or TOML in UTF-8; byte {exc.start} of this file is not text"
            self.slips.append(Slip(None, text))
            return None

    # -- reading ----------------------------------------------------------------------------------------------

    def _json(self, text: str) -> Mapping[str, Any] | None:
        again = False

        def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
            nonlocal again
            found = dict(pairs)
            again = again or len(found) != len(pairs)
            return found

        try:
            value = json.loads(text, object_pairs_hook=members, parse_int=_integer)
        except json.JSONDecodeError as exc:
            at = Span(exc.pos, exc.pos + 1)
            self.slips.append(Slip(at, f"this is not JSON: {exc.msg[:1].lower()}{exc.msg[1:]}"))
            return None
        except (ValueError, RecursionError):
            self.slips.append(Slip(None, "this JSON cannot be a draft"))
            return None
        if again and not _is_deep(value):
            for name, span in self._scan().twice:
                what = f"{name!r} stands twice in one object; keep one of the two"
                self.slips.append(Slip(span, what, "duplicate-member"))
        return value if isinstance(value, dict) else None

    def _toml(self, text: str) -> Mapping[str, Any] | None:
        lines = text.split("\n")
        last = -2
        for _ in range(MOST_SYNTAX):
            try:
                return toml.loads("\n".join(lines).encode())
            except ValueError as exc:  # from TOML; and from a number too long for Python
                message = str(exc)
                found = _TOML_PLACE.search(message)
                what = _toml_words(message[: found.start()] if found else message)
                if found is None or found[1] is None:
                    at = None if found is None else Span(len(text) - 1, len(text))
                    self.slips.append(Slip(at, what))
                    return None
                line, column = int(found[1]) - 1, int(found[2]) - 1
            start = sum(len(each) + 1 for each in lines[:line])
            content = lines[line]
            key = _TOML_KEY.match(content)
            if key is not None:
                self.guessed.add(key[1])
            if key is not None or line != last + 1:  # otherwise it continues the line before
                at = Span(start + min(column, len(content)), start + len(content))
                if what == _TWICE and key is not None:
                    at = Span(start + key.start(1), start + key.end(1))
                self.slips.append(Slip(at, what))
            # The rest is read as if the line were empty, so all positions stay the same.
            lines[line], last = " " * len(content), line
            self._scanned = "\n".join(lines)
        return None

    # -- places -----------------------------------------------------------------------------------------------

    def node(self, path: Path) -> tuple[Node, bool]:
        """(value at a path, or the last value on the way to it; whether the path was found in full)."""
        here = self._scan().root
        for part in path:
            below = here.parts.get(part)
            if below is None:
                return here, False
            here = below
        return here, True

    def position(self, offset: int) -> tuple[int, int]:
        """(line, column) of a character, both from 1."""
        if self._starts is None:
            self._starts = [0, *(found.end() for found in re.finditer("\n", self.text))]
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1."""
        self.position(0)
        starts = self._starts or [0]
        end = starts[number] - 1 if number < len(starts) else len(self.text)
        return self.text[starts[number - 1] : end].removesuffix("\r")

    def _scan(self) -> Scanner:
        if self._scanner is None:
            self._scanner = Scanner(self._scanned, is_json=self.is_json)
            self._scanner.scan()
        return self._scanner


def wire_path(text: str) -> Path:
    """Parse a path such as `$.info[0].headline`."""
    return tuple(name or int(number) for name, number in _WIRE_PATH.findall(text))


def written(path: Path) -> str:
    """Write a path in the form `$.info[0].headline`."""
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)


def _integer(text: str) -> int | float:
    """A whole number; a float if it is too large for every field."""
    return int(text) if len(text) < 20 else float("inf")


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)  # type: ignore[attr-defined]
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _toml_words(message: str) -> str:
    """The parser's message in plain words."""
    known = {
        "Invalid value": "this is not a value in TOML; put text in quotes",
        "Expected '=' after a key in a key/value pair": "a line is: name = value; here = is missing after the name",
        "Cannot overwrite a value": _TWICE,
        "Expected newline or end of document after a statement": "there is text after the value; put text in quotes",
        "Unterminated string": "the text has no quote at its end",
    }
    return known.get(message, f"this is neither JSON nor TOML: {message[:1].lower()}{message[1:]}")
