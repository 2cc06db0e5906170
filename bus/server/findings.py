"""The results of a check of the broker: pass or fail, hard or soft."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption and its result."""

    name: str
    ok: bool
    hard: bool
    detail: str


def hard(name: str, ok: bool, detail: str, otherwise: str = "") -> Check:
    """A check that the broker must pass to serve; `otherwise` is the detail of a failure."""
    return Check(name=name, ok=ok, hard=True, detail=detail if ok else otherwise or detail)


def soft(name: str, ok: bool, detail: str, otherwise: str = "") -> Check:
    """A check that only warns; `otherwise` is the detail of a failure."""
    return Check(name=name, ok=ok, hard=False, detail=detail if ok else otherwise or detail)


class Trouble(NamedTuple):
    """A fault of a running server: a code and a sentence, both empty if there is none."""

    code: str
    sentence: str


SOUND = Trouble("", "")
