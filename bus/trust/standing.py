"""Checks that a proposal is valid once enough roots have signed it. No signature is needed. Pure."""

from __future__ import annotations

import datetime as dt

from bus.errors import TrustError
from bus.trust.registry import VerifiedRegistry
from schemas.codec import digest, encode
from schemas.registry import Registry, Role


def must_stand(document: Registry, before: VerifiedRegistry | None, now: dt.datetime) -> None:
    """Refuse a proposal that no signatures can make valid: all checks of a reader on a version, without signatures.

    Args:
        document: the proposal.
        before: the version that it continues, if known; without it rules 3 and 4 are not checked.
        now: the present, aware.

    Raises:
        TrustError: the reason of the rule that it breaks (`bus.trust.registry`); also `unreachable-threshold`, if fewer
            root keys than must sign are in their window when it is issued.
    """
    if before is not None:
        before.must_precede(document, now)
        _must_be_able_to_sign(before.document.root, "the root before it", document.issued)
    _must_be_able_to_sign(document.root, "its own root", document.issued)
    VerifiedRegistry(document=document, digest=digest(encode(document)), raw=b"", beacon=None)


def _must_be_able_to_sign(role: Role, whose: str, moment: dt.datetime) -> None:
    able = sum(
        key.revoked_since is None and key.not_before <= moment < key.not_after for key in role.keys.values()
    )
    if able < role.threshold:
        raise TrustError(
            f"{role.threshold} keys of {whose} must sign, but only {able} can at {moment:%Y-%m-%d %H:%M} UTC",
            remedy="renew the root keys in time: tocsin registry rotate --root",
            reason="unreachable-threshold",
        )
