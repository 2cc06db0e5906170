"""What a publisher calls to seal a bulletin, or sections of it, in the one transaction that stamps: sign, seal, sign.

The inner bulletin has the number, predecessor and id of the outer one, so nobody can seal before the stamp; and what
is stamped in two transactions could be numbered twice.
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
from schemas.envelope import write_signed
from schemas.errors import EnvelopeError
from schemas.jwe import pad
from schemas.parts import SealedSection
from schemas.sections import SectionDraft
from schemas.subject import channel_of
from schemas.vocab import Tlp

_UNSEALED = "{}"  # stands where the ciphertext will


class Sealer:
    """Seals what the audience's policy wants sealed, and every section; give it to `Publisher.open`."""

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
            everything: seal each bulletin, whatever the policy.
            without: readers that are knowingly left out.
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
    ) -> tuple[Bulletin, bytes]:
        """The outer bulletin and its payload, its sections sealed; or what was given, where nothing is to be sealed.

        Raises:
            PermitError: `seal-public`, `nested-seal`, `not-sealed`, `no-seal-key`, `no-recipient`, `too-large`, `not-permitted`.
        """
        found = self._recipients(inner, sections, registry, moment)
        parts = self._sections(inner, sections, registry, moment)
        if not found:
            return _checked(inner, parts, registry) if parts else (inner, payload)
        signed = write_signed(
            payload, tuple(sign_bulletin(signer, payload, inner.issued) for signer in self._signers)
        )
        try:
            jwe = seal(signed, [each.key for each in found], context_of(inner), self._rng)
        except SealError as exc:
            raise _refused(exc) from None
        return _checked(_covered(inner, jwe, found, signed), parts, registry)

    def rehearse(
        self,
        inner: Bulletin,
        payload: bytes,
        registry: VerifiedRegistry,
        moment: dt.datetime,
        sections: Sequence[SectionDraft] = (),
    ) -> Bulletin | None:
        """The outer bulletin but for its ciphertext, None where nothing is to be sealed; no key is used.

        Raises:
            PermitError: as when it is called; `too-large` only where the words alone are.
        """
        found = self._recipients(inner, sections, registry, moment)
        parts = self._sections(inner, sections, registry, moment)
        if not found:
            return _checked(inner, parts, registry)[0] if parts else None
        unsigned = write_signed(payload, ())
        try:
            pad(unsigned)
        except EnvelopeError as exc:
            raise _refused(exc) from None
        return _checked(_covered(inner, _UNSEALED, found, unsigned), parts, registry)[0]

    def _recipients(
        self,
        inner: Bulletin,
        sections: Sequence[SectionDraft],
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> tuple[Recipient, ...]:
        """To whom it is sealed; nobody, when it is not."""
        if not (self._everything or must_seal(inner, registry)):
            if self._without and not sections:
                raise PermitError(
                    "nothing of this draft is sealed, so nobody can be left out: all who may read it would",
                    reason="not-sealed",
                )
            return ()
        if inner.tlp is Tlp.CLEAR:
            raise PermitError("TLP:CLEAR is for everybody; there is nothing to seal", reason="seal-public")
        if isinstance(inner.body, Sealed):
            raise PermitError("this draft is sealed already", reason="nested-seal")
        return recipients(channel_of(inner), registry, moment, without=self._without)

    def _sections(
        self,
        inner: Bulletin,
        sections: Sequence[SectionDraft],
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> tuple[SealedSection, ...]:
        """The sections, sealed; that needs public keys only."""
        try:
            return tuple(
                seal_section(
                    inner,
                    section,
                    index,
                    section_recipients(inner, section, registry, moment, without=self._without),
                    self._rng,
                )
                for index, section in enumerate(sections)
            )
        except SealError as exc:
            raise _refused(exc) from None


def _covered(inner: Bulletin, jwe: str, found: Sequence[Recipient], signed: bytes) -> Bulletin:
    body = Sealed(jwe=jwe, recipients=tuple(each.authority_id for each in found), inner_digest=digest(signed))
    return cover(inner, body)


def _checked(
    made: Bulletin, parts: tuple[SealedSection, ...], registry: VerifiedRegistry
) -> tuple[Bulletin, bytes]:
    """The bulletin with its sections, as every reader will judge it."""
    outer = encode(msgspec.structs.replace(made, sections=parts))
    if len(outer) > MAX_PAYLOAD_BYTES:
        raise PermitError(
            f"with its sections the bulletin has {len(outer)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed: "
            "say less, or to narrower audiences",
            reason="too-large",
        )
    bulletin = decode(outer)
    rules.check(bulletin)
    registry.permit(bulletin)
    return bulletin, outer


def _refused(exc: SealError | EnvelopeError) -> PermitError:
    return PermitError(f"this draft cannot be sealed: {exc}", reason=exc.reason)
