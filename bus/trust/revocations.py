"""Revocation statements: an authority revokes its own keys by one signature, without waiting for the roots. Pure.

Grants need m of n signatures, a denial needs one. These rules hold although a thief may have any of the keys:

- A statement revokes only keys of the authority whose key signed it. It may name seal keys: nobody seals to them any
  more.
- The signing key must be valid and not revoked when the statement arrives, whatever date the statement bears. A revoked
  key revokes nothing more. A key may revoke itself.
- Statements add up. None takes another back, and of two the earlier `since` counts. Only the registry (m of n) sets
  another moment, and even the registry never makes a revoked key valid again.
- A statement has a limited reach: it withdraws bulletins dated at most seven days before the statement, and all that
  follow those in their chain. A statement that is more than seven days old when first received is refused. Only the
  registry (m of n) reaches further back.
- Of the statements about one key only the one that reaches furthest back is kept, in any order of arrival. So no
  statement displaces another, and readers with the same statements hold the same. A key revoked by the registry needs
  none.

Until the stolen key is revoked, the thief can revoke the authority's other keys. The owner sees that at once and can
revoke the stolen key with itself; the roots then give the authority a new key. The thief can never keep on publishing.
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
    """How a key was revoked or expired, which decides which of its bulletins stand (`bus.admission.branches.standing`).

    Attributes:
        since: the time from which the key does not count.
        by_statement: whether only a statement revokes it. Then the dates of bulletins decide, which are the same for
            every reader; otherwise the time of receipt by this reader decides.
        over: when its window ended, if it has; set only beside a statement. A bulletin received later does not stand by
            its date.
        revoked: whether the registry or a statement revoked it; otherwise it is expired.
    """

    since: dt.datetime
    by_statement: bool = False
    over: dt.datetime | None = None
    revoked: bool = True


Seals = Mapping[str, Mapping[str, SealKeyRecord]]
"""Seal keys by authority id and key id."""


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
        SchemaError: a value is out of its bounds.
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
    """The content of a statement that counts.

    Args:
        signed: the statement; nothing in it is read before a signature over it verifies.
        keys: the registry's keys, with the revocations by earlier statements.
        seals: the registry's seal keys.
        domain: the registry's.
        now: the present; None to read again a statement that counted when it came. The key that signed it may have left
            the registry since; its revocations stay.
        remembered: the keys that the registry itself lists as revoked; a statement about only these adds nothing.

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
    """The registered keys whose signatures verify; an empty list is allowed only if they may be `gone` from the registry.

    Bad signatures that others have added are ignored.
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
    """A statement with only its authority's signatures that verify, or with all if none does.

    Anybody can add a signature to a copy; the kept file must not depend on the keys that the registry lists later.

    Raises:
        EnvelopeError, SchemaError: the bytes are not a statement.
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
    """The keys with the revocations by statements; a revocation in the registry itself takes precedence."""
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
    """The content of a federation's statement that was verified before.

    Raises:
        EnvelopeError, SchemaError: the bytes are not a statement.
    """
    payload = read_signed(raw, Context(TYP_REVOKE, domain)).payload
    return decode_as(Revocation, payload, max_bytes=MAX_REVOKE_BYTES)


def speaker_of(raw: bytes, domain: str) -> str:
    """The authority whose keys a federation's statement revokes; the statement was verified before.

    Raises:
        EnvelopeError, SchemaError: the bytes are not a statement.
    """
    return said_in(raw, domain).authority


def apply_to_seals(document: Registry, revocations: Iterable[Revocation]) -> Seals:
    """The seal keys of the registry with the revocations by statements, as `apply` does for signing keys."""
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
    """The time since which a statement revokes its keys: its `since`, but never more than `REACH` before its date."""
    return max(statement.since, statement.issued - REACH)


def in_force(revocations: Iterable[Revocation], needless: Collection[str] = ()) -> tuple[Revocation, ...]:
    """The statements that revoke some key earliest, in the given order; there are never more of them than keys.

    Args:
        revocations: the statements received, in any order.
        needless: the keys that the registry itself lists as revoked.
    """
    given = tuple(revocations)
    needed = [each for kid, each in _ended(given).items() if kid not in needless]
    return tuple(each for each in dict.fromkeys(given) if each in needed)


def stated(revocations: Iterable[Revocation]) -> dict[str, dt.datetime]:
    """The time since which each key named by a statement is revoked, whether the registry lists it or not."""
    return {kid: reaches(each) for kid, each in _ended(revocations).items()}


def _ended(revocations: Iterable[Revocation]) -> dict[str, Revocation]:
    """By key, the statement that revokes it earliest; of two for one moment always the same one, in any order of arrival."""
    ended: dict[str, Revocation] = {}
    for each in revocations:
        for kid in each.kids:
            if kid not in ended or _rank(each) < _rank(ended[kid]):
                ended[kid] = each
    return ended


def _rank(each: Revocation) -> tuple[object, ...]:
    """The rank of a statement about a key: the lowest is kept. No two have the same rank."""
    return (reaches(each), each.reason, each.issued, each.since, each.authority, each.kids)
