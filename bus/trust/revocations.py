"""Revocation statements: an authority ends its own keys by one signature, without waiting for the roots. Pure.

Grants need m of n, a denial needs one. What must hold although a thief may have any of the keys:

- A statement ends only keys of the authority whose key signed it, its seal keys too: nobody seals to them any more.
- The signing key is valid and not revoked when the statement arrives, whatever date it bears: who has lost a key to a
  revocation says nothing more with it. A key may end itself.
- Statements add up. None takes another back, and of two the earlier `since` holds. Only the registry, m of n, sets
  another moment, and not even it makes a revoked key good again.
- A statement does not reach into the past: it withdraws what is dated at most seven days before the statement, and
  whatever follows that in its chain. One that is itself more than seven days old when it is first heard is refused.
  Further back only the registry reaches, m of n.
- Of the statements about one key only the one that reaches furthest back is kept, whatever came first: so none takes
  another one's room, and readers who have heard the same ones hold the same. A key that the registry has ended needs none.

A thief can still end the other keys of the authority while nobody has ended his. That is seen at once, by the owner
too, who can end the stolen key with itself; the roots give the authority a new one. What he must never reach, to speak
on, he does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec

from bus.errors import TrustError
from bus.keys import Signer, check_entries, sign_entry
from schemas.codec import decode_as, encode
from schemas.envelope import TYP_REVOKE, Context, SignedFile, read_signed, write_signed
from schemas.errors import SchemaError
from schemas.registry import (
    MAX_REVOKE_BYTES,
    REVOKE_SPEC,
    STATEMENT_AGE_DAYS,
    STATEMENT_REACH_DAYS,
    Registry,
    Revocation,
    SealKeyRecord,
)

if TYPE_CHECKING:
    from bus.trust.rules import RegisteredKey

CLOCK_SKEW = dt.timedelta(minutes=5)
REACH = dt.timedelta(days=STATEMENT_REACH_DAYS)
MOST_AGE = dt.timedelta(days=STATEMENT_AGE_DAYS)


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a key has ended, and so which of its bulletins stand (`bus.admission.branches.standing`).

    Attributes:
        since: from when on it is not believed.
        by_statement: whether only a statement says so. Then the dates of bulletins decide, which are the same for every
            reader; else when this reader received them.
        over: when its window ended, if it has; only beside a statement. What came later does not stand by its date.
        revoked: whether it was revoked, by the registry or a statement; else its window is over.
    """

    since: dt.datetime
    by_statement: bool = False
    over: dt.datetime | None = None
    revoked: bool = True


Seals = Mapping[str, Mapping[str, SealKeyRecord]]
"""Seal keys by authority and id."""


def new_statement(
    *,
    domain: str,
    authority: str,
    kids: Collection[str],
    since: dt.datetime,
    reason: str,
    signer: Signer,
    now: dt.datetime,
) -> bytes:
    """A signed statement, as a file. Whether it counts is decided by `VerifiedRegistry.with_revocation`.

    Raises:
        SchemaError: a part is out of its bounds.
    """
    made = Revocation(
        spec=REVOKE_SPEC,
        domain=domain,
        authority=authority,
        kids=tuple(kids),
        since=since,
        reason=reason,
        issued=now,
    )
    payload = encode(made)
    decode_as(Revocation, payload, max_bytes=MAX_REVOKE_BYTES)
    return write_signed(payload, (sign_entry(signer, payload, Context(TYP_REVOKE, domain)),))


def judge_statement(
    signed: SignedFile,
    keys: Mapping[str, RegisteredKey],
    seals: Seals,
    domain: str,
    now: dt.datetime | None,
    remembered: Collection[str] = (),
) -> Revocation:
    """What a statement says, when it counts.

    Args:
        signed: the statement; nothing in it is read before a signature over it holds.
        keys: the registry's keys as they stand, with what earlier statements ended.
        seals: the registry's seal keys.
        domain: the registry's.
        now: the present; None for a statement that counted when it came, and is only read again. The key that signed
            it may have left the registry since: what it denied stays denied.
        remembered: the keys that the registry itself knows as revoked; about them alone a statement says nothing new.

    Raises:
        TrustError: see `VerifiedRegistry.with_revocation`.
    """
    signers = _signers(signed, keys, domain, gone=now is None)
    left = now is None and any(entry.header.kid not in keys for entry in signed.entries)
    try:
        found = decode_as(Revocation, signed.payload, max_bytes=MAX_REVOKE_BYTES)
    except SchemaError as exc:
        raise TrustError(f"the revocation is malformed: {exc}", reason="malformed-revoke") from None
    if found.domain != domain:
        raise TrustError(f"the revocation is of {found.domain}, not of {domain}", reason="domain")
    mine = [key for key in signers if key.authority_id == found.authority]
    if left and not mine:
        return found
    if not mine:
        raise TrustError(f"no key of {found.authority} signed it", reason="not-your-key")
    if found.since > found.issued:
        raise TrustError(
            "the time since which a key is revoked must not be in the future", reason="from-the-future"
        )
    if now is None or set(found.kids) <= set(remembered):
        return found
    for kid in found.kids:
        sealing = next((name for name, records in seals.items() if kid in records), None)
        owner = keys[kid].authority_id if kid in keys else sealing
        if owner is None:
            raise TrustError(f"key {kid} is not in the registry", reason="unknown-key")
        if owner != found.authority:
            raise TrustError(
                f"key {kid} does not belong to {found.authority}, which therefore cannot revoke it",
                reason="not-your-key",
            )
    if found.issued > now + CLOCK_SKEW:
        raise TrustError(
            "the revocation is from the future", remedy="check the clock", reason="from-the-future"
        )
    alive = [key for key in mine if key.record.revoked_since is None]
    if not alive:
        raise TrustError("the key that signed the revocation is itself revoked", reason="key-revoked")
    if not any(key.record.not_before <= found.issued and now < key.record.not_after for key in alive):
        raise TrustError("the key that signed the revocation is outside its window", reason="key-not-valid")
    if found.issued < now - MOST_AGE:
        raise TrustError(
            f"the revocation is more than {MOST_AGE.days} days old",
            remedy="ask a registrar to revoke it in the next version of the registry",
            reason="too-old",
        )
    return found


def _signers(
    signed: SignedFile, keys: Mapping[str, RegisteredKey], domain: str, *, gone: bool
) -> list[RegisteredKey]:
    """The registered keys whose signatures hold; none is enough only when they may be `gone` from the registry.

    What others have added, so that it does not hold, is passed over.
    """
    good: list[RegisteredKey] = []
    worst = "unknown-key"
    for checked in check_entries(
        signed.entries,
        signed.payload,
        Context(TYP_REVOKE, domain),
        lambda kid: keys[kid].public if kid in keys else None,
    ):
        if checked.fault:
            worst = checked.fault
        else:
            good.append(keys[checked.key.kid])
    if not good and not (gone and any(entry.header.kid not in keys for entry in signed.entries)):
        raise TrustError("no key of the registry signed the revocation", reason=worst)
    return good


def only_theirs(raw: bytes, keys: Mapping[str, RegisteredKey], domain: str) -> bytes:
    """A statement without what others have added: the signatures of its authority that hold, or all if none does.

    Anybody can add a signature to a copy; what is kept must not depend on whose keys the registry lists later.

    Raises:
        EnvelopeError, SchemaError: it is none.
    """
    signed = read_signed(raw, Context(TYP_REVOKE, domain))
    found = decode_as(Revocation, signed.payload, max_bytes=MAX_REVOKE_BYTES)
    theirs = {kid: key.public for kid, key in keys.items() if key.authority_id == found.authority}
    checked = check_entries(signed.entries, signed.payload, Context(TYP_REVOKE, domain), theirs.get)
    good = tuple(each.entry for each in checked if not each.fault)
    return write_signed(signed.payload, good or signed.entries)


def apply(
    keys: Mapping[str, RegisteredKey], revocations: Iterable[Revocation]
) -> Mapping[str, RegisteredKey]:
    """The keys with what statements ended; where the registry revokes a key itself, its word stands."""
    ended = _ended(revocations)
    return {
        kid: key
        if kid not in ended or key.record.revoked_since is not None
        else msgspec.structs.replace(
            key,
            record=msgspec.structs.replace(
                key.record, revoked_since=reaches(ended[kid]), revoked_for=ended[kid].reason
            ),
        )
        for kid, key in keys.items()
    }


def said_in(raw: bytes, domain: str) -> Revocation:
    """What a statement of a federation says, which was verified before.

    Raises:
        EnvelopeError, SchemaError: it is none.
    """
    payload = read_signed(raw, Context(TYP_REVOKE, domain)).payload
    return decode_as(Revocation, payload, max_bytes=MAX_REVOKE_BYTES)


def speaker_of(raw: bytes, domain: str) -> str:
    """Whose keys a statement of a federation ends, which was verified before.

    Raises:
        EnvelopeError, SchemaError: it is none.
    """
    return said_in(raw, domain).authority


def apply_to_seals(document: Registry, revocations: Iterable[Revocation]) -> Seals:
    """The seal keys of the registry with what statements ended, as `apply` does for those that sign."""
    ended = _ended(revocations)
    return {
        name: {
            kid: record
            if kid not in ended or record.revoked_since is not None
            else msgspec.structs.replace(record, revoked_since=reaches(ended[kid]))
            for kid, record in authority.seal_keys.items()
        }
        for name, authority in document.authorities.items()
        if authority.seal_keys
    }


def reaches(statement: Revocation) -> dt.datetime:
    """Since when a statement ends its keys: as it says, but never more than `REACH` before the statement itself."""
    return max(statement.since, statement.issued - REACH)


def in_force(revocations: Iterable[Revocation], needless: Collection[str] = ()) -> tuple[Revocation, ...]:
    """The statements that end some key earliest, in the order given; so there are never more than keys.

    Args:
        revocations: what was heard, in any order.
        needless: the keys that the registry itself remembers as revoked.
    """
    given = tuple(revocations)
    needed = [each for kid, each in _ended(given).items() if kid not in needless]
    return tuple(each for each in dict.fromkeys(given) if each in needed)


def stated(revocations: Iterable[Revocation]) -> dict[str, dt.datetime]:
    """Since when each key has ended that a statement names, whether the registry lists it or not."""
    return {kid: reaches(each) for kid, each in _ended(revocations).items()}


def _ended(revocations: Iterable[Revocation]) -> dict[str, Revocation]:
    """By key, the statement that ends it earliest; of two for one moment the same one, whichever came first."""
    ended: dict[str, Revocation] = {}
    for each in revocations:
        for kid in each.kids:
            if kid not in ended or _rank(each) < _rank(ended[kid]):
                ended[kid] = each
    return ended


def _rank(each: Revocation) -> tuple[object, ...]:
    """Which of two statements about a key is kept: the lower. No two have the same."""
    return (reaches(each), each.reason, each.issued, each.since, each.authority, each.kids)
