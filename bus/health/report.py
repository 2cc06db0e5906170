"""What a judgement of health says: conditions, each with a level, a code, a sentence and a remedy, and a verdict."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How good a condition is; the verdict of a report is its worst."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


SEVERITY = {level: place for place, level in enumerate(Level)}
READER = "reader"
"""The condition that says whether anybody reads into the store."""
UNSEEING = frozenset({"not-reading", "lagging", "not-yet-read"})
"""The codes with which a store is blind: what it holds is not what the bus holds."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was judged.

    Attributes:
        name: which, such as `reader` or `outbox`; docs/health.md lists them. Two conditions of a report may share one.
        level: how good it is.
        code: why, stable; `ok` when nothing is wrong.
        detail: a sentence for a person.
        remedy: a command, or what else to do; empty when nothing need be done.
        since: since when it is so, as far as that is known.
    """

    name: str
    level: Level
    code: str
    detail: str
    remedy: str = ""
    since: dt.datetime | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was judged at one moment.

    Attributes:
        as_of: up to when what is shown beside it holds: the moment of the judgement, earlier where nobody reads.
        verdict: the worst level of the conditions.
        conditions: what was judged, in a fixed order.
    """

    as_of: dt.datetime
    verdict: Level
    conditions: tuple[Condition, ...]

    @property
    def is_bad(self) -> bool:
        """Whether what is shown beside it is not to be relied on."""
        return self.verdict is Level.BAD

    @property
    def is_blind(self) -> bool:
        """Whether the store is not up with the bus, so that nobody may be called silent by it."""
        return any(each.code in UNSEEING for each in self.conditions)

    def worst(self) -> tuple[Condition, ...]:
        """The conditions that are not ok, the bad ones first."""
        troubles = [each for each in self.conditions if each.level is not Level.OK]
        return tuple(sorted(troubles, key=lambda each: -SEVERITY[each.level]))

    def of(self, name: str) -> tuple[Condition, ...]:
        """The conditions of a name."""
        return tuple(each for each in self.conditions if each.name == name)

    def words(self) -> str:
        """The report in one line, for the head of a view."""
        stopped = next((each for each in self.worst() if each.code == "not-reading"), None)
        # Of a reader that has stopped its program has no more to say.
        troubles = "; ".join(
            each.detail
            for each in self.worst()
            if each is not stopped and not (stopped and each.name.startswith("program "))
        )
        if stopped is not None:
            return f"{stopped.detail}; {troubles}" if troubles else stopped.detail
        return f"as of {moment_text(self.as_of)}; {troubles or 'all is well'}"


def encoded(told: msgspec.Struct) -> bytes:
    """What is told, as JSON. A path of a file may have bytes that are no text; they become escapes."""
    try:
        return msgspec.json.encode(told)
    except UnicodeEncodeError:
        return msgspec.json.encode(_speakable(msgspec.to_builtins(told)))


def _speakable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {name: _speakable(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_speakable(each) for each in value]
    return value


def moment_text(moment: dt.datetime | None) -> str:
    """A moment as every view writes it; `an unknown time` for None."""
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def worst_of(conditions: tuple[Condition, ...]) -> Level:
    """The worst level; ok for none."""
    return max((each.level for each in conditions), key=SEVERITY.__getitem__, default=Level.OK)
