"""Chooses the recipients of a seal: the seal keys of the registry, their rules, and the policy of an audience. No I/O.

A seal key's id is its thumbprint. It is listed only once and is not weak. Its window is at most 90 days, so that a
stolen private key opens little, and can be deleted after that.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

import msgspec

from bus.errors import PermitError
from bus.keys import SealKey
from bus.trust import HUB
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.jwe import MAX_RECIPIENTS
from schemas.registry import Registry, SealKeyRecord
from schemas.subject import Channel, channel_of
from schemas.vocab import TALK, SealPolicy, Tlp

if TYPE_CHECKING:
    from bus.trust import VerifiedRegistry


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """An authority that can open a sealed bulletin, with its key."""

    authority_id: str
    key: SealKey


def owner_of(document: Registry, kid: str) -> str | None:
    """The authority that a seal key belongs to, regardless of its window."""
    return next((name for name, record in document.authorities.items() if kid in record.seal_keys), None)


def current_key(keys: Mapping[str, SealKeyRecord], at: dt.datetime) -> SealKey | None:
    """The seal key of an authority to seal to: of those valid now, the one with the latest start."""
    valid = [
        record
        for record in keys.values()
        if record.revoked_since is None and record.not_before <= at < record.not_after
    ]
    newest = max(valid, key=lambda record: (record.not_before, record.not_after), default=None)
    return SealKey.from_jwk(newest.jwk) if newest else None


def must_seal(bulletin: Bulletin, registry: VerifiedRegistry) -> bool:
    """Whether the audience's policy requires a bulletin to be sealed.

    TLP:CLEAR is public and never sealed, nor are statuses `system` and `beat`: every hub follows heartbeats and
    receipts. A sealed bulletin needs no second seal. An organisation's own audience has no policy.
    """
    audience = registry.document.audiences.get(bulletin.audience)
    if (
        audience is None
        or bulletin.tlp is Tlp.CLEAR
        or bulletin.status in TALK
        or isinstance(bulletin.body, Sealed)
    ):
        return False
    if audience.seal is SealPolicy.CROSS_BORDER:
        readers = registry.readers(channel_of(bulletin))
        return any(registry.authority(name).country != bulletin.issuer.country for name in readers)
    return audience.seal is SealPolicy.ALWAYS


def recipients(
    channel: Channel, registry: VerifiedRegistry, at: dt.datetime, *, without: Collection[str] = ()
) -> tuple[Recipient, ...]:
    """The recipients of a sealed bulletin on a channel: the readers of the channel by grant, and its issuer.

    Raises:
        PermitError: see `with_keys`.
    """
    return with_keys(registry.readers(channel), channel.name, channel.issuer, registry, at, without=without)


def with_keys(
    readers: Collection[str],
    what: str,
    issuer: str,
    registry: VerifiedRegistry,
    at: dt.datetime,
    *,
    without: Collection[str] = (),
) -> tuple[Recipient, ...]:
    """The readers and the issuer of a bulletin or section, with the keys to seal it to.

    A hub without a seal key is skipped: it stores and forwards what it cannot read. So is an issuer, who has its draft.
    Any other reader without a key would be left out unnoticed, so the error names it.

    Args:
        readers: the authorities that may read it.
        what: its name for an error.
        issuer: its issuer.
        registry: the keys.
        at: the present.
        without: readers that the author leaves out on purpose.

    Raises:
        PermitError: `no-seal-key`, with the readers without a valid key; `no-recipient`; `too-large` for more than 64.
    """
    to: list[Recipient] = []
    missing: list[str] = []
    for name in sorted({*readers, issuer} - set(without)):
        key = current_key(registry.seal_keys(name), at)
        if key is not None:
            to.append(Recipient(authority_id=name, key=key))
        elif name != issuer and registry.authority(name).kind != HUB:
            missing.append(name)
    if missing:
        raise PermitError(
            f"{', '.join(missing)} {'has' if len(missing) == 1 else 'have'} no valid seal key",
            remedy="ask your registrar, or leave them out on purpose: --without ID",
            reason="no-seal-key",
        )
    if all(recipient.authority_id == issuer for recipient in to):
        raise PermitError(
            f"nobody who reads {what} has a valid seal key, so nobody could open it",
            remedy="ask your registrar",
            reason="no-recipient",
        )
    if len(to) > MAX_RECIPIENTS:
        raise PermitError(
            f"{len(to)} readers; at most {MAX_RECIPIENTS} can be sealed to",
            remedy="choose a narrower audience",
            reason="too-large",
        )
    return tuple(to)
