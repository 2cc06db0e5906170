"""The inputs and results of stamping: a requested draft, a drawn-up bulletin, an accepted bulletin.

They form no reference cycles, so Python need not look for cycles among thousands of them (`gc=False`).
"""

from __future__ import annotations

import datetime as dt
import hashlib

import msgspec

from bus.trust import VerifiedRegistry
from schemas.bulletin import Bulletin, Defaults, Draft
from schemas.codec import digest_text
from schemas.subject import channel_of, subject_for
from schemas.vocab import MsgType, RefRel

_REVISING = {MsgType.UPDATE: RefRel.SUPERSEDES, MsgType.CANCEL: RefRel.CANCELS}


class SealedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A section of a bulletin, and the authorities that can open it."""

    label: str
    sealed_to: tuple[str, ...]


class Accepted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A signed bulletin on this disk: it cannot be lost any more. A rehearsal that would seal has no `digest`.

    `sealed_to` has the authorities that can open it; empty if it is not sealed.
    """

    id: str
    channel: str
    seq: int
    digest: str
    subject: str
    state: str = "accepted"
    sealed_to: tuple[str, ...] = ()
    sections: tuple[SealedPart, ...] = ()


class Asked(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A draft with the registry and the moment for its judgement; the other fields are the arguments of `Publisher.publish`."""

    draft: Draft
    registry: VerifiedRegistry
    moment: dt.datetime
    defaults: Defaults | None = None
    once: str | None = None
    origin: str | None = None


class Drawn(msgspec.Struct, frozen=True, gc=False):
    """A bulletin after step 4, or sealed; `channel` is the name of its channel, `hashed` the SHA-256 of its payload."""

    bulletin: Bulletin
    payload: bytes
    hashed: bytes
    digest: str
    channel: str
    subject: str
    moment: dt.datetime
    once: str | None
    origin: str | None

    @classmethod
    def of(
        cls, bulletin: Bulletin, payload: bytes, moment: dt.datetime, once: str | None, origin: str | None
    ) -> Drawn:
        """Make one, with the fields that follow from the bulletin and its bytes."""
        hashed = hashlib.sha256(payload).digest()
        channel, subject = channel_of(bulletin).name, subject_for(bulletin)
        return cls(bulletin, payload, hashed, digest_text(hashed), channel, subject, moment, once, origin)


def names_of(asked: Asked) -> tuple[str, ...]:
    """The names by which a later draft of the group may need to find this one in the outbox."""
    names = {"once": asked.once, "origin": asked.origin}
    said = [f"{what} {name}" for what, name in names.items() if name is not None]
    return (*said, *[f"version {id_}" for id_ in revised(asked.draft)])


def revised(said: Draft | Bulletin) -> tuple[str, ...]:
    """The ids that an update supersedes or a cancel cancels; empty for other drafts."""
    rel = _REVISING.get(said.msg_type)
    return () if rel is None else tuple([ref.id for ref in said.references if ref.rel is rel])
