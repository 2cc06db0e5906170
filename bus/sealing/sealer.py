"""Seals a bulletin, or sections of it, for a publisher, in the transaction that stamps: sign, seal, sign.

The inner bulletin has the number, predecessor and id of the outer one, so sealing comes after the stamp. With two
transactions a number could be used twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Sequence

import msgspec

from bus.errors import PermitError, SealError
from bus.keys import Signer, seal, sign_bulletin
from bus.sealing.cover import cover
from bus.sealing.opening import context_of
from bus.sealing.recipients import Recipient, must_seal, recipients
from bus.sealing.sections import recipients as section_recipients
from bus.sealing.sections import seal_section
from bus.trust import VerifiedRegistry
from schemas import rules
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, decode, digest, encode
from schemas.envelope import TYP_SEALED_BULLETIN, Context, write_signed
from schemas.errors import EnvelopeError
from schemas.jwe import pad
from schemas.parts import SealedSection
from schemas.sections import SectionDraft
from schemas.subject import channel_of
from schemas.vocab import Tlp

_UNSEALED = "{}"  # placeholder for the ciphertext


class Sealer:
    """Seals bulletins by the audience's policy, and every section; give it to `Publisher.open`."""

    def __init__(
        self,
        signers: Sequence[Signer],
        rng: Callable[[int], bytes],
        *,
        everything: bool = False,
        without: Collection[str] = (),
    ) -> None:
        """Prepare.

        Args:
            signers: the authority's keys; they sign the inner bulletin.
            rng: random bytes.
            everything: seal each bulletin, regardless of the policy.
            without: readers that the author leaves out on purpose.
        """
        self._signers = tuple(signers)
        self._rng = rng
        self._everything = everything
        self._without = tuple(without)

    def __call__(
        self,
        inner: Bulletin,
        payload: bytes,
        registry: VerifiedRegistry,
        moment: dt.datetime,
        sections: Sequence[SectionDraft] = (),
        *,
        rehearsal: bool = False,
    ) -> tuple[Bulletin, bytes]:
        """(outer bulletin with sealed sections, its payload); the arguments unchanged if nothing must be sealed.

        A rehearsal uses no private key. Its outer bulletin has no ciphertext and is too large only if the text alone
        is.

        Raises:
            PermitError: `seal-public`, `nested-seal`, `not-sealed`, `no-seal-key`, `no-recipient`, `too-large`, `not-permitted`.
        """
        to: tuple[Recipient, ...] = ()
        try:
            if self._must_seal(inner, registry, sections):
                to = recipients(channel_of(inner), registry, moment, without=self._without)
            parts = tuple(
                seal_section(
                    inner,
                    section,
                    index,
                    section_recipients(inner, section, registry, moment, without=self._without),
                    registry.domain,
                    self._rng,
                )
                for index, section in enumerate(sections)
            )
            outer = self._covered(inner, payload, to, registry.domain, rehearsal=rehearsal) if to else inner
        except (SealError, EnvelopeError) as exc:
            raise PermitError(f"this draft cannot be sealed: {exc}", reason=exc.reason) from None
        return _checked(outer, parts, registry) if to or parts else (inner, payload)

    def _must_seal(
        self, inner: Bulletin, registry: VerifiedRegistry, sections: Sequence[SectionDraft]
    ) -> bool:
        """Whether the whole bulletin is sealed."""
        if not (self._everything or must_seal(inner, registry)):
            if self._without and not sections:
                raise PermitError(
                    "nothing in this draft is sealed, so no reader can be left out",
                    reason="not-sealed",
                )
            return False
        if inner.tlp is Tlp.CLEAR:
            raise PermitError("TLP:CLEAR is for everybody; there is nothing to seal", reason="seal-public")
        if isinstance(inner.body, Sealed):
            raise PermitError("this draft is sealed already", reason="nested-seal")
        return True

    def _covered(
        self, inner: Bulletin, payload: bytes, to: Sequence[Recipient], domain: str, *, rehearsal: bool
    ) -> Bulletin:
        if rehearsal:
            signed, jwe = write_signed(payload, ()), _UNSEALED
            pad(signed)
        else:
            context = Context(TYP_SEALED_BULLETIN, domain)
            entries = tuple(sign_bulletin(signer, payload, context, inner.issued) for signer in self._signers)
            signed = write_signed(payload, entries)
            jwe = seal(signed, [recipient.key for recipient in to], context_of(inner, domain), self._rng)
        names = tuple(recipient.authority_id for recipient in to)
        return cover(inner, Sealed(jwe=jwe, recipients=names, inner_digest=digest(signed)))


def _checked(
    open_part: Bulletin, parts: tuple[SealedSection, ...], registry: VerifiedRegistry
) -> tuple[Bulletin, bytes]:
    """The bulletin with its sections, as every reader will judge it."""
    outer = encode(msgspec.structs.replace(open_part, sections=parts))
    if len(outer) > MAX_PAYLOAD_BYTES:
        raise PermitError(
            f"with its sections the bulletin has {len(outer)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed: "
            "shorten it, or choose narrower audiences",
            reason="too-large",
        )
    bulletin = decode(outer)
    rules.check(bulletin)
    registry.permit(bulletin)
    return bulletin, outer
