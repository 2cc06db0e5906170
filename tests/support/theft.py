"""A stolen key: an authority's channel as it was, a thief's branch of it, and how the authority goes on with a new key."""

from __future__ import annotations

import datetime as dt

import msgspec

from bus.keys.signatures import FileSigner
from bus.trust.registry import VerifiedRegistry
from schemas.parts import Ref
from schemas.vocab import MsgType, RefRel
from tests.support.world import NOW, Message, bulletin, draft, key_record, shared_world, sign, signed_registry

WORLD = shared_world()


OLD = WORLD.signers["xa-csirt"]


NEW = FileSigner.generate()


HOUR = dt.timedelta(hours=1)


THEFT = NOW + HOUR


def registry(*, since: dt.datetime | None = None, ends: dt.datetime | None = None) -> VerifiedRegistry:
    """The world's registry with a second key for the agency, its first revoked, or at the end of its window."""
    document = WORLD.registry.document
    record = document.authorities["xa-csirt"]
    changes = {name: value for name, value in (("revoked_since", since), ("not_after", ends)) if value}
    keys = {OLD.kid: key_record(OLD, **changes), NEW.kid: key_record(NEW)}
    record = msgspec.structs.replace(record, keys=keys)
    document = msgspec.structs.replace(document, authorities={**document.authorities, "xa-csirt": record})
    return VerifiedRegistry.open(signed_registry(document, WORLD.roots))


TWO_KEYS, REVOKED = registry(), registry(since=THEFT)


def after(before: Message | None, text: str, by: FileSigner, **changes: object) -> Message:
    """The next bulletin of a chain."""
    seq, prev = (1, None) if before is None else (before.bulletin.seq + 1, before.digest)
    return sign(WORLD, bulletin(WORLD, seq=seq, prev=prev, say=draft(text, **changes)), by)


FIRST = after(None, "one", OLD)


SECOND = after(FIRST, "two", OLD)


LATE = after(SECOND, "three, before the theft but late", OLD)


CANCEL = {"msg_type": MsgType.CANCEL, "references": (Ref(id=FIRST.bulletin.id, rel=RefRel.CANCELS),)}


FORGED = after(SECOND, "withdrawn, says the thief", OLD, **CANCEL)


FORGED_TOO = after(FORGED, "and more of him", OLD)


ANCHOR = after(LATE, "we go on with a new key", NEW)


LAST = after(ANCHOR, "five", NEW)


HONEST = [FIRST, SECOND, LATE, ANCHOR, LAST]
