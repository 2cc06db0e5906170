"""The verified trust registry: who may publish what to whom, and who may read it. No I/O.

The rules, in the order they are checked (The Update Framework's, on one document):

1. A first version is trusted by its pin, the digest obtained out of band, and is signed by its own root's threshold.
2. A next version is not parsed before the current root's threshold of signatures over it holds.
3. It is of the same domain, exactly one version later, names the digest of the one held, and is not issued before it.
4. It is signed by its own root's threshold too, over distinct keys, is not from the future, and takes back no
   revocation: every later version lists a key that was revoked in any role as revoked. A root key counts for versions
   issued in its window.
5. Every key's id is its thumbprint; no key serves two authorities, two roles, or an authority and a role, and no
   transport key two authorities; none is of small order; no key that signs equals a transport key; every threshold can
   be reached by keys that are not revoked; an authority has a key of each algorithm that it must sign with; a seal
   key's window is at most 90 days.
6. A read grant at AMBER or above is for a member of the audience. An audience is listed, or is an authority's id and
   then means that organisation alone. On status `system`, which carries its receipts, only that authority has a read
   grant. No listed audience has an authority's id. An audience of national scope has members of one country, and no
   authority of another country has a grant for it.
7. A revocation statement revokes keys of the authority that signed it, by one signature. It counts if the key that
   signed it is valid and not revoked when it arrives. Nothing undoes it: neither another statement nor a next version
   without it. It withdraws nothing that is dated more than seven days before the statement.
8. A beacon is signed by the beacon role's threshold, in the windows of the keys, for 48 hours at most, of the same
   domain, and not older than the last one that has not expired; the same version under another digest is a fork. It
   counts only as long as its role stays: a next version with other beacon keys, or with another digest than announced,
   ends it.

Example, with the files `first`, `following` and `beacon`, and the digest `pin` of the first one, obtained out of band::

    import datetime as dt

    from bus.errors import PermitError, TrustError
    from bus.trust import VerifiedRegistry

    now = dt.datetime.now(dt.UTC)
    registry = VerifiedRegistry.open(first, pin=pin)
    try:
        registry = registry.update(following, now).with_beacon(beacon, now)
    except TrustError as refused:
        print(f"version {registry.version} stays, {refused.reason}: {refused}")
    print(f"{registry.domain} version {registry.version} is {registry.state(now)}")
    for key in registry.bulletin_keys():
        print(key.authority_id, key.public.kid)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from enum import StrEnum

from bus.errors import PermitError, TrustError
from bus.keys import PublicKey, check_entries
from bus.trust.answering import feedback_by, feedback_heard
from bus.trust.grants import Speaker, answers_to, read_by, spoken_by
from bus.trust.remembered import Remembered
from bus.trust.revocations import (
    Ending,
    apply,
    apply_to_seals,
    in_force,
    judge_statement,
    only_theirs,
    stated,
)
from bus.trust.rules import (
    RegisteredKey,
    check_grants,
    check_seal_keys,
    check_seal_succession,
    ever_revoked,
    nation_of,
    refuse_returning_keys,
    registered_keys,
)
from schemas.bulletin import Bulletin
from schemas.codec import decode_as, digest
from schemas.envelope import (
    TYP_BEACON,
    TYP_REGISTRY,
    TYP_REVOKE,
    Context,
    SignedFile,
    check_context,
    read_claims,
    read_signed,
)
from schemas.errors import EnvelopeError, SchemaError
from schemas.parts import Authority
from schemas.registry import (
    BEACON_LEAD,
    BEACON_LIFE_HOURS,
    MAX_BEACON_BYTES,
    MAX_REGISTRY_BYTES,
    MAX_REVOKE_BYTES,
    AuthorityRecord,
    Beacon,
    Registry,
    Revocation,
    Role,
    SealKeyRecord,
)
from schemas.subject import Channel, channel_of, subject_for
from schemas.vocab import Status, Tlp

CLOCK_SKEW = dt.timedelta(minutes=5)
BEACON_LIFE = dt.timedelta(hours=BEACON_LIFE_HOURS)

__all__ = ["CLOCK_SKEW", "RegisteredKey", "TrustState", "VerifiedRegistry"]


class TrustState(StrEnum):
    """How current the registry is."""

    FRESH = "fresh"
    BEHIND = "behind"
    STALE = "stale"
    EXPIRED = "expired"


class VerifiedRegistry:
    """A registry whose signatures and rules have been checked. Immutable: an update is another one.

    Attributes:
        roots: (size, root, key) of each batch whose signature verifies, by what was signed
            (`bus.admission.plain_lane`).
        ways: (channel, subject) of each permitted question (`permitted`).
    """

    def __init__(
        self,
        *,
        document: Registry,
        digest: str,
        raw: bytes,
        beacon: Beacon | None,
        revocations: tuple[Revocation, ...] = (),
        contradicted: Beacon | None = None,
        sound: Collection[str] = (),
    ) -> None:
        """Use `open`, `update`, `with_beacon` and `with_revocation`; this checks rules 5 and 6 but no signature."""
        self.document = document
        self.digest = digest
        self.raw = raw
        self.beacon = beacon
        self.domain = document.domain
        self.version = document.version
        self._gone = ever_revoked(document)
        self.revocations = in_force(revocations, self._gone)
        self.contradicted = contradicted
        self.is_forgetful = False
        """Whether a revocation that its reader took in can no longer be read, so that a revoked key may count."""
        self._listed = registered_keys(document, sound=digest in sound)
        self._keys = apply(self._listed, self.revocations)
        self._seals = apply_to_seals(document, self.revocations)
        check_seal_keys(document, sound=digest in sound)
        check_grants(document)
        listed = document.authorities.items()
        self._reads = {name: read_by(name, record) for name, record in listed if record.read}
        self._grants = {name: spoken_by(record) for name, record in listed}
        self._feedback = feedback_by(document)
        self._publishes = {
            name: ways
            for name, granted in self._grants.items()
            if (ways := granted | self._feedback.get(name, frozenset()))
        }
        self._hears = {name: feedback_heard(name, record, document.audiences) for name, record in listed}
        self._answers = {name: answers_to(name, ways) for name, ways in self._publishes.items()}
        self._speakers: dict[str, Speaker] = {}  # computed at first use; the document never changes
        self._forget()

    def _forget(self) -> None:
        """Start with empty memories; every registry does, however it was made."""
        self.roots: Remembered[str, tuple[int, bytes, RegisteredKey]] = Remembered()
        self.openings: Remembered[str, RegisteredKey] = Remembered()
        self.ways: Remembered[tuple[object, ...], tuple[Channel, str]] = Remembered()

    def _with(self, **changes: object) -> VerifiedRegistry:
        """A copy with some fields changed."""
        made = object.__new__(VerifiedRegistry)
        made.__dict__.update(self.__dict__, **changes)
        made._forget()
        return made

    @classmethod
    def open(
        cls, raw: bytes, *, pin: str | None = None, domain: str | None = None, sound: Collection[str] = ()
    ) -> VerifiedRegistry:
        """Trust a first version by its pin.

        Args:
            raw: the file.
            pin: digest that its payload must have; None trusts the file as it is, for the person who has just made it.
            domain: the domain that it must have.
            sound: digests of the payloads whose keys this reader has already checked for the order of their points; the
                check costs a millisecond for each key and is not repeated.

        Raises:
            TrustError: `malformed-registry`, `pin`, `domain`, `threshold`, or a reason of rule 5 or 6.
        """
        try:
            signed = read_claims(raw, max_bytes=MAX_REGISTRY_BYTES)
        except EnvelopeError as exc:
            raise _unread(TYP_REGISTRY, exc) from None
        found = digest(signed.payload)
        if pin is not None and found != pin:
            raise TrustError(f"the registry's digest is {found}, but {pin} was pinned", reason="pin")
        document = _document(signed.payload)
        if domain is not None and document.domain != domain:
            raise TrustError(f"the registry is of {document.domain}, not of {domain}", reason="domain")
        context = Context(TYP_REGISTRY, document.domain)
        try:
            check_context(signed.entries, context)
        except EnvelopeError as exc:
            raise _unread(TYP_REGISTRY, exc) from None
        _require(document.root, signed, context, "its own root", document.issued)
        return cls(document=document, digest=found, raw=raw, beacon=None, sound=sound)

    def update(self, raw: bytes, now: dt.datetime, *, sound: Collection[str] = ()) -> VerifiedRegistry:
        """Take in the next version; returns this one if `raw` is the same. `sound` as in `open`.

        The held beacon is kept if the beacon role stays and the beacon did not name another digest for this version. If
        it did, `contradicted` has that beacon.

        Raises:
            TrustError: `threshold`, `domain`, `rollback`, `skip`, `fork`, `from-the-future`, `key-revoked`, or a
                rule's reason.
        """
        context = Context(TYP_REGISTRY, self.domain)
        signed = _read(raw, context, MAX_REGISTRY_BYTES)
        if digest(signed.payload) == self.digest:
            return self
        _require(self.document.root, signed, context, "the current root")
        document = _document(signed.payload)
        _require(self.document.root, signed, context, "the current root", document.issued)
        self._must_follow(document)
        _require(document.root, signed, context, "the new root", document.issued)
        self._must_keep(document, now)
        found = digest(signed.payload)
        beacon = self.beacon if document.beacon == self.document.beacon else None
        lied = beacon is not None and beacon.version == document.version and beacon.digest != found
        return VerifiedRegistry(
            document=document,
            digest=found,
            raw=raw,
            beacon=None if lied else beacon,
            revocations=self.revocations,
            contradicted=beacon if lied else None,
            sound=sound,
        )

    def must_precede(self, document: Registry, now: dt.datetime) -> None:
        """Refuse a document that cannot be the next version: rules 3 and 4 without signatures.

        Raises:
            TrustError: `domain`, `rollback`, `skip`, `fork`, `from-the-future`, `key-revoked` or `seal-window`.
        """
        self._must_follow(document)
        self._must_keep(document, now)

    def _must_follow(self, document: Registry) -> None:
        if document.domain != self.domain:
            raise TrustError(f"the registry is of {document.domain}, not of {self.domain}", reason="domain")
        if document.version <= self.version:
            raise TrustError(f"version {document.version} is not after {self.version}", reason="rollback")
        if document.version != self.version + 1:
            raise TrustError(
                f"version {document.version} does not directly follow {self.version}",
                remedy="fetch each in turn",
                reason="skip",
            )
        if document.prev != self.digest:
            raise TrustError("the registry does not continue the one held", reason="fork")

    def _must_keep(self, document: Registry, now: dt.datetime) -> None:
        if document.issued < self.document.issued:
            raise TrustError("the registry was issued before the one held", reason="rollback")
        if document.issued > now + CLOCK_SKEW:
            raise TrustError(
                "the registry is from the future", remedy="check the clock", reason="from-the-future"
            )
        refuse_returning_keys(self.document, document)
        check_seal_succession(self.document, document)

    def with_beacon(self, raw: bytes, now: dt.datetime) -> VerifiedRegistry:
        """This registry with a newer beacon.

        Raises:
            TrustError: `malformed-beacon`, `threshold`, `domain`, `from-the-future`, `expired`, `beacon-bounds`,
                `rollback` or `fork`.
        """
        context = Context(TYP_BEACON, self.domain)
        signed = _read(raw, context, MAX_BEACON_BYTES)
        _require(self.document.beacon, signed, context, "the beacon role")
        try:
            beacon = decode_as(Beacon, signed.payload, max_bytes=MAX_BEACON_BYTES)
        except SchemaError as exc:
            raise TrustError(f"the beacon is malformed: {exc}", reason="malformed-beacon") from None
        if beacon.domain != self.domain:
            raise TrustError(f"the beacon is of {beacon.domain}", reason="domain")
        if beacon.issued > now + CLOCK_SKEW:
            raise TrustError(
                "the beacon is from the future", remedy="check the clock", reason="from-the-future"
            )
        if beacon.expires <= now:
            raise TrustError("the beacon has expired", remedy="fetch a new one", reason="expired")
        if not dt.timedelta(0) < beacon.expires - beacon.issued <= BEACON_LIFE:
            raise TrustError(
                f"the beacon is valid for more than {BEACON_LIFE_HOURS} hours", reason="beacon-bounds"
            )
        if beacon.version > self.version + BEACON_LEAD:
            raise TrustError(f"the beacon is more than {BEACON_LEAD} versions ahead", reason="beacon-bounds")
        for moment in (beacon.issued, now):
            _require(self.document.beacon, signed, context, "the beacon role", moment)
        # An expired beacon vouches for nothing and blocks nothing. Nor does one from the future, which a wrong clock
        # let in: it would block every true beacon until that time.
        last = self.beacon if self.beacon and self._holds(self.beacon, now) else None
        if last and (beacon.version < last.version or beacon.issued < last.issued):
            raise TrustError("the beacon is older than the last one seen", reason="rollback")
        if beacon.version < self.version:
            raise TrustError(
                f"the beacon is of version {beacon.version}; {self.version} is held", reason="rollback"
            )
        if beacon.version == self.version and beacon.digest != self.digest:
            raise TrustError(
                "the beacon names another registry of this same version: a split view", reason="fork"
            )
        return self._with(beacon=beacon, contradicted=None)

    def with_revocation(
        self, raw: bytes, now: dt.datetime, *, taken_before: bool = False
    ) -> VerifiedRegistry:
        """This registry with the keys of a statement revoked; the same object if they already are.

        The next versions keep the statement until they revoke these keys themselves.

        Args:
            raw: the statement, signed by a key of the authority whose keys it revokes.
            now: the present.
            taken_before: this reader took the same bytes earlier and reads them again after a restart. The revoked keys
                stay revoked, even if the key that signed it is now revoked or gone.

        Raises:
            TrustError: `malformed-revoke`, `unknown-key`, `wrong-algorithm`, `bad-signature`, `domain`, `not-your-key`,
                `from-the-future`, `too-old`, `key-revoked` or `key-not-valid`.
        """
        signed = _read(raw, Context(TYP_REVOKE, self.domain), MAX_REVOKE_BYTES)
        moment = None if taken_before else now
        found = judge_statement(signed, self._keys, self._seals, self.domain, moment, self._gone)
        if not self.lacks(found):
            return self
        revocations = in_force((*self.revocations, found), self._gone)
        keys = apply(self._listed, revocations)
        seals = apply_to_seals(self.document, revocations)
        return self._with(revocations=revocations, _keys=keys, _seals=seals)

    def forgetting(self, is_forgetful: bool) -> VerifiedRegistry:
        """This registry, or the same with another `is_forgetful`."""
        return self if is_forgetful == self.is_forgetful else self._with(is_forgetful=is_forgetful)

    def lacks(self, found: Revocation) -> bool:
        """Whether a statement revokes some key earlier than the statements in force and the document do."""
        return found not in self.revocations and found in in_force((*self.revocations, found), self._gone)

    def statement_to_keep(self, raw: bytes) -> bytes:
        """A statement that counts here, without the signatures that others have added.

        Raises:
            EnvelopeError, SchemaError: the bytes are not a statement.
        """
        return only_theirs(raw, self._keys, self.domain)

    @staticmethod
    def _holds(beacon: Beacon, now: dt.datetime) -> bool:
        """Whether a held beacon is neither expired nor ahead of this clock."""
        return beacon.issued <= now + CLOCK_SKEW and now < beacon.expires

    # -- questions --------------------------------------------------------------------------------------------

    def state(self, now: dt.datetime) -> TrustState:
        """How current this registry is. An expired registry still verifies bulletins; they only get a label."""
        if self.document.expires <= now:
            return TrustState.EXPIRED
        if self.beacon is None or not self._holds(self.beacon, now) or self.beacon.version < self.version:
            return TrustState.STALE
        return TrustState.BEHIND if self.beacon.version > self.version else TrustState.FRESH

    def authority(self, authority_id: str) -> AuthorityRecord:
        """The record of an authority.

        Raises:
            TrustError: `unknown-authority`.
        """
        found = self.document.authorities.get(authority_id)
        if found is None:
            raise TrustError(
                f"{authority_id} is not in registry {self.domain} version {self.version}",
                reason="unknown-authority",
            )
        return found

    def speaker(self, authority_id: str) -> Speaker:
        """The authority as a speaker: how its bulletins describe it, what it signs with, what it may publish.

        Raises:
            TrustError: `unknown-authority`.
        """
        speaker = self._speakers.get(authority_id)
        if speaker is None:
            record = self.authority(authority_id)
            feedback = self._feedback.get(authority_id, frozenset())
            speaker = Speaker.of(authority_id, record, self.document, feedback)
            self._speakers[authority_id] = speaker
        return speaker

    def issuer(self, authority_id: str) -> Authority:
        """The authority, as its bulletins must describe it.

        Raises:
            TrustError: `unknown-authority`.
        """
        return self.speaker(authority_id).authority

    def permit(self, bulletin: Bulletin) -> None:
        """Refuse a bulletin without a grant of its issuer.

        Raises:
            PermitError: `not-permitted`; its text names what is missing.
            TrustError: `unknown-authority`.
        """
        speaker, channel = self.speaker(bulletin.issuer.id), channel_of(bulletin)
        try:
            speaker.permit(bulletin, channel)
        except PermitError:
            self._refuse_foreign(channel, speaker)
            raise

    def _refuse_foreign(self, channel: Channel, speaker: Speaker) -> None:
        """Raise an error that names the other country, if that is why there is no grant."""
        nation = nation_of(self.document.audiences.get(channel.audience))
        country = speaker.authority.country.lower()
        if nation is None or nation == country:
            return
        ways = self._publishes.get(channel.issuer, frozenset())
        others = sorted({way[2] for way in ways if way[:2] == (channel.status, channel.tlp)})
        instead = f"; at this marking it may publish to: {', '.join(others)}" if others else ""
        raise PermitError(
            f"{channel.audience} is a national network of {nation.upper()}, and {channel.issuer} is of "
            f"{country.upper()}: only authorities of its own country publish there{instead}",
            reason="not-permitted",
        )

    def permitted(self, bulletin: Bulletin) -> tuple[Channel, str] | None:
        """(channel, subject) of a bulletin if a grant allows it there; otherwise `permit` gives the reason.

        The remembered question holds all that the grant and the subject depend on; of the issuer only its id, since the
        caller has compared the rest. What a bulletin says of others (co-issuers, addressees, deadlines) is not in the
        question and is compared with the registry each time.
        """
        b = bulletin
        areas = tuple([(area.scope == "eu", area.country) for area in b.areas])
        election = b.election
        way = (
            b.issuer.id, type(b.body), b.status, b.tlp, b.audience, areas, election and election.id,
            b.urgency, b.severity, b.certainty, bool(b.actions or b.deadlines),
        )  # fmt: skip
        found = self.ways.get(way)
        if found is not None:
            return None if self.speaker(b.issuer.id).contradicted(b) else found
        channel = channel_of(b)
        try:
            self.speaker(b.issuer.id).permit(b, channel)
        except (PermitError, TrustError):
            return None
        return self.ways.keep(way, (channel, subject_for(b)))

    def key(self, kid: str) -> RegisteredKey | None:
        """The bulletin key with this id; None if there is none."""
        return self._keys.get(kid)

    def seal_keys(self, authority_id: str) -> Mapping[str, SealKeyRecord]:
        """The seal keys of an authority by id, with the revocations by statements."""
        return self._seals.get(authority_id, {})

    def bulletin_keys(self) -> tuple[RegisteredKey, ...]:
        """Every bulletin key, by authority and id."""
        return tuple(sorted(self._keys.values(), key=lambda key: (key.authority_id, key.public.kid)))

    def revoked(self) -> Mapping[str, dt.datetime]:
        """The time since which each revoked key is revoked, by its id."""
        return {
            kid: key.record.revoked_since
            for kid, key in self._keys.items()
            if key.record.revoked_since is not None
        }

    def ended(self, now: dt.datetime) -> Mapping[str, Ending]:
        """How each revoked or expired key ended, by its id (`bus.admission.branches.standing`).

        Revoked keys that are no longer listed are among them, whether the registry or a statement revoked them: the
        judgement of their bulletins stays.
        """
        over = {kid: key.record.not_after for kid, key in self._keys.items() if key.record.not_after <= now}
        found = {kid: Ending(since=since, revoked=False) for kid, since in over.items()}
        for kid, since in stated(self.revocations).items():
            found[kid] = Ending(since=since, by_statement=True, over=over.get(kid))
        for kid, since in self._gone.items():
            found[kid] = Ending(since=min(since, over.get(kid, since)))
        return found

    def may_publish(self, authority_id: str, channel: Channel) -> bool:
        """Whether the authority may publish something on the channel, by a grant or because it reads the channel."""
        way = (channel.status, channel.tlp, channel.audience)
        return channel.issuer == authority_id and way in self._publishes.get(authority_id, ())

    def may_read(self, authority_id: str, channel: Channel) -> bool:
        """Whether the authority may read the channel; each also reads its own and the receipts for its bulletins."""
        way = (channel.status, channel.tlp, channel.audience)
        heard = (self._reads.get(authority_id, ()), self._answers.get(authority_id, ()))
        return channel.issuer == authority_id or any(way in ways for ways in heard)

    def read_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) the authority may read, sorted."""
        return tuple(sorted(self._reads.get(authority_id, ())))

    def receipt_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) on which receipts for its bulletins come; it reads them without a grant. Sorted."""
        return tuple(sorted(self._answers.get(authority_id, ())))

    def publish_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) on which the authority may publish, even if only feedback, sorted."""
        return tuple(sorted(self._publishes.get(authority_id, ())))

    def granted_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Those of `publish_prefixes` that grants open; on the others it publishes only feedback. Sorted."""
        return tuple(sorted(self._grants.get(authority_id, ())))

    def feedback_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Those of `publish_prefixes` on which it may publish only feedback, because it reads there without a grant. Sorted."""
        return tuple(
            sorted(
                self._publishes.get(authority_id, frozenset()) - self._grants.get(authority_id, frozenset())
            )
        )

    def heard_prefixes(self, authority_id: str) -> tuple[tuple[Status, Tlp, str], ...]:
        """Every (status, tlp, audience) on which it reads only feedback: it publishes there and does not read, or it is the audience. Sorted."""
        return tuple(sorted(self._hears.get(authority_id, ())))

    def hears_answers(self, authority_id: str, channel: Channel) -> bool:
        """Whether the authority receives the answers of others on a channel: it reads there, or publishes there and reads feedback."""
        way = (channel.status, channel.tlp, channel.audience)
        return any(way in ways.get(authority_id, ()) for ways in (self._reads, self._answers, self._hears))

    def is_told_alone(self, answering: str, authority_id: str, channel: Channel) -> bool:
        """Whether answers on a channel do not come to an author, and another may tell it them by its id, at the same marking."""
        by_id = (channel.status, channel.tlp, authority_id)
        return (
            not self.hears_answers(authority_id, channel)
            and by_id in self._hears.get(authority_id, ())
            and by_id in self._publishes.get(answering, ())
        )

    def needs_reading(self, bulletin: Bulletin) -> bool:
        """Whether a bulletin is permitted only because its issuer reads the channel (`Speaker.needs_reading`)."""
        issuer = bulletin.issuer.id
        known = issuer in self.document.authorities
        return known and self.speaker(issuer).needs_reading(bulletin, channel_of(bulletin))

    def readers(self, channel: Channel) -> tuple[str, ...]:
        """The authorities that may read a channel by a grant, or because it carries receipts for them, sorted."""
        way = (channel.status, channel.tlp, channel.audience)
        found = {name for name, ways in self._reads.items() if way in ways}
        if way in self._answers.get(channel.audience, ()):
            found.add(channel.audience)
        return tuple(sorted(found))


# -- signatures ---------------------------------------------------------------------------------------------------


def _read(raw: bytes, context: Context, max_bytes: int) -> SignedFile:
    try:
        return read_signed(raw, context, max_bytes=max_bytes)
    except EnvelopeError as exc:
        raise _unread(context.typ, exc) from None


def _unread(typ: str, exc: EnvelopeError) -> TrustError:
    what = typ.rsplit(".", 1)[-1]
    reason = "domain" if exc.reason == "wrong-domain" else f"malformed-{what}"
    return TrustError(f"not a signed {what}: {exc}", reason=reason)


def _document(payload: bytes) -> Registry:
    try:
        return decode_as(Registry, payload, max_bytes=MAX_REGISTRY_BYTES)
    except SchemaError as exc:
        raise TrustError(f"the registry is malformed: {exc}", reason="malformed-registry") from None


def _require(
    role: Role, signed: SignedFile, context: Context, whose: str, moment: dt.datetime | None = None
) -> None:
    """Refuse a file with fewer good signatures than the role's threshold. A key counts once, a revoked key never.

    Args:
        role: the keys and their threshold.
        signed: the file with its signatures.
        context: the signature context.
        whose: the role, in words.
        moment: when it was signed, by its own date; a key counts only in its window. None before that date can be read.
    """

    def key_of(kid: str) -> PublicKey | None:
        record = role.keys.get(kid)
        if record is None or record.revoked_since is not None:
            return None
        if moment is not None and not record.not_before <= moment < record.not_after:
            return None
        try:
            key = PublicKey.from_jwk(record.jwk, record.alg)
        except TrustError:
            return None
        return key if key.kid == kid else None

    good = {
        checked.key.kid
        for checked in check_entries(signed.entries, signed.payload, context, key_of)
        if not checked.fault
    }
    if len(good) < role.threshold:
        raise TrustError(
            f"{len(good)} good signatures of {whose}; {role.threshold} are needed", reason="threshold"
        )
