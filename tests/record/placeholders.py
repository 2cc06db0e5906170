"""Placeholders for what differs from run to run: ids, times, digests, keys, ports and folders. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from tests.record.entries import Entry, Form, written

# Years up to this one stand in the drafts of the scene and are kept.
LAST_FIXED_YEAR = 2024

_LONG = r"(?<![A-Za-z0-9_-])"
_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "time",
        re.compile(
            r"\b(?P<year>20\d\d)-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d)?(?!\d)"
        ),
    ),
    ("time", re.compile(r"(?<!\d)20\d{6}T\d{6}Z-[0-9a-f]{4}\b")),
    ("time", re.compile(r"\b20\d\d/\d\d/\d\d \d\d:\d\d:\d\d(?:\.\d+)?")),
    ("id", re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b")),
    ("hex", re.compile(r"\b(?=[0-9a-f]*\d)[0-9a-f]{40,}\b")),
    ("nkey", re.compile(r"\b[UX][A-Z2-7]{55}\b")),
    ("digest", re.compile(_LONG + r"(?=[A-Za-z0-9_-]*[0-9A-Z])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_=-])")),
    (
        "base64",
        re.compile(_LONG + r"(?=[A-Za-z0-9_-]*\d)(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{60,}(?![A-Za-z0-9_-])"),
    ),
    ("time", re.compile(r"(?<!\d)\d\d-\d\d \d\d:\d\d(?::\d\d)?(?!\d)")),
    ("date", re.compile(r"(?<!\d)(?P<year>20\d\d)-\d\d-\d\d(?!\d)")),
    ("date", re.compile(r"(?<!\d)(?P<year>20[2-9]\d)[01]\d[0-3]\d(?!\d)")),
    ("bytes", re.compile(r"\b\d+(?= bytes free)|(?<=grow by )\d+|(?<= of )\d+(?= bytes\b)")),
    (
        "walls",
        re.compile(r"(?<=\nProtectHome=)[a-z-]+|(?<=\nPrivateTmp=)[a-z]+"),
    ),  # where Python and the desk lie
    ("share", re.compile(r"\b\d+(?= % full)")),
    ("process", re.compile(r"(?<=\bprocess )\d+|(?<=\bkill )\d+")),
    ("clock", re.compile(r"(?<![\dT:])[0-2]\d:[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?![\d:])")),
)
# What only its name tells: the initialisation vector and the tag of what is sealed, and a key's window in seconds.
_SEALED = re.compile(r'\b(iv|tag)(\\*":\s?\\*")[A-Za-z0-9_-]{16,22}(?=\\*")')
_WINDOW = re.compile(r'("(?:nbf|exp)":\s?)\d{10}\b')
# Kinds of which the same value in one entry has the same number.
_NUMBERED = frozenset(("id", "digest", "nkey", "hex"))
_BROKEN = frozenset(("id", "digest", "nkey", "hex", "base64", "date", "time"))
_WORD = re.compile(r"\S+")
SHORTEST_PART = 6


def random_values(text: str) -> set[str]:
    """Every id, digest, key, date and time in a text: what a narrow table may break into parts."""
    return {
        match[0]
        for kind, pattern in _KINDS
        if kind in _BROKEN
        for match in pattern.finditer(text)
        if _shown(match, "") != match[0]
    }


def _with_names(text: str, names: Mapping[str, str]) -> str:
    for value in sorted(names, key=len, reverse=True):
        text = text.replace(value, f"<{names[value]}>")
    return text


def _plain(text: str) -> str:
    """Every value as its kind, without numbers."""
    for kind, pattern in _KINDS:
        text = pattern.sub(lambda match, kind=kind: _shown(match, f"<{kind}>"), text)  # type: ignore[misc]
    return text


def _shown(match: re.Match[str], placeholder: str) -> str:
    year = match.groupdict().get("year")
    return match[0] if year is not None and int(year) <= LAST_FIXED_YEAR else placeholder


class Numbers:
    """The placeholders of one entry: equal values have equal numbers, in the order of their appearance."""

    def __init__(self) -> None:
        self._of: dict[tuple[str, str], int] = {}

    def put(self, text: str) -> str:
        """A text with a placeholder for each value."""
        kinds = dict.fromkeys(kind for kind, _ in _KINDS)
        for kind in kinds:
            for other, pattern in _KINDS:
                if other == kind:
                    text = pattern.sub(lambda match, kind=kind: self._one(kind, match), text)  # type: ignore[misc]
        return text

    def _one(self, kind: str, match: re.Match[str]) -> str:
        if kind not in _NUMBERED:
            return _shown(match, f"<{kind}>")
        serial = sum(1 for other, _ in self._of if other == kind) + 1
        return f"<{kind}{self._of.setdefault((kind, match[0]), serial)}>"


def parts_hidden(text: str, values: set[str]) -> str:
    """A terminal's text with `<part>` for each piece of a random value that a narrow column has broken.

    A short piece counts only when it goes on with the piece at the same column of the line above.
    """
    whole = "\n".join(values)
    lines: list[str] = []
    above: dict[int, str] = {}
    for line in text.split("\n"):
        here: dict[int, str] = {}

        def hide(match: re.Match[str], above: dict[int, str] = above, here: dict[int, str] = here) -> str:
            before, equals, end = match[0].rpartition("=")
            word = end.rstrip(",;:.)")
            longer = above.get(match.start(), "") + word
            is_next = longer != word and longer in whole
            is_first = len(word) >= SHORTEST_PART and _is_random(word) and word in whole
            if not (is_next or is_first):
                return match[0]
            here[match.start()] = longer if is_next else word
            return f"{before}{equals}<part>{end[len(word) :]}"

        lines.append(_WORD.sub(hide, line))
        above = here
    return "\n".join(lines)


def _is_random(word: str) -> bool:
    """Whether a piece looks like one of an id or a digest, and not like a word."""
    return not word.isdigit() and any(letter in "0123456789_-" or letter.isupper() for letter in word)


def normalised(entry: Entry, names: Mapping[str, str], values: set[str]) -> str:
    """An entry as it stands in the fixture.

    Args:
        entry: with the values of this run.
        names: values that have a name in the scene, and the names.
        values: every random value of this run.
    """
    numbers = Numbers()
    line, stdout, stderr = (
        _with_names(text, names) for text in (entry.line, entry.outcome.stdout, entry.outcome.stderr)
    )
    stdout = _WINDOW.sub(r"\1<time>", _SEALED.sub(r"\1\2<base64>", stdout))
    for pattern, placeholder in entry.hidden.items():
        stdout, stderr = (re.sub(pattern, placeholder, text) for text in (stdout, stderr))
    if entry.is_sorted:
        stdout = _sorted(stdout)
    if entry.first is not None:
        stdout = _cut(stdout, entry.first)
    line, stdout, stderr = (numbers.put(text) for text in (line, stdout, stderr))
    if entry.form is Form.TERMINAL:
        stdout = parts_hidden(stdout, values)
    return written(entry, line, stdout, stderr)


def _sorted(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(sorted(lines, key=_plain))


def _cut(text: str, first: int) -> str:
    lines = text.splitlines(keepends=True)
    if len(lines) <= first:
        return text
    digest = sha256(_plain("".join(lines)).encode()).hexdigest()[:16]
    return "".join(lines[:first]) + f"... {len(lines) - first} more lines; digest of all {digest}\n"
