"""Stamps what a format read, as its authority would, and lets it pass the codec and every rule."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from adapters.translation.reading import FormatError, ReadContext, ReadResult
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import MAX_PAYLOAD_BYTES, decode, encode
from schemas.parts import Authority
from schemas.rules import check
from schemas.vocab import Domain, Pap, Tlp

RECEIVED = dt.datetime(2027, 5, 23, 18, 0, tzinfo=dt.UTC)
CYBER = ReadContext(received=RECEIVED, adapter="cyber")
DIGITAL = ReadContext(received=RECEIVED, adapter="digital")
ISSUER = Authority(id="xa-csirt", kind="csirt", domain=Domain.CYBER, country="XA", name="CSIRT of XA")
# Which audience a manifest would name beside a marking that comes from the source.
_AUDIENCES = {Tlp.RED: "xb-csirt", Tlp.AMBER_STRICT: "eu-csirts", Tlp.AMBER: "eu-csirts", Tlp.CLEAR: "public"}


def stamped(draft: Draft) -> Bulletin:
    """The bulletin of a draft; fails when it breaks a bound of the codec or a rule."""
    defaults = Defaults(
        tlp=Tlp.GREEN, pap=Pap.GREEN, audience=_AUDIENCES.get(draft.tlp or Tlp.GREEN, "community")
    )
    bulletin = stamp(
        draft,
        id=new_id(RECEIVED, bytes(10)),
        seq=1,
        prev=None,
        issuer=ISSUER,
        issued=RECEIVED,
        defaults=defaults,
    )
    raw = encode(bulletin)
    assert len(raw) <= MAX_PAYLOAD_BYTES
    assert decode(raw) == bulletin
    check(bulletin)
    return bulletin


def all_stand(result: ReadResult) -> tuple[Bulletin, ...]:
    """All drafts of a result, stamped; at least one."""
    assert result.drafts
    return tuple(stamped(draft) for draft in result.drafts)


def stands_or_is_refused(
    read: Callable[[bytes, ReadContext], ReadResult], raw: bytes, context: ReadContext
) -> None:
    """What any bytes must come to: bulletins that stand, or a refusal with a reason; anything else fails."""
    try:
        result = read(raw, context)
    except FormatError as refused:
        if not refused.reason:
            raise AssertionError("a refusal without a reason") from refused
        return
    all_stand(result)


def reasons(result: ReadResult) -> str:
    """All losses as one text, to look into."""
    return "\n".join(f"{loss.path}: {loss.why}" for loss in result.losses)
