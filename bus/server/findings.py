"""What a check of the broker finds: pass or fail, hard or soft."""

from __future__ import annotations

from typing import NamedTuple

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One assumption and what was found."""

    name: str
    ok: bool
    hard: bool
    detail: str


def hard(name: str, ok: bool, detail: str, otherwise: str = "") -> Check:
    """A check without which the broker must not serve; `otherwise` is the detail when it fails."""
    return Check(name=name, ok=ok, hard=True, detail=detail if ok else otherwise or detail)


def soft(name: str, ok: bool, detail: str, otherwise: str = "") -> Check:
    """A check that warns; `otherwise` is the detail when it fails."""
    return Check(name=name, ok=ok, hard=False, detail=detail if ok else otherwise or detail)


class Trouble(NamedTuple):
    """What is wrong with a server that runs: a code and a sentence, both empty when nothing is."""

    code: str
    sentence: str


SOUND = Trouble("", "")
