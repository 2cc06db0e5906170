"""Steps 1 to 7 of the way out, inside one transaction of the outbox: from a draft to signed bytes on the disk."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Sequence

import msgspec

from bus.errors import PermitError
from bus.keys import Signer, sign_bulletin
from bus.publishing import outbox_table as table
from bus.sealing import Sealer, must_seal, sections
from bus.trust import RegisteredKey, VerifiedRegistry
from schemas import rules
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import decode, digest, encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, Context, format_header, hints
from schemas.parts import Ref
from schemas.subject import channel_of, subject_for
from schemas.vocab import MsgType, RefRel

ID_NOISE_BYTES = 10


class SealedPart(msgspec.Struct, frozen=True, kw_only=True):
    """A section of a bulletin, and who can open it."""

    label: str
    sealed_to: tuple[str, ...]


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin that is on this disk, signed. From here it cannot be lost.

    `sealed_to` is who can open it; empty when it is not sealed. Of a rehearsal that would seal there is no `digest`.
    """

    id: str
    channel: str
    seq: int
    digest: str
    subject: str
    state: str = "accepted"
    sealed_to: tuple[str, ...] = ()
    sections: tuple[SealedPart, ...] = ()


class Stamping(msgspec.Struct, frozen=True, kw_only=True):
    """Stamps and signs for one authority. See `Publisher.open` for the other attributes.

    Attributes:
        head: the last bulletin of a channel, inside a transaction; it may refuse (`bus.publishing.heads_file`).
    """

    authority_id: str
    signers: tuple[Signer, ...]
    defaults: Defaults
    rng: Callable[[int], bytes]
    seal: Sealer | None
    head: Callable[[sqlite3.Connection, str], table.ChainHead | None] = table.head

    def keep(
        self,
        db: sqlite3.Connection,
        draft: Draft,
        registry: VerifiedRegistry,
        moment: dt.datetime,
        *,
        defaults: Defaults | None = None,
        once: str | None = None,
        origin: str | None = None,
    ) -> Accepted:
        """Steps 1 to 7, as `Publisher.publish` describes."""
        if once is not None and (known := table.kept_once(db, once)) is not None:
            return _accepted(decode(table.whole(known).payload), known.digest, state="known")
        if once is not None and (pruned := table.pruned_once(db, once)) is not None:
            place = {name: pruned[name] for name in ("id", "seq", "digest", "subject")}
            return Accepted(channel=f"{self.authority_id}/{pruned['channel']}", state="known", **place)
        if origin is not None and (earlier := table.last_of_origin(db, origin)) is not None:
            draft = _superseding(draft, earlier.id)
        bulletin, payload = self._draw_up(db, draft, defaults, registry, moment)
        if self.seal is not None:
            bulletin, payload = self.seal(bulletin, payload, registry, moment, draft.sections)
        return self.sign_and_keep(db, bulletin, payload, moment, once, origin, domain=registry.domain)

    def rehearse(
        self, db: sqlite3.Connection, draft: Draft, registry: VerifiedRegistry, moment: dt.datetime
    ) -> Accepted:
        """Steps 1 to 5 as they would be; no key is used and nothing is kept."""
        bulletin, payload = self._draw_up(db, draft, None, registry, moment)
        if self.seal is not None:
            outer, _ = self.seal(bulletin, payload, registry, moment, draft.sections, rehearsal=True)
            if outer is not bulletin:
                return _accepted(outer, "", state="dry-run")
        return _accepted(bulletin, digest(payload), state="dry-run")

    def _draw_up(
        self,
        db: sqlite3.Connection,
        draft: Draft,
        defaults: Defaults | None,
        registry: VerifiedRegistry,
        moment: dt.datetime,
    ) -> tuple[Bulletin, bytes]:
        # 1 stamp
        bulletin = stamp(
            draft,
            id=new_id(moment, self.rng(ID_NOISE_BYTES)),
            seq=1,
            prev=None,
            issuer=registry.issuer(self.authority_id),
            issued=moment,
            defaults=defaults or self.defaults,
        )
        # 2 chain
        head = self.head(db, channel_of(bulletin).name)
        if head is not None:
            bulletin = msgspec.structs.replace(bulletin, seq=head.seq + 1, prev=head.digest)
        # 3 validate: constructors do not check, so the bytes are read back as a stranger would
        payload = encode(bulletin)
        bulletin = decode(payload)
        rules.check(bulletin)
        # 4 permit
        registry.permit(bulletin)
        sections.judge_section(bulletin, draft.sections, registry)
        check_keys(registry, self.authority_id, [signer.kid for signer in self.signers], moment)
        if self.seal is None and (draft.sections or must_seal(bulletin, registry)):
            what = "a draft with sections" if draft.sections else f"what goes to {bulletin.audience}"
            raise PermitError(f"{what} must be sealed, and this publisher does not seal", reason="must-seal")
        return bulletin, payload

    def sign_and_keep(
        self,
        db: sqlite3.Connection,
        bulletin: Bulletin,
        payload: bytes,
        moment: dt.datetime,
        once: str | None,
        origin: str | None,
        *,
        domain: str,
    ) -> Accepted:
        """Steps 5 to 7 for a composed bulletin of a federation, inside a transaction of the outbox."""
        # 5 address: the subject and the hints follow from the bulletin
        name = digest(payload)
        headers = hints(bulletin, name)
        # 6 sign
        context = Context(TYP_BULLETIN, domain)
        entries = tuple(sign_bulletin(signer, payload, context, bulletin.issued) for signer in self.signers)
        headers = {SIG_HEADER: format_header(entries), **headers}
        # 7 keep
        table.keep(db, bulletin, payload, name, headers, moment.timestamp(), once, origin)
        return _accepted(bulletin, name)


def check_keys(
    registry: VerifiedRegistry, authority_id: str, kids: Sequence[str], moment: dt.datetime
) -> None:
    """Part of step 4: refuse what every reader would refuse for its signatures.

    Args:
        registry: as it stands at `moment`.
        authority_id: who would sign.
        kids: the keys it would sign with.
        moment: the present, aware.

    Raises:
        PermitError: `not-your-key`, `key-revoked`, `key-not-valid`; `signature-policy` where another signature is required.
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
        PermitError: `not-your-key`, it is not the authority's in the registry.
    """
    key = registry.key(kid)
    if key is None or key.authority_id != authority_id:
        raise PermitError(
            f"key {kid} is not {authority_id}'s in registry version {registry.version}; nobody speaks as another",
            reason="not-your-key",
        )
    return key


def _superseding(draft: Draft, earlier: str) -> Draft:
    ref = Ref(id=earlier, rel=RefRel.SUPERSEDES)
    return msgspec.structs.replace(draft, msg_type=MsgType.UPDATE, references=(*draft.references, ref))


def _accepted(bulletin: Bulletin, digest: str, state: str = "accepted") -> Accepted:
    return Accepted(
        id=bulletin.id,
        channel=str(channel_of(bulletin)),
        seq=bulletin.seq,
        digest=digest,
        subject=subject_for(bulletin),
        state=state,
        sealed_to=bulletin.body.recipients if isinstance(bulletin.body, Sealed) else (),
        sections=tuple(SealedPart(label=part.label, sealed_to=part.recipients) for part in bulletin.sections),
    )
