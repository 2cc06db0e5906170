"""The base of all errors, and the errors of bytes and shapes. The reason code is public API, the text is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class TocsinError(Exception):
    """Base class: tocsin refuses something or cannot do it.

    Attributes:
        reason: a stable kebab-case code; a class has a default.
        detail: one sentence for a person on what happened.
        remedy: what to do next, or empty; the text of the error is `detail; remedy`.
    """

    reason: str = "failure"

    def __init__(self, detail: str, *, reason: str | None = None, remedy: str | None = None) -> None:
        super().__init__(detail if remedy is None else f"{detail}; {remedy}")
        self.detail = detail
        self.remedy = remedy
        if reason is not None:
            self.reason = reason


class Violation(NamedTuple):
    """One broken rule: its number, path and sentence."""

    rule: str
    path: str
    text: str


Broken = Iterator[tuple[str, str]]
"""The result of a rule: (path, sentence) of each violation."""


class SchemaError(TocsinError):
    """Bytes are not a bulletin, or not of the requested type.

    Attributes:
        path: place in the document, such as `$.info[0].headline`; empty if there is none.
    """

    reason = "schema"

    def __init__(self, detail: str, *, reason: str | None = None, path: str = "") -> None:
        super().__init__(detail, reason=reason)
        self.path = path


class RuleError(SchemaError):
    """A well-formed bulletin breaks cross-field rules; the reason names the first, as in `rule:R7`."""

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        first = violations[0]
        text = "; ".join(f"{v.rule} at {v.path}: {v.text}" for v in violations)
        super().__init__(text, reason=f"rule:{first.rule}", path=first.path)
        self.violations = violations


class EnvelopeError(TocsinError):
    """A signature header or a signed file is malformed."""

    reason = "malformed-envelope"
