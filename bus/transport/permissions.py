"""Allow lists of one identity, as data from the registry."""

from __future__ import annotations

import msgspec

from bus.transport.streams import (
    STATEMENTS_STREAM,
    TRUST_STREAM,
    inbox_prefix,
    own_heads,
    own_streams,
    publish_channels,
    reader_streams,
    receipt_streams,
)
from bus.trust import FEEDBACK, VerifiedRegistry
from schemas.subject import HIDDEN, Channel, Trust, trust_subject
from schemas.vocab import Tlp


class Permissions(msgspec.Struct, frozen=True, kw_only=True):
    """The subjects that a user may publish and subscribe to; all others are forbidden."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions_of(registry: VerifiedRegistry, authority_id: str) -> Permissions:
    """The permissions that an identity needs and no more: its own prefixes, the few calls of its own consumers, its own inbox.

    An authority with keys may revoke them, on a subject of its own. Where it may publish only feedback, it has only the
    subjects of that kind. Subjects of RED hide the kind, so readers refuse the other kinds there.
    """
    alone = frozenset(registry.feedback_prefixes(authority_id))
    domain = registry.authority(authority_id).domain
    speaks = [
        f"{channel.prefix}.{domain}.{_answers(channel)}.>"
        if (channel.status, channel.tlp, channel.audience) in alone
        else f"{channel.prefix}.>"
        for channel in publish_channels(registry, authority_id)
    ]
    if registry.document.authorities[authority_id].keys:
        speaks.append(trust_subject(Trust.REVOKE, authority_id))
    attached = (
        (STATEMENTS_STREAM, authority_id),
        (TRUST_STREAM, authority_id),
        *reader_streams(registry, authority_id),
        *own_streams(registry, authority_id),
        *own_heads(registry, authority_id),
        *receipt_streams(registry, authority_id),
    )
    calls = [call for stream, consumer in attached for call in reading(stream, consumer)]
    return Permissions(publish=(*speaks, *calls), subscribe=(f"{inbox_prefix(authority_id)}.>",))


def _answers(channel: Channel) -> str:
    return HIDDEN if channel.tlp is Tlp.RED else FEEDBACK


def reading(stream: str, consumer: str) -> tuple[str, ...]:
    """The only JetStream calls by which a reader uses a consumer that was made for it.

    Nothing is acknowledged, so nobody publishes on `$JS.ACK`.
    """
    place = f"{stream}.{consumer}"
    return (
        f"$JS.API.CONSUMER.INFO.{place}",
        f"$JS.API.CONSUMER.MSG.NEXT.{place}",
        f"$JS.API.CONSUMER.RESET.{place}",
    )
