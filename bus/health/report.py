"""The result of a judgement of health: conditions, each with a level, a code, a sentence and a remedy, and a verdict."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

import msgspec


class Level(StrEnum):
    """The level of a condition; the verdict of a report is its worst level."""

    OK = "ok"
    WARNING = "warning"
    BAD = "bad"


SEVERITY = {level: place for place, level in enumerate(Level)}
READER = "reader"
"""The name of the condition on reading into the store."""
UNSEEING = frozenset({"not-reading", "lagging", "not-yet-read"})
"""The codes of a blind store, which differs from the bus."""


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One judged condition.

    Attributes:
        name: its name, such as `reader` or `outbox`; docs/health.md lists them. Two conditions of a report may share one.
        level: its level.
        code: the stable reason code; `ok` if nothing is wrong.
        detail: a sentence for a person.
        remedy: a command or another action; empty if none is needed.
        since: since when it is so, if known.
    """

    name: str
    level: Level
    code: str
    detail: str
    remedy: str = ""
    since: dt.datetime | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The judgement of one moment.

    Attributes:
        as_of: the moment for which the data beside it is valid: the moment of the judgement, or earlier if nobody
            reads.
        verdict: the worst level of the conditions.
        conditions: the conditions, in a fixed order.
    """

    as_of: dt.datetime
    verdict: Level
    conditions: tuple[Condition, ...]

    @property
    def is_bad(self) -> bool:
        """Whether the data shown beside it is unreliable."""
        return self.verdict is Level.BAD

    @property
    def is_blind(self) -> bool:
        """Whether the store is behind the bus, so that no channel may be called silent."""
        return any(each.code in UNSEEING for each in self.conditions)

    def worst(self) -> tuple[Condition, ...]:
        """The conditions that are not ok, bad ones first."""
        troubles = [each for each in self.conditions if each.level is not Level.OK]
        return tuple(sorted(troubles, key=lambda each: -SEVERITY[each.level]))

    def of(self, name: str) -> tuple[Condition, ...]:
        """The conditions with a name."""
        return tuple(each for each in self.conditions if each.name == name)

    def words(self) -> str:
        """The report in one line, for the top of a view."""
        stopped = next((each for each in self.worst() if each.code == "not-reading"), None)
        # If a reader has stopped, the condition of its program adds nothing.
        troubles = "; ".join(
            each.detail
            for each in self.worst()
            if each is not stopped and not (stopped and each.name.startswith("program "))
        )
        if stopped is not None:
            return f"{stopped.detail}; {troubles}" if troubles else stopped.detail
        return f"as of {moment_text(self.as_of)}; {troubles or 'all is well'}"


def encoded(told: msgspec.Struct) -> bytes:
    """A value as JSON. Bytes of a path that are not text become escapes."""
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
    """A moment in the form of all views; `an unknown time` for None."""
    return "an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def worst_of(conditions: tuple[Condition, ...]) -> Level:
    """The worst level; ok without conditions."""
    return max((each.level for each in conditions), key=SEVERITY.__getitem__, default=Level.OK)
