"""Findings in a draft, each with its place; and their form for a person: sentence, line, caret, words."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import msgspec

from bus.drafts.source import Path, Source
from schemas.errors import SchemaError
from schemas.rules import RULES

MOST_WORDS = 10
"""At most this many words are shown; the others are counted."""
_GRADES = ("error", "doubt", "remark")
_BEFORE = 48
"""Characters of a long line that are shown before the caret."""


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One finding in a draft.

    Attributes:
        grade: `error` if the draft is refused, `doubt` if a person must look, `remark` if it is sent all the same.
        rule: a reason code, the number of a rule, or the word of a doubt or remark; `tocsin explain` explains it.
        path: the place in the draft, such as `$.info[0].headline`.
        text: the fault, and what to write.
        line: the line, from 1; None if it has no line.
        column: the first character in the line, from 1.
        width: the number of characters.
        words: the allowed words, at most `MOST_WORDS`, nearest first.
        more: the number of further words.
        vocabulary: their name in `tocsin vocab`.
        nearest: the word that is probably intended.
    """

    grade: Literal["error", "doubt", "remark"]
    rule: str
    path: str
    text: str
    line: int | None = None
    column: int | None = None
    width: int = 1
    words: tuple[str, ...] = ()
    more: int = 0
    vocabulary: str | None = None
    nearest: str | None = None

    @property
    def choice(self) -> str:
        """The words in a sentence; empty if there are none."""
        if not self.words:
            return ""
        listed = ", ".join(self.words)
        if not self.more:
            return listed
        where = f": tocsin vocab {self.vocabulary}" if self.vocabulary else ""
        return f"{listed}, and {self.more} more{where}"


def placed(
    source: Source,
    path: Path,
    *,
    on_key: bool = False,
    grade: Literal["error", "doubt", "remark"] = "error",
    rule: str,
    text: str,
    words: tuple[str, ...] = (),
    vocabulary: str | None = None,
    nearest: str | None = None,
) -> Finding:
    """A finding with the place of its path in the source; a missing field has the place of the table that lacks it."""
    line, column, width = _place(source, path, on_key=on_key)
    if nearest is not None and nearest in words:
        words = (nearest, *(word for word in words if word != nearest))
    return Finding(
        grade=grade,
        rule=rule,
        path="$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path),
        text=text,
        line=line,
        column=column,
        width=width,
        words=words[:MOST_WORDS],
        more=max(0, len(words) - MOST_WORDS),
        vocabulary=vocabulary,
        nearest=nearest,
    )


def at(source: Source, start: int, end: int) -> tuple[int, int, int]:
    """(line, column, width) of some characters, from 1; the width ends at the end of the line."""
    line, column = source.position(min(start, max(0, len(source.text) - 1)))
    return line, column, max(1, min(end - start, len(source.line(line)) - column + 1))


def _place(source: Source, path: Path, *, on_key: bool) -> tuple[int | None, int | None, int]:
    if source.value is None:
        return None, None, 1
    node, is_there = source.node(path)
    span = node.key if on_key or not is_there else node.value or node.key
    span = span or node.value
    if span is None or span.end <= span.start or node is source.node(())[0]:
        return None, None, 1
    return at(source, *span)


class DraftError(SchemaError):
    """A refused draft, with all its faults; the reason is that of the first finding.

    Attributes:
        findings: the faults, by line.
        told: the same in lines for a person, with lines of the draft.
        brief: the error in one sentence.
    """

    def __init__(
        self,
        name: str,
        findings: Sequence[Finding],
        told: Sequence[str],
        *,
        note: str = "",
        reason: str | None = None,
    ) -> None:
        """Refuse a draft.

        Args:
            name: name of the draft.
            findings: the faults, at least one.
            told: the same in lines for a person.
            note: a further sentence for a person.
            reason: if it differs from that of the first finding.
        """
        first = findings[0]
        text = "; ".join(f"{each.path}: {each.text}" for each in findings)
        reason = reason or (f"rule:{first.rule}" if first.rule in RULES else first.rule)
        super().__init__(f"{name}: {text}" + (f"; {note}" if note else ""), reason=reason, path=first.path)
        self.findings = tuple(findings)
        self.told = tuple(told)
        count = "1 fault" if len(findings) == 1 else f"{len(findings)} faults"
        self.brief = f"{name}: {count} to correct" + (f"; {note}" if note else "")


def in_order(findings: list[Finding]) -> tuple[Finding, ...]:
    """Sort by line and column, findings without a line last. Equal findings at one place are joined."""
    seen = {(each.rule, each.path, each.text): each for each in findings}
    return tuple(sorted(seen.values(), key=_place_of))


def _place_of(found: Finding) -> tuple[object, ...]:
    nowhere = found.line is None
    return nowhere, found.line or 0, found.column or 0, _GRADES.index(found.grade), found.rule, found.path


def told(finding: Finding, source: Source, name: str, columns: int = 100) -> list[str]:
    """A finding in lines: place, fault and rule; the line of the draft; a caret below; the allowed words.

    Args:
        finding: the finding.
        source: the draft.
        name: name of the draft.
        columns: the most characters of a line of the draft.
    """
    where = name if finding.line is None else f"{name}:{finding.line}:{finding.column}"
    path = finding.path.removeprefix("$").removeprefix(".")
    tag = finding.rule if finding.grade == "error" else f"{finding.grade}: {finding.rule}"
    lines = [f"{where}: {path + ': ' if path else ''}{finding.text} [{tag}]"]
    if finding.line is not None and finding.column is not None:
        number = f"{finding.line:>5} | "
        text, caret = _window(
            source.line(finding.line), finding.column - 1, finding.width, columns - len(number)
        )
        lines += [f"{number}{text}", f"      | {caret}"]
    if choice := finding.choice:
        lines.append(f"      = {choice}")
    return lines


def _window(line: str, start: int, width: int, room: int) -> tuple[str, str]:
    """(part of a line that fits, line of carets below the marked characters); widths are those on a terminal."""
    room = max(20, room)
    first = (
        max(0, start - _BEFORE) if start + min(width, _BEFORE) > room // 2 and len(line) > room // 2 else 0
    )
    shown, carets, taken = ("…", " ", 1) if first else ("", "", 0)
    for place in range(first, len(line)):
        character = line[place]
        wide = _wide(character)
        if taken + wide > room - 1:
            shown += "…"
            break
        taken += wide
        shown += character if _is_seen(character) else "·" if wide else ""
        carets += ("^" if start <= place < start + width else " ") * wide
    if start >= len(line):
        carets += "^"
    return shown.replace("\t", " "), carets.rstrip()


def _is_seen(character: str) -> bool:
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _wide(character: str) -> int:
    if character < "\x7f":
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) == "Mn":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
