"""Elections as their ids say them."""

from __future__ import annotations

from itertools import count
from typing import Any

from schemas.elections import TYPE_TOKENS
from schemas.parts import ElectionRef, Ref
from schemas.vocab import MsgType, Phase, RefRel

_BEFORE = count(10)


def put_off() -> dict[str, Any]:
    """What makes a calendar one of an election that was put off, so that its polls may be in another year than its id says.

    It takes the place of a calendar of its own, so that each is a thread by itself.
    """
    before = f"0196fe2f-9be0-7000-8000-{next(_BEFORE):012x}"
    return {"msg_type": MsgType.UPDATE, "references": (Ref(id=before, rel=RefRel.SUPERSEDES),)}


def election(name: str, phase: Phase = Phase.CAMPAIGN) -> ElectionRef:
    """The election with an id, of the type that the id has."""
    return ElectionRef(id=name, type=TYPE_TOKENS[name.split("-")[1]], phase=phase)
