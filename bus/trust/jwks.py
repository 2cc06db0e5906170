"""The registry's bulletin keys as a JSON Web Key Set (RFC 7517), for use with another JOSE library."""

from __future__ import annotations

from bus.trust.registry import VerifiedRegistry

AUTHORITY = "tocsin_authority"
"""The member that names a key's authority. RFC 7517 lets a reader ignore what it does not know."""


def key_set(registry: VerifiedRegistry) -> dict[str, list[dict[str, object]]]:
    """Every bulletin key that is not revoked, with `kid`, `alg`, `use`, its window and its authority.

    `nbf` and `exp` bound, in Unix seconds, the `issued` of the bulletins that the key may sign. A verifier with only
    this set checks signatures, not permission: grants, chains and revocations need the registry.
    """
    return {
        "keys": [
            {
                **key.public.jwk,
                "kid": key.public.kid,
                "alg": key.record.alg,
                "use": "sig",
                "nbf": int(key.record.not_before.timestamp()),
                "exp": int(key.record.not_after.timestamp()),
                AUTHORITY: key.authority_id,
            }
            for key in registry.bulletin_keys()
            if key.record.revoked_since is None
        ]
    }
