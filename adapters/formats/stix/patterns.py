"""Reads a STIX 2.1 pattern: the exact values that it names, and whether it does nothing else.

A pattern that only lists alternatives (``[ipv4-addr:value = '192.0.2.1' OR url:value = '...']``) can be matched
value by value. A pattern with conjunction, order, windows or negation means more than its values: then `exact` is
false, and the caller keeps the text of the pattern too.

Source: STIX Version 2.1, OASIS Standard, 10 June 2021, section 9 (patterning grammar).
"""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Final

import msgspec

__all__ = ["MAX_PATTERN_CHARS", "NamedValue", "PatternError", "PatternReading", "read_pattern"]

MAX_PATTERN_CHARS: Final = 8_000
MAX_NESTING: Final = 32

_TOKENS: Final = re.compile(
    r"""
    (?P<space>   \s+ | /\*.*?\*/ | //[^\n]* )
  | (?P<time>    t'[^'\\\n]*' )
  | (?P<hex>     h'(?:[0-9a-fA-F]{2})*' )
  | (?P<binary>  b'[A-Za-z0-9+/]*={0,2}' )
  | (?P<string>  '(?:[^'\\]|\\['\\])*' )
  | (?P<float>   [+-]?[0-9]*\.[0-9]+ )
  | (?P<int>     [+-]?(?:0|[1-9][0-9]*) (?![0-9A-Za-z_]) )
  | (?P<word>    [A-Za-z_][A-Za-z0-9_-]* )
  | (?P<mark>    <= | >= | != | <> | == | [=<>()\[\],:.*] )
    """,
    re.VERBOSE | re.DOTALL,
)
_TIMESTAMP: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_JOINERS: Final = frozenset({"AND", "OR", "FOLLOWEDBY"})
_QUALIFIERS: Final = frozenset({"START", "WITHIN", "REPEATS"})
_WORD_OPERATORS: Final = frozenset({"LIKE", "MATCHES", "ISSUBSET", "ISSUPERSET"})
_LITERALS: Final = frozenset({"string", "int", "float", "time", "hex", "binary"})
_KEYWORDS: Final = (
    _JOINERS | _QUALIFIERS | _WORD_OPERATORS | {"NOT", "IN", "EXISTS", "STOP", "SECONDS", "TIMES"}
)


class PatternError(ValueError):
    """The text is not a STIX 2.1 pattern, or is too large. The message gives the position, and quotes nothing."""


class NamedValue(msgspec.Struct, frozen=True, kw_only=True):
    """One exact value of a pattern: ``file``, ``("hashes", "SHA-256")``, the value as text."""

    object_type: str
    path: tuple[str, ...]
    value: str


class PatternReading(msgspec.Struct, frozen=True, kw_only=True):
    """The values of a pattern.

    Attributes:
        values: The values of every positive equality or set test, in the order of the text.
        exact: True if each single one of `values` satisfies the whole pattern.
    """

    values: tuple[NamedValue, ...]
    exact: bool


class _Token(msgspec.Struct, frozen=True):
    kind: str
    text: str
    at: int


def read_pattern(text: str) -> PatternReading:
    """Reads one pattern.

    Args:
        text: The pattern, at most `MAX_PATTERN_CHARS` characters.

    Raises:
        PatternError: The text is too long, nested too deeply, or not a pattern.
    """
    if len(text) > MAX_PATTERN_CHARS:
        raise PatternError(f"a pattern of {len(text)} characters")
    reader = _Reader(tuple(_tokens(text)))
    reader.observations(0)
    reader.end()
    return PatternReading(values=tuple(reader.values), exact=reader.exact and bool(reader.values))


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise PatternError(f"nothing known at position {at}")
        kind = match.lastgroup or ""
        if kind != "space":
            yield _Token(kind, match.group(), at)
        at = match.end()
    yield _Token("end", "", at)


class _Reader:
    """Recursive descent over the tokens; collects values and lowers `exact` where the grammar adds meaning."""

    def __init__(self, tokens: tuple[_Token, ...]) -> None:
        self._tokens = tokens
        self._next = 0
        self.values: list[NamedValue] = []
        self.exact = True

    # --- tokens

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._here
        if token.kind != "end":
            self._next += 1
        return token

    def _accept(self, *texts: str) -> str | None:
        token = self._here
        if token.kind in ("word", "mark") and token.text in texts:
            self._next += 1
            return token.text
        return None

    def _expect(self, text: str) -> None:
        if self._accept(text) is None:
            raise PatternError(f"{text!r} expected at position {self._here.at}")

    def end(self) -> None:
        if self._here.kind != "end":
            raise PatternError(f"something unexpected at position {self._here.at}")

    # --- observation expressions, section 9.4

    def observations(self, depth: int) -> None:
        self._observation(depth)
        while joiner := self._accept(*_JOINERS):
            if joiner != "OR":
                self.exact = False
            self._observation(depth)

    def _observation(self, depth: int) -> None:
        if depth > MAX_NESTING:
            raise PatternError("nested too deeply")
        grouped = self._accept("(") is not None
        if grouped:
            self.observations(depth + 1)
            self._expect(")")
        else:
            self._expect("[")
            self._comparisons(depth + 1)
            self._expect("]")
        seen: set[str] = set()
        while qualifier := self._accept(*_QUALIFIERS):
            # The reference validator refuses a repeated qualifier after brackets, but accepts it after a group.
            if qualifier in seen and not grouped:
                raise PatternError(f"qualifier {qualifier} twice")
            seen.add(qualifier)
            self.exact = False
            self._qualifier(qualifier)

    def _qualifier(self, qualifier: str) -> None:
        if qualifier == "START":
            self._literal({"time"})
            self._expect("STOP")
            self._literal({"time"})
            return
        amount = self._literal({"int", "float"} if qualifier == "WITHIN" else {"int"})
        if float(amount) <= 0:
            raise PatternError(f"a number above 0 expected after {qualifier}")
        self._expect("SECONDS" if qualifier == "WITHIN" else "TIMES")

    # --- comparison expressions, section 9.6

    def _comparisons(self, depth: int) -> None:
        self._comparison(depth)
        while joiner := self._accept("AND", "OR"):
            if joiner == "AND":
                self.exact = False
            self._comparison(depth)

    def _comparison(self, depth: int) -> None:
        if depth > MAX_NESTING:
            raise PatternError("nested too deeply")
        if self._accept("("):
            self._comparisons(depth + 1)
            self._expect(")")
            return
        if self._accept("EXISTS"):
            self._path()
            self.exact = False
            return
        object_type, path = self._path()
        negated = self._accept("NOT") is not None
        self._test(object_type, path, negated=negated)

    def _test(self, object_type: str, path: tuple[str, ...], *, negated: bool) -> None:
        if self._accept("=", "=="):
            found: tuple[str, ...] = (self._literal(_LITERALS),)
        elif self._accept("IN"):
            found = self._set()
        else:
            self.exact = False
            if self._accept("!=", "<>", "<", ">", "<=", ">="):
                self._literal(_LITERALS)
            elif self._accept(*_WORD_OPERATORS):
                self._literal({"string"})
            else:
                raise PatternError(f"a comparison expected at position {self._here.at}")
            return
        if negated:
            self.exact = False
            return
        self.values += (NamedValue(object_type=object_type, path=path, value=value) for value in found)

    def _set(self) -> tuple[str, ...]:
        self._expect("(")
        found = [self._literal(_LITERALS)]
        while self._accept(","):
            found.append(self._literal(_LITERALS))
        self._expect(")")
        return tuple(found)

    def _path(self) -> tuple[str, tuple[str, ...]]:
        object_type = self._name(hyphen=True)
        self._expect(":")
        steps = [self._step()]
        while True:
            if self._accept("."):
                steps.append(self._step())
            elif self._accept("["):
                if self._accept("*") is None:
                    self._literal({"int"})
                self._expect("]")
            else:
                return object_type, tuple(steps)

    def _step(self) -> str:
        if self._here.kind == "string":
            return _unquoted(self._take().text)
        return self._name(hyphen=False)

    def _name(self, *, hyphen: bool) -> str:
        token = self._here
        if token.kind != "word" or token.text in _KEYWORDS or ("-" in token.text and not hyphen):
            raise PatternError(f"a name expected at position {token.at}")
        return self._take().text

    def _literal(self, kinds: frozenset[str] | set[str]) -> str:
        token = self._take()
        if token.kind == "word" and token.text in ("true", "false") and kinds == _LITERALS:
            return token.text
        if token.kind not in kinds:
            raise PatternError(f"a literal expected at position {token.at}")
        if token.kind == "string":
            return _unquoted(token.text)
        if token.kind == "time":
            return _instant(token)
        return token.text[2:-1] if token.kind in ("hex", "binary") else token.text


def _unquoted(text: str) -> str:
    return re.sub(r"\\(['\\])", r"\1", text[1:-1])


def _instant(token: _Token) -> str:
    value = token.text[2:-1]
    if not _TIMESTAMP.fullmatch(value):
        raise PatternError(f"a timestamp expected at position {token.at}")
    try:
        datetime.fromisoformat(value[:19] + "+00:00")
    except ValueError:
        raise PatternError(f"no such time at position {token.at}") from None
    return value
