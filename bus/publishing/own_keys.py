"""Part of step 4 of publishing: checks that every reader would accept a signature by these keys. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from bus.errors import PermitError
from bus.trust import RegisteredKey, VerifiedRegistry


def check_keys(
    registry: VerifiedRegistry, authority_id: str, kids: Sequence[str], moment: dt.datetime
) -> None:
    """Part of step 4: refuse a bulletin whose signatures every reader would refuse.

    Args:
        registry: the registry at `moment`.
        authority_id: the authority that would sign.
        kids: the ids of its keys.
        moment: the present, aware.

    Raises:
        PermitError: `not-your-key`, `key-revoked`, `key-not-valid`; `signature-policy` if another signature is
            required.
        TrustError: `unknown-authority`.
    """
    algorithms = set()
    for kid in kids:
        key = own_key(registry, authority_id, kid)
        if key.record.revoked_since is not None:
            raise PermitError(f"key {kid} is revoked; your registrar gives you another", reason="key-revoked")
        if not key.record.not_before <= moment < key.record.not_after:
            raise PermitError(
                f"key {kid} is valid from {key.record.not_before:%Y-%m-%d} to "
                f"{key.record.not_after:%Y-%m-%d}; ask your registrar to rotate it",
                reason="key-not-valid",
            )
        algorithms.add(key.record.alg)
    if missing := set(registry.authority(authority_id).require) - algorithms:
        raise PermitError(
            f"{authority_id} must sign with {', '.join(sorted(missing))} too", reason="signature-policy"
        )


def own_key(registry: VerifiedRegistry, authority_id: str, kid: str) -> RegisteredKey:
    """A signing key of an authority.

    Raises:
        PermitError: `not-your-key`, the key does not belong to the authority in the registry.
    """
    key = registry.key(kid)
    if key is None or key.authority_id != authority_id:
        raise PermitError(
            f"key {kid} does not belong to {authority_id} in registry version {registry.version}; sign with its own key",
            reason="not-your-key",
        )
    return key
