"""Opens a sealed bulletin, admits the inner one by the same checks as any other, and compares it with its outside.

The issuer signs both outside and inside, for different purposes. A signature of the inside is valid only there, so
nobody who opens it can hand it on as a second bulletin of its issuer. Neither signature proves that both belong
together: a recipient could put an opened inner file into its own seal, or a signer could show different contents to
readers with and without keys. So their common fields must be equal, and a seal inside a seal is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from types import MappingProxyType

from bus.admission import Admitted, verify_inside
from bus.errors import AdmissionError, SealError
from bus.keys import OpeningKey, open_sealed, read_seal
from bus.sealing.recipients import owner_of
from bus.trust import VerifiedRegistry
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.codec import digest
from schemas.jwe import SealContext
from schemas.parts import Ref, SealedSection
from schemas.subject import channel_of
from schemas.vocab import RefRel

EQUAL_FIELDS = ("issuer", "status", "tlp", "audience", "seq", "prev", "id", "issued")
"""The fields that inner and outer bulletin must have equal; the reason is `inner-` and the name."""

SEAL_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "not-sealed": "the bulletin has nothing to open",
        "too-large": "the seal, its content or its number of recipients is above its bound",
        "malformed-seal": "the seal does not have the only allowed form",
        "unsupported-seal": "the seal has another version, key management or content encryption",
        "wrong-domain": "it was sealed, or signed inside, in another federation",
        "recipient-mismatch": "the named recipients are not the holders of the keys that it is sealed to",
        "not-a-recipient": "none of this reader's keys is among the recipients",
        "wrong-context": "it was sealed for another bulletin or other recipients, or the wrapped key is damaged",
        "wrong-commitment": "the content key is not the same for all recipients",
        "damaged-seal": "the encrypted content has been changed",
        "inner-digest": "the content inside is not the one that the outer bulletin names",
        "nested-seal": "a seal inside a seal",
        **{f"inner-{name}": f"inside and outside differ in {name}" for name in EQUAL_FIELDS},
        "inner-references": "inside and outside supersede or cancel different bulletins",
    }
)
"""Every reason why an admitted sealed bulletin is not opened, beside those of admission for the inner one."""

RETRACTING = frozenset({RefRel.SUPERSEDES, RefRel.CANCELS})


def context_of(bulletin: Bulletin, domain: str, index: int | None = None, label: str = "") -> SealContext:
    """The context that binds a seal to its outer bulletin in one federation, and a section's seal to its place there."""
    return SealContext(
        domain=domain,
        issuer=bulletin.issuer.id,
        channel=str(channel_of(bulletin)),
        id=bulletin.id,
        index=index,
        label=label,
    )


def retractions(bulletin: Bulletin) -> tuple[tuple[str, str], ...]:
    """The references by which a bulletin retracts earlier ones; they are equal outside and inside, so that every holder follows."""
    return tuple(sorted((ref.id, ref.rel) for ref in bulletin.references if is_retraction(ref)))


def is_retraction(ref: Ref) -> bool:
    """Whether a reference supersedes or cancels."""
    return ref.rel in RETRACTING


def open_bulletin(
    outer: Bulletin,
    keys: Collection[OpeningKey],
    *,
    registry: VerifiedRegistry,
    now: dt.datetime,
    held: bool = False,
) -> Admitted:
    """The bulletin inside an admitted sealed one.

    Args:
        outer: the sealed bulletin; admission let it in.
        keys: private seal keys of this reader, old ones too.
        registry: who may publish what.
        now: the present, aware.
        held: it was admitted earlier and stands in this reader's store. Then the inner bulletin stands too, even if the
            key of both was revoked or expired since.

    Raises:
        SealError: `not-sealed`; as `open_sealed`; `recipient-mismatch`, `inner-digest`, `nested-seal`, `inner-<field>`
            for each of `EQUAL_FIELDS`, `inner-references`.
        AdmissionError: admission refuses the inner bulletin, with its reason.
    """
    if not isinstance(outer.body, Sealed):
        raise SealError(f"{outer.id} is not sealed", reason="not-sealed")
    raw = opened(outer.body, keys, context_of(outer, registry.domain), registry)
    try:
        inner = verify_inside(raw, registry=registry, now=now, continued=held)
    except AdmissionError as exc:
        raise AdmissionError(
            f"the bulletin inside: {exc}", reason=exc.reason, retry_at=exc.retry_at
        ) from None
    if isinstance(inner.bulletin.body, Sealed) or inner.bulletin.sections:
        raise SealError("a seal inside a seal", reason="nested-seal")
    _agree(outer, inner.bulletin)
    return inner


def opened(
    part: Sealed | SealedSection,
    keys: Collection[OpeningKey],
    context: SealContext,
    registry: VerifiedRegistry,
) -> bytes:
    """The sealed content, checked against the recipients and the digest that the signed outside names.

    The recipients named outside must own the keys in the seal; a key that the registry has dropped is unknown.

    Raises:
        SealError: as `open_sealed`; `recipient-mismatch` or `inner-digest`.
    """
    seal = read_seal(part.jwe, context)
    owners = [owner_of(registry.document, kid) for kid in seal.kids]
    if len(owners) != len(part.recipients) or any(
        owner not in (None, name) for owner, name in zip(owners, part.recipients, strict=True)
    ):
        raise SealError("the recipients named differ from those who can open it", reason="recipient-mismatch")
    raw = open_sealed(seal, keys, context)
    if digest(raw) != part.inner_digest:
        raise SealError("the sealed content is not the one that the outside names", reason="inner-digest")
    return raw


def is_listed(
    part: Sealed | SealedSection, reader: str, context: SealContext, registry: VerifiedRegistry
) -> bool:
    """Whether the registry lists the key to which a part is sealed under a reader's name.

    The author of a seal writes names and keys. A key that the registry has dropped and one that was never the reader's look alike.

    Raises:
        SealError: as `read_seal`.
    """
    kid = read_seal(part.jwe, context).kids[part.recipients.index(reader)]
    return owner_of(registry.document, kid) == reader


def _agree(outer: Bulletin, inner: Bulletin) -> None:
    for name in EQUAL_FIELDS:
        if getattr(outer, name) != getattr(inner, name):
            raise SealError(f"inside and outside differ in {name}", reason=f"inner-{name}")
    if (outer.msg_type, retractions(outer)) != (inner.msg_type, retractions(inner)) and (
        retractions(outer) or retractions(inner)
    ):
        raise SealError("inside and outside retract different bulletins", reason="inner-references")
