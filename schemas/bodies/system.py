"""Bodies of the network itself: heartbeats, receipts, sealed bulletins, re-anchoring."""

from typing import Annotated

from msgspec import Meta

from schemas.scalars import MAX_INTEGER, Count, Digest, Open, OrgId, Part, Slug, Text500, Time, Uuid
from schemas.vocab import ChannelState, Posture, ReceiptStage, Tlp

MAX_RECEIPT_ITEMS = 500
MAX_HELD = 200
MAX_WANTED = 200
MAX_COPY_CHARS = 250_000

FullChannel = Annotated[
    str,
    Meta(min_length=3, max_length=160, description="issuer/status.tlp.audience: xa-csirt/actual.green.eu"),
]


class Head(Part, frozen=True, kw_only=True):
    """The last bulletin of a channel, which a reader must hold by now."""

    channel: Annotated[
        str, Meta(min_length=3, max_length=120, description="status.tlp.audience of this issuer")
    ]
    seq: Annotated[int, Meta(ge=0, le=MAX_INTEGER)]
    digest: Digest | None = None


class HeldHead(Part, frozen=True, kw_only=True):
    """The last bulletin of another issuer's channel that this reader holds; other readers compare it with theirs."""

    channel: FullChannel
    seq: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    digest: Digest


class ChannelStatus(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="channel-status",
):
    """A heartbeat: the state of a channel, and the heads of its issuer."""

    state: ChannelState
    posture: Posture
    interval_s: Annotated[int, Meta(ge=10, le=86400)]
    last_seq: Count
    duty: Annotated[Slug, Open("duty")]
    comcheck: Annotated[Uuid | None, Meta(description="bulletin id of the communication check answered")] = (
        None
    )
    kinds: Annotated[tuple[Slug, ...], Meta(max_length=30)] = ()
    until: Time | None = None
    heads: Annotated[
        tuple[Head, ...],
        Meta(
            max_length=200,
            description="the issuer's own channels at this TLP and audience: the last bulletins that a reader must hold",
        ),
    ] = ()
    held: Annotated[
        tuple[HeldHead, ...],
        Meta(
            max_length=MAX_HELD,
            description="others' channels at this TLP and audience: the bulletins that this reader has received since its last heartbeat",
        ),
    ] = ()


class ReceiptItem(Part, frozen=True, kw_only=True):
    """One bulletin of a receipt."""

    id: Uuid
    digest: Digest
    at: Time


class Receipt(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="receipt",
):
    """Machine receipts, in batches: what happened to the bytes, never a judgement."""

    stage: ReceiptStage
    items: Annotated[tuple[ReceiptItem, ...], Meta(min_length=1, max_length=MAX_RECEIPT_ITEMS)]


class Wanted(Part, frozen=True, kw_only=True):
    """One bulletin that a reader lacks, by its place; with a digest, exactly that bulletin."""

    channel: FullChannel
    seq: Annotated[int, Meta(ge=1, le=MAX_INTEGER)]
    digest: Digest | None = None


class Request(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="request",
):
    """A request for bulletins that a reader lacks: to their issuer, to send them again, or to another reader, for copies."""

    items: Annotated[tuple[Wanted, ...], Meta(min_length=1, max_length=MAX_WANTED)]


class Copy(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="copy",
):
    """Another's signed bulletin, handed on unchanged; its receiver checks it like any received bulletin."""

    file: Annotated[
        str,
        Meta(min_length=2, max_length=MAX_COPY_CHARS, description="the signed bulletin in its file form"),
    ]


def receipt_tlp(tlp: Tlp) -> Tlp:
    """The marking of a receipt for a bulletin with this marking: the same, but GREEN for CLEAR, which would go to the public."""
    return Tlp.GREEN if tlp is Tlp.CLEAR else tlp


class Sealed(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="sealed",
):
    """An ordinary signed bulletin encrypted to named recipients; the outer header is coarse."""

    jwe: Annotated[
        str, Meta(min_length=2, max_length=200_000, description="JWE JSON general serialisation, as text")
    ]
    recipients: Annotated[tuple[OrgId, ...], Meta(min_length=1, max_length=64)]
    inner_digest: Annotated[
        Digest, Meta(description="of the inner signed file form: proves later which text was sealed")
    ]


class Reanchor(
    Part,
    frozen=True,
    kw_only=True,
    tag_field="kind",
    tag="reanchor",
    rename={"from_": "from"},
):
    """A chain continued by decision after theft or loss: from the last honest head, with the lost bulletins named."""

    from_: Head
    lost: Annotated[tuple[Head, ...], Meta(max_length=200)] = ()
    reason: Text500
