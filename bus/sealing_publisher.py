"""A publisher that seals: sign, seal, sign, in the one transaction that stamps.

The inner bulletin has the number, predecessor and id of the outer one, so nobody can seal before the stamp; and what
is stamped in two transactions could be numbered twice.
"""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Collection

from bus.cover import cover
from bus.errors import PermitError, SealError
from bus.publisher import Publisher
from bus.seal_keys import must_seal, recipients
from bus.sealing import seal
from bus.signing import sign_entry
from bus.trust import VerifiedRegistry
from bus.unsealing import context_of
from schemas import rules
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin, Defaults, Draft
from schemas.codec import decode, digest, encode
from schemas.envelope import TYP_BULLETIN, write_signed
from schemas.subject import channel_of
from schemas.vocab import Tlp


class SealingPublisher(Publisher):
    """An authority's voice that seals what the audience's policy wants sealed. Use `SealingPublisher.open`."""

    _everything = False
    _without: Collection[str] = ()

    def seal_everything(self, *, without: Collection[str] = ()) -> None:
        """From now on seal every draft, whatever the policy; knowingly leave some readers out."""
        self._everything, self._without = True, tuple(without)

    def _compose(
        self,
        db: sqlite3.Connection,
        draft: Draft,
        defaults: Defaults | None,
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> tuple[Bulletin, bytes]:
        inner, payload = super()._compose(db, draft, defaults, registry, moment)
        if not (self._everything or must_seal(inner, registry)):
            return inner, payload
        return self._sealed(inner, payload, registry, moment)

    def _sealed(
        self, inner: Bulletin, payload: bytes, registry: VerifiedRegistry, moment: dt.datetime
    ) -> tuple[Bulletin, bytes]:
        if inner.tlp is Tlp.CLEAR:
            raise PermitError("TLP:CLEAR is for everybody; there is nothing to seal", reason="seal-public")
        if isinstance(inner.body, Sealed):
            raise PermitError("this draft is sealed already", reason="nested-seal")
        channel = channel_of(inner)
        found = recipients(channel, registry, moment, without=self._without)
        signed = write_signed(
            payload, tuple(sign_entry(signer, payload, typ=TYP_BULLETIN) for signer in self._signers)
        )
        try:
            jwe = seal(signed, [each.key for each in found], context_of(inner, channel), self._rng)
        except SealError as exc:
            raise PermitError(f"this draft cannot be sealed: {exc}", reason=exc.reason) from None
        body = Sealed(
            jwe=jwe, recipients=tuple(each.authority_id for each in found), inner_digest=digest(signed)
        )
        outer = encode(cover(inner, body))
        bulletin = decode(outer)
        rules.check(bulletin)
        registry.permit(bulletin)
        return bulletin, outer
