"""The position of each key and value in a text: one pass over TOML or JSON that a parser has accepted."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple


class Span(NamedTuple):
    """A range in a text: first character, and the one after the last, counted from 0."""

    start: int
    end: int


class Node:
    """One value of a draft: its position, that of its key, and its parts.

    Attributes:
        key: position of its name; None for an entry of a list, and for the whole.
        value: its own position; None for a table that has only headings.
        parts: its members, by name or number.
        many: whether it is a list of tables, each with its own heading.
    """

    __slots__ = ("key", "many", "parts", "value")

    def __init__(self, key: Span | None = None, value: Span | None = None) -> None:
        self.key, self.value, self.many = key, value, False
        self.parts: dict[str | int, Node] = {}


_SPACE = {True: re.compile(r"[ \t\r\n]*+"), False: re.compile(r"(?:[ \t\r\n]++|#[^\n]*+)*+")}
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*+"""(?:"{0,2})|'
    r"'''(?:[^']|'{1,2}(?!'))*+'''(?:'{0,2})|"
    r'"(?:[^"\\\n]|\\.)*+"|'
    r"'[^'\n]*+'",
    re.DOTALL,
)
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d \d\d:[^\s,\]}#]*+|[^\s,\]}#]++")
_KEY = re.compile(r"[A-Za-z0-9_-]++")


class _LostError(Exception):
    """The text differs from what the parser read; the positions found so far stay."""


class Scanner:
    """Goes once over a parsed text, and notes all positions."""

    def __init__(self, text: str, *, is_json: bool) -> None:
        self.text, self.is_json, self.pos = text, is_json, 0
        self.root = Node(value=Span(0, 0))
        self.twice: list[tuple[str, Span]] = []

    def scan(self) -> None:
        """Go over the text. If it differs from what the parser read, stop and keep the positions found so far."""
        try:
            if self.is_json:
                self._skip()
                self._value(self.root)
            else:
                self._document()
        except (_LostError, RecursionError):
            return

    def _skip(self) -> str:
        found = _SPACE[self.is_json].match(self.text, self.pos)
        self.pos = found.end() if found else self.pos
        return self.text[self.pos : self.pos + 1]

    def _take(self, pattern: re.Pattern[str]) -> Span:
        found = pattern.match(self.text, self.pos)
        if found is None:
            raise _LostError
        self.pos = found.end()
        return Span(found.start(), found.end())

    def _value(self, node: Node) -> None:
        start, first = self.pos, self.text[self.pos : self.pos + 1]
        if first == "[":
            self._list(node)
        elif first == "{":
            self._table(node)
        elif first in ('"', "'"):
            self._take(_STRING)
        else:
            self._take(_PLAIN)
        node.value = Span(start, self.pos)

    def _list(self, node: Node) -> None:
        self.pos += 1
        while self._skip() != "]":
            entry = node.parts[len(node.parts)] = Node()
            self._value(entry)
            if self._skip() == ",":
                self.pos += 1
            elif self.text[self.pos : self.pos + 1] != "]":
                raise _LostError
        self.pos += 1

    def _table(self, node: Node) -> None:
        self.pos += 1
        while self._skip() != "}":
            self._pair(node)
            if self._skip() == ",":
                self.pos += 1
            elif self.text[self.pos : self.pos + 1] != "}":
                raise _LostError
        self.pos += 1

    def _pair(self, table: Node) -> None:
        keys = list(self._keys())
        here = table
        for name, span in keys[:-1]:
            here = _into(here, name, span)
        name, span = keys[-1]
        if self.is_json and name in here.parts:
            self.twice.append((name, span))
        node = here.parts[name] = Node(key=span)
        if self._skip() != (":" if self.is_json else "="):
            raise _LostError
        self.pos += 1
        self._skip()
        self._value(node)

    def _keys(self) -> Iterator[tuple[str, Span]]:
        """The parts of a name; a TOML name may have several."""
        while True:
            if self._skip() in ('"', "'"):
                span = self._take(_STRING)
                raw = self.text[span.start : span.end]
                name = json.loads(raw) if self.is_json else tomllib.loads(f"x={raw}")["x"]
            else:
                span = self._take(_KEY)
                name = self.text[span.start : span.end]
            yield name, span
            if self.is_json or self._skip() != ".":
                return
            self.pos += 1

    def _document(self) -> None:
        table = self.root
        while first := self._skip():
            if first != "[":
                self._pair(table)
                continue
            many = self.text.startswith("[[", self.pos)
            self.pos += 2 if many else 1
            keys = list(self._keys())
            self.pos += 2 if many else 1
            table = self.root
            for name, span in keys[:-1]:
                table = _into(table, name, span)
            name, span = keys[-1]
            if not many:
                table = _into(table, name, span)
                table.key = span
                continue
            group = table.parts.setdefault(name, Node(key=span))
            group.many = True
            table = group.parts[len(group.parts)] = Node(key=span)


def _into(here: Node, name: str, span: Span) -> Node:
    """The table with a name, made if missing; the last one of a list of tables."""
    node = here.parts.setdefault(name, Node(key=span))
    return node.parts[len(node.parts) - 1] if node.many and node.parts else node
