"""Steps 1 to 7 of publishing, inside one transaction of the outbox: from drafts to signed bytes on the disk."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable, Iterable, Sequence

import msgspec

from bus.errors import PermitError, VersionError
from bus.keys import Signer
from bus.publishing import outbox_table as table
from bus.publishing import versions
from bus.publishing.drafted import Accepted, Asked, Drawn, SealedPart, names_of
from bus.publishing.handover import Handover
from bus.publishing.outbox_rows import Signed
from bus.publishing.own_keys import check_keys
from bus.publishing.passes import ID_NOISE_BYTES, Passes
from bus.publishing.signing import signature_values
from bus.sealing import Sealer, must_seal, sections
from bus.trust import VerifiedRegistry
from schemas import rules
from schemas.bodies.system import Sealed
from schemas.bulletin import Bulletin, Defaults, Draft, new_id, stamp
from schemas.codec import decode, digest, encode
from schemas.subject import channel_of, subject_for
from schemas.vocab import MsgType

__all__ = ["Accepted", "Asked", "SealedPart", "Stamping"]

_ALERT = MsgType.ALERT


class Stamping(msgspec.Struct, frozen=True, kw_only=True):
    """Stamps and signs for one authority. See `Publisher.open` and `Outbox` for the other attributes.

    Attributes:
        head: gives the last bulletin of a channel, inside a transaction; it may refuse (`bus.publishing.heads_file`).
    """

    authority_id: str
    signers: tuple[Signer, ...]
    defaults: Defaults
    rng: Callable[[int], bytes]
    seal: Sealer | None
    head: Callable[[sqlite3.Connection, str], table.ChainHead | None] = table.head
    handover: Handover | None = None

    def keep_all(self, db: sqlite3.Connection, group: Iterable[Asked]) -> list[Accepted | Exception]:
        """Run steps 1 to 7 for drafts, in their order, inside a transaction. Returns the result of each, as `Publisher.publish` describes.

        A refused draft uses no number and does not affect the others. The others are signed in batches.

        Raises:
            Exception: signing or writing failed; the caller must undo the transaction.
        """
        group = list(group)
        if not group:
            return []
        if (found := self.at_a_glance(db, group)) is not None:
            return found
        return self.one_by_one(db, group)

    def at_a_glance(
        self, db: sqlite3.Connection, group: Sequence[Asked]
    ) -> list[Accepted | Exception] | None:
        """As `one_by_one`, if all of the group clearly pass and none is sealed; otherwise None, and nothing is written."""
        names = [name for asked in group if _is_named(asked) for name in names_of(asked)]
        if len({id(asked.registry) for asked in group}) != 1 or len(set(names)) < len(names):
            return None  # some must find others of the group in the outbox
        outcomes: list[Accepted | Exception | None] = [None] * len(group)
        left: list[Asked] = list(group)
        if names:
            try:
                looked_up = [self._looked_up(db, asked) for asked in group]
            except VersionError:
                return None
            outcomes = [known for known, _ in looked_up]
            left = [asked for known, asked in looked_up if known is None]
            names = [name for asked in left if _is_named(asked) for name in names_of(asked)]
            if len(set(names)) < len(names):
                return None  # two continue one version, by its id and by its origin
        passes = Passes(
            authority_id=self.authority_id,
            kids=[signer.kid for signer in self.signers],
            defaults=self.defaults,
            rng=self.rng,
            seal=self.seal,
        )
        drawn = passes.drawn(left, lambda channel: self.head(db, channel))
        if drawn is None:
            return None
        if drawn:
            self.sign_and_keep_all(db, drawn, left[0].registry.domain)
        channels = {name: f"{self.authority_id}/{name}" for name in {each.channel for each in drawn}}
        accepted = iter([_of_channel(each, channels[each.channel]) for each in drawn])
        return [next(accepted) if known is None else known for known in outcomes]

    def _looked_up(self, db: sqlite3.Connection, asked: Asked) -> tuple[Accepted | None, Asked]:
        """(the bulletin kept under the draft's `once` key or None, the draft as an update of the last of its origin).

        Raises:
            VersionError: it continues a version that is not the living one of its thread.
        """
        if asked.once is not None and (known := _known(db, self.authority_id, asked.once)) is not None:
            return known, asked
        draft = asked.draft
        if asked.origin is not None and (earlier := table.last_of_origin(db, asked.origin)) is not None:
            draft = versions.going_on(db, draft, earlier)
        moment = versions.moment_of(db, draft, asked.defaults or self.defaults, asked.moment)
        if draft is not asked.draft or moment is not asked.moment:
            asked = msgspec.structs.replace(asked, draft=draft, moment=moment)
        return None, asked

    def one_by_one(self, db: sqlite3.Connection, group: Iterable[Asked]) -> list[Accepted | Exception]:
        """Handle drafts one by one, each with the next free number; a refusal concerns only its own draft."""
        together = _Together(self, db)
        outcomes: list[Accepted | Exception] = []
        for asked in group:
            together.make_way(asked)
            try:
                outcomes.append(together.take(asked))
            except (sqlite3.Error, MemoryError):
                raise  # the error is not about this draft
            except Exception as exc:  # noqa: BLE001 (the error belongs to the caller of this draft)
                outcomes.append(exc)
        together.keep()
        return outcomes

    def keep(self, db: sqlite3.Connection, asked: Asked) -> Accepted:
        """As `keep_all` for one draft; its error is raised."""
        (outcome,) = self.keep_all(db, (asked,))
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def rehearse(
        self, db: sqlite3.Connection, draft: Draft, registry: VerifiedRegistry, moment: dt.datetime
    ) -> Accepted:
        """Run steps 1 to 5 without using a key or keeping anything."""
        moment = versions.moment_of(db, draft, self.defaults, moment)
        asked = Asked(draft=draft, registry=registry, moment=moment)
        bulletin, payload, subject = self.draw_up(asked, lambda channel: self.head(db, channel))
        if self.seal is not None:
            outer, _ = self.seal(bulletin, payload, registry, moment, draft.sections, rehearsal=True)
            if outer is not bulletin:
                return _accepted(outer, "", subject_for(outer), state="dry-run")
        return _accepted(bulletin, digest(payload), subject, state="dry-run")

    def draw_up(
        self, asked: Asked, head_of: Callable[[str], table.ChainHead | None]
    ) -> tuple[Bulletin, bytes, str]:
        """Steps 1 to 4: bulletin, payload and subject; `head_of` gives the last bulletin of a channel."""
        draft, registry, moment = asked.draft, asked.registry, asked.moment
        # 1 stamp
        bulletin = stamp(
            draft,
            id=new_id(moment, self.rng(ID_NOISE_BYTES)),
            seq=1,
            prev=None,
            issuer=registry.issuer(self.authority_id),
            issued=moment,
            defaults=asked.defaults or self.defaults,
        )
        # 2 chain
        head = head_of(channel_of(bulletin).name)
        if head is not None:
            bulletin = msgspec.structs.replace(bulletin, seq=head.seq + 1, prev=head.digest)
        # 3 validate: constructors do not check, so the bytes are decoded as received ones are
        payload = encode(bulletin)
        bulletin = decode(payload)
        subject = subject_for(bulletin)
        rules.check(bulletin, subject)
        # 4 permit
        registry.permit(bulletin)
        sections.judge_section(bulletin, draft.sections, registry)
        check_keys(registry, self.authority_id, [signer.kid for signer in self.signers], moment)
        if self.seal is None and (draft.sections or must_seal(bulletin, registry)):
            what = "a draft with sections" if draft.sections else f"a bulletin to {bulletin.audience}"
            raise PermitError(f"{what} must be sealed, and this publisher does not seal", reason="must-seal")
        return bulletin, payload, subject

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
        """Steps 5 to 7 for a drawn-up bulletin of a federation, inside a transaction of the outbox."""
        drawn = Drawn.of(bulletin, payload, moment, once, origin)
        self.sign_and_keep_all(db, (drawn,), domain)
        return _accepted(bulletin, drawn.digest, drawn.subject)

    def sign_and_keep_all(self, db: sqlite3.Connection, drawn: Sequence[Drawn], domain: str) -> None:
        """Steps 5 to 7 for bulletins, those of each channel in order of their numbers, inside a transaction."""
        # 6 sign
        chains: dict[str, list[Drawn]] = {}
        for each in drawn:
            chains.setdefault(each.channel, []).append(each)
        values: dict[str, Signed] = {}
        for chain in chains.values():
            signed = signature_values(self.signers, chain, domain)
            values |= zip([each.digest for each in chain], signed, strict=True)
        # 5 address: the subject and the hints follow from the bulletin; 7 keep
        table.keep_all(db, drawn, [values[each.digest] for each in drawn], self.handover)


class _Together:
    """Drafts that are judged one by one but signed and written together, inside one transaction."""

    def __init__(self, stamping: Stamping, db: sqlite3.Connection) -> None:
        self._stamping = stamping
        self._db = db
        self._domain = ""
        self._heads: dict[str, table.ChainHead] = {}  # heads of the channels of taken drafts
        self._drawn: list[Drawn] = []
        self._named: set[str] = set()  # names by which the next draft may refer to one of these

    def make_way(self, asked: Asked) -> None:
        """Keep the taken drafts if the next draft needs one of them from the outbox, or is for another federation."""
        if asked.registry.domain != self._domain or not self._named.isdisjoint(names_of(asked)):
            self.keep()
            self._domain = asked.registry.domain

    def take(self, asked: Asked) -> Accepted:
        """Judge a draft, and number it if it passes."""
        stamping = self._stamping
        known, found = stamping._looked_up(self._db, asked)  # noqa: SLF001
        if known is not None:
            return known
        if not self._named.isdisjoint(names_of(found)):  # it continues one of these
            self.keep()
            _, found = stamping._looked_up(self._db, asked)  # noqa: SLF001
        asked = found
        bulletin, payload, _ = stamping.draw_up(asked, self._head)
        if stamping.seal is not None:
            sections = asked.draft.sections
            bulletin, payload = stamping.seal(bulletin, payload, asked.registry, asked.moment, sections)
        drawn = Drawn.of(bulletin, payload, asked.moment, asked.once, asked.origin)
        accepted = _accepted(bulletin, drawn.digest, drawn.subject)
        self._heads[drawn.channel] = table.ChainHead(seq=bulletin.seq, digest=drawn.digest)
        self._named |= set(names_of(asked))
        self._drawn.append(drawn)
        return accepted

    def keep(self) -> None:
        """Sign and write the taken drafts."""
        if self._drawn:
            self._stamping.sign_and_keep_all(self._db, self._drawn, self._domain)
        self._drawn, self._named = [], set()

    def _head(self, channel: str) -> table.ChainHead | None:
        return self._heads.get(channel) or self._stamping.head(self._db, channel)


def _is_named(asked: Asked) -> bool:
    return asked.once is not None or asked.origin is not None or asked.draft.msg_type is not _ALERT


def _known(db: sqlite3.Connection, authority_id: str, once: str) -> Accepted | None:
    """The bulletin kept under a `once` key; only its place, if it was pruned."""
    if (known := table.kept_once(db, once)) is not None:
        return _accepted(decode(table.whole(known).payload), known.digest, known.subject, state="known")
    if (pruned := table.pruned_once(db, once)) is not None:
        place = {name: pruned[name] for name in ("id", "seq", "digest", "subject")}
        return Accepted(channel=f"{authority_id}/{pruned['channel']}", state="known", **place)
    return None


def _accepted(bulletin: Bulletin, digest: str, subject: str, state: str = "accepted") -> Accepted:
    return Accepted(
        id=bulletin.id,
        channel=str(channel_of(bulletin)),
        seq=bulletin.seq,
        digest=digest,
        subject=subject,
        state=state,
        sealed_to=bulletin.body.recipients if isinstance(bulletin.body, Sealed) else (),
        sections=tuple(SealedPart(label=part.label, sealed_to=part.recipients) for part in bulletin.sections),
    )


def _of_channel(drawn: Drawn, channel: str) -> Accepted:
    """As `_accepted`, for an unsealed bulletin with its full channel."""
    return Accepted(
        id=drawn.bulletin.id,
        channel=channel,
        seq=drawn.bulletin.seq,
        digest=drawn.digest,
        subject=drawn.subject,
    )
