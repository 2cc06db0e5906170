"""Elections as their ids say them."""

from __future__ import annotations

from typing import Any

from schemas.elections import TYPE_TOKENS
from schemas.parts import ElectionRef, Ref
from schemas.vocab import MsgType, Phase, RefRel

PUT_OFF: dict[str, Any] = {
    "msg_type": MsgType.UPDATE,
    "references": (Ref(id="0196fe2f-9be0-7000-8000-00000000000a", rel=RefRel.SUPERSEDES),),
}
"""What makes a calendar one of an election that was put off, so that its polls may be in another year than its id says."""


def election(name: str, phase: Phase = Phase.CAMPAIGN) -> ElectionRef:
    """The election with an id, of the type that the id has."""
    return ElectionRef(id=name, type=TYPE_TOKENS[name.split("-")[1]], phase=phase)
