"""Checks that a key may renew a beacon. Pure."""

from __future__ import annotations

import datetime as dt

from bus.errors import TrustError
from bus.trust import VerifiedRegistry


def must_have_role(registry: VerifiedRegistry, kid: str, now: dt.datetime) -> None:
    """Refuse a key that cannot make a beacon alone.

    Raises:
        TrustError: `no-beacon-role`, `key-revoked`, `key-not-valid`, or `threshold`: more than one key must sign.
    """
    role = registry.document.beacon
    record = role.keys.get(kid)
    remedy = "use the key that the registry names now, or let a registrar name this one: registry rotate FILE --beacon"
    where = f"in {registry.domain} version {registry.version}"
    if record is None:
        raise TrustError(f"{kid} is no beacon key {where}", remedy=remedy, reason="no-beacon-role")
    if record.revoked_since is not None:
        raise TrustError(f"the beacon key {kid} is revoked {where}", remedy=remedy, reason="key-revoked")
    if not record.not_before <= now < record.not_after:
        raise TrustError(
            f"the beacon key {kid} is valid from {record.not_before} to {record.not_after} {where}",
            remedy=remedy,
            reason="key-not-valid",
        )
    if role.threshold > 1:
        raise TrustError(
            f"{role.threshold} keys must sign a beacon {where}; a keeper has one", reason="threshold"
        )
