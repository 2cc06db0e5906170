"""Admission: the one decision about received bytes. Pure: no I/O, no clock.

`admit` goes through numbered steps, each cheaper or safer than the next. Nothing is parsed before its signature
verifies. A refusal raises `AdmissionError` with one of the reason codes in `REASONS`.

0.  bound      sizes of payload and header
1.  header     exactly one `Tocsin-Sig`, ASCII, in its grammar
2.  entries    canonical encodings, a closed header schema, made for a bulletin of this federation
3.  key        found by its id alone; its algorithm is the registry's
4.  signature  over the very bytes received
5.  read       I-JSON, types, cross-field rules
6.  speaker    the issuer signed it and matches the registry; hints agree
7.  key policy window, required algorithms, revocation
8.  grant      the registry lets the issuer publish this here
9.  address    the subject is the bulletin's own
10. time       not from the future; late and expired are labels

A signature by an unknown key is a co-signature that counts for nothing. A bad co-signature of a known key is dropped
and reported. A bad signature of the issuer refuses the bulletin. `bus.admission.chain` decides afterwards on
duplicates, gaps and forks, which need memory.

Example, with a verified `registry` (`bus.trust.registry`) and a `message` as the bus delivers it::

    import datetime as dt

    from bus.admission import admit
    from bus.errors import AdmissionError

    now = dt.datetime.now(dt.UTC)
    try:
        admitted = admit(message.subject, message.headers, message.payload, registry=registry, now=now)
    except AdmissionError as refused:
        print(f"refused, {refused.reason}: {refused}")
    else:
        print(f"{admitted.channel} {admitted.bulletin.seq}, {admitted.trust}, {sorted(admitted.labels)}")
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from bus.errors import AdmissionError, PermitError, Place, Proof
from bus.keys import check_entries
from bus.trust import CLOCK_SKEW, RegisteredKey, Speaker, TrustState, VerifiedRegistry
from schemas import rules
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, decode, digest
from schemas.envelope import (
    MAX_HEADER_BYTES,
    SIG_HEADER,
    TYP_BULLETIN,
    TYP_SEALED_BULLETIN,
    Context,
    Entry,
    format_header,
    hints,
    hints_allowed,
    parse_header,
    read_signed,
)
from schemas.errors import EnvelopeError, SchemaError
from schemas.subject import Channel, channel_of, subject_for

LATE_AFTER = dt.timedelta(minutes=15)
"""The age above which an admitted bulletin is labelled `late` (SPEC, section 5)."""
_NONE: frozenset[str] = frozenset()
IAT_SLACK_S = 300
"""Most seconds between a signature's `iat` and the time of issue (SPEC, section 5, step 7)."""

REASONS: Mapping[str, str] = MappingProxyType(
    {
        "empty": "there are no bytes",
        "too-large": "payload, header or number of signatures above its bound",
        "malformed-envelope": "the signature header or file is not in its grammar",
        "unknown-type": "the signature was made for something other than a bulletin",
        "wrong-domain": "the signature was made in another federation",
        "unknown-key": "no key of the registry signed it for its issuer, and a key that is not listed did",
        "wrong-algorithm": "the algorithm is not the one that the registry names for the key",
        "bad-signature": "the signature does not match the bytes",
        "malformed-payload": "not an I-JSON object",
        "duplicate-member": "a member occurs twice in one JSON object",
        "schema": "it breaks the types or bounds of a bulletin",
        "rule:R<n>": "it breaks the cross-field rule of that number",
        "wrong-issuer": "the named issuer did not sign it, or differs from the registry",
        "hint-mismatch": "an unsigned header contradicts the signed content",
        "key-not-valid": "it was issued outside the window of the key",
        "key-revoked": "the key is revoked, and no bulletin that stands continues this one",
        "key-ended": "it arrived after its key expired, and no bulletin that stands continues it",
        "signature-policy": "a signature that the registry requires of this issuer is missing",
        "not-permitted": "no grant lets this issuer publish this to this audience",
        "misaddressed": "it was published on a subject that is not its own",
        "from-the-future": "its time is ahead of this clock; it waits and is admitted at that time",
        "fork": "another bulletin stands at this place of the chain: the signer contradicted itself",
        "replayed-id": "another bulletin has this id",
        "broken-chain": "its held predecessor has another digest than the one that it names",
    }
)
"""Every reason for which received bytes are refused. Codes are public API and are never reused."""

ENDED = frozenset({"key-revoked", "key-ended"})
"""Refusals that end when a bulletin by a valid key continues the refused one (`bus.admission.branches`)."""

BY_VERSION = frozenset({"unknown-key", "wrong-issuer", "key-not-valid", "signature-policy"})
"""Refusals of bulletins without a proven author; the next version of the registry may end them."""

_PLACED = frozenset({"not-permitted", "from-the-future"})
"""Refusals, beside those by a rule, after which a bulletin keeps its place in the chain: its issuer signed it with
every required key. After any other refusal it may come from somebody else and would displace the true bulletin."""

Headers = Mapping[str, str] | Sequence[tuple[str, str]]


class Admitted(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An admitted bulletin: its content, its bytes as received, its signers and labels."""

    bulletin: Bulletin
    digest: str
    subject: str
    payload: bytes
    signature: str
    channel: Channel
    signer_kid: str
    signer_kids: tuple[str, ...]
    trust: TrustState
    admitted_at: dt.datetime
    endorsers: tuple[str, ...] = ()
    dropped_endorsements: tuple[str, ...] = ()
    labels: frozenset[str] = frozenset()
    proof: Proof


class _Signed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the signatures over some bytes, by authority; `awaits` if the registry does not list a key."""

    good: dict[str, list[tuple[RegisteredKey, Entry]]]
    bad: frozenset[str]
    awaits: bool


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """The decoded bulletin with its channel and subject, read once and handed from step to step."""

    bulletin: Bulletin
    digest: str
    channel: Channel
    subject: str


def holds_place(reason: str) -> bool:
    """Whether a bulletin that is refused for this reason keeps its place in the chain."""
    return reason in _PLACED or reason.startswith("rule:")


def admit(
    subject: str,
    headers: Headers,
    payload: bytes,
    *,
    registry: VerifiedRegistry,
    now: dt.datetime,
    continued: bool = False,
) -> Admitted:
    """Admit or refuse a message from the bus.

    Args:
        subject: the subject that it was published on.
        headers: its headers, as pairs so that a repeated one is seen, or as a mapping.
        payload: its bytes.
        registry: who may publish what.
        now: the present, aware.
        continued: a bulletin that stands names this one as its predecessor, so its key may since be revoked or expired
            (`bus.admission.branches`).

    Raises:
        AdmissionError: with one of `REASONS`.
    """
    pairs = list(headers.items()) if isinstance(headers, Mapping) else list(headers)
    _bound(payload)
    value = _signature_header(pairs)
    context = Context(TYP_BULLETIN, registry.domain)
    try:
        entries = parse_header(value, context)
    except EnvelopeError as exc:
        raise AdmissionError(str(exc), reason=exc.reason) from None
    return _decide(subject, pairs, payload, entries, context, registry, now, continued)


def verify_file(
    raw: bytes, *, registry: VerifiedRegistry, now: dt.datetime, continued: bool = False
) -> Admitted:
    """Admit or refuse a `*.tocsin.json` file, as `admit` does. The subject is derived, so it is never `misaddressed`.

    Raises:
        AdmissionError: with one of `REASONS`.
    """
    return _verify(raw, Context(TYP_BULLETIN, registry.domain), registry, now, continued)


def verify_inside(
    raw: bytes, *, registry: VerifiedRegistry, now: dt.datetime, continued: bool = False
) -> Admitted:
    """Admit or refuse the file inside a sealed bulletin.

    Its signatures are valid only there: `verify_file` and `admit` refuse it as `unknown-type`, and this refuses theirs.

    Raises:
        AdmissionError: with one of `REASONS`.
    """
    return _verify(raw, Context(TYP_SEALED_BULLETIN, registry.domain), registry, now, continued)


def _verify(
    raw: bytes, context: Context, registry: VerifiedRegistry, now: dt.datetime, continued: bool
) -> Admitted:
    try:
        file = read_signed(raw, context)
    except EnvelopeError as exc:
        raise AdmissionError(str(exc), reason=exc.reason) from None
    return _decide(None, [], file.payload, file.entries, context, registry, now, continued)


def _decide(
    subject: str | None,
    pairs: list[tuple[str, str]],
    payload: bytes,
    entries: tuple[Entry, ...],
    context: Context,
    registry: VerifiedRegistry,
    now: dt.datetime,
    continued: bool,
) -> Admitted:
    try:
        signed = _check_signatures(entries, payload, context, registry)  # 3, 4
        reading = _read(payload)  # 5
        bulletin = reading.bulletin
    except AdmissionError as exc:
        exc.awaits = _awaits(exc.reason, entries, registry)
        raise
    mine = signed.good.get(bulletin.issuer.id, [])
    kids = tuple(key.public.kid for key, _ in mine)
    try:
        speaker = _speaker(reading, signed, pairs, registry)  # 6
        signer = _key_policy(bulletin, mine, speaker)  # 7
        if not continued:
            signer = _key_stands(mine, speaker, now)
        # 5, its cross-field part: only a bulletin of its issuer holds a place in a chain; and 8
        _may_say(reading, speaker)
        if subject is not None and subject != reading.subject:  # 9
            raise AdmissionError(
                f"published on {subject!r}, but its subject is {reading.subject}", reason="misaddressed"
            )
        if bulletin.issued > now + CLOCK_SKEW:  # 10
            raise AdmissionError(
                f"issued {bulletin.issued:%Y-%m-%d %H:%M:%S}, ahead of this clock",
                reason="from-the-future",
                retry_at=bulletin.issued - CLOCK_SKEW,
            )
    except AdmissionError as exc:
        if holds_place(exc.reason) or exc.reason in ENDED:
            exc.place = Place(
                channel=reading.channel,
                seq=bulletin.seq,
                digest=reading.digest,
                prev=bulletin.prev,
                id=bulletin.id,
                kids=kids,
                issued=bulletin.issued,
                proof=_proof(reading, signed, now),
            )
        else:
            exc.awaits = _awaits(exc.reason, entries, registry)
        raise
    proof = _proof(reading, signed, now)
    endorsers, dropped = _endorsers(bulletin, signed, registry, now)
    return Admitted(
        bulletin=bulletin,
        digest=reading.digest,
        subject=reading.subject,
        payload=payload,
        signature=dict(proof.headers)[SIG_HEADER],
        channel=reading.channel,
        signer_kid=signer.public.kid,
        signer_kids=kids,
        trust=registry.state(now),
        admitted_at=now,
        endorsers=endorsers,
        dropped_endorsements=dropped,
        labels=labels_of(bulletin, endorsers, now),
        proof=proof,
    )


def _awaits(reason: str, entries: tuple[Entry, ...], registry: VerifiedRegistry) -> bool:
    """Whether the next version of the registry may admit a bulletin whose author is not proven."""
    return reason in BY_VERSION or any(registry.key(entry.header.kid) is None for entry in entries)


def _proof(reading: Reading, signed: _Signed, now: dt.datetime) -> Proof:
    """The signatures that verify: the issuer's first, then those of the named co-issuers."""
    bulletin = reading.bulletin
    named = {each.id for each in bulletin.co_issuers}
    ranked: list[tuple[int, Entry]] = []
    for name, pairs in signed.good.items():
        for key, entry in pairs:
            if name == bulletin.issuer.id:
                rank = 0
            elif name in named and entry.batch is None and _endorses(key, entry, bulletin, now):
                rank = 1
            else:
                rank = 2
            ranked.append((rank, entry))
    ranked.sort(key=lambda each: each[0])
    headers = {SIG_HEADER: format_header(entry for _, entry in ranked), **hints(reading.digest)}
    return Proof(
        subject=reading.subject,
        headers=tuple(headers.items()),
        kids=tuple(entry.header.kid for rank, entry in ranked if rank == 0),
        voices=tuple(entry.header.kid for rank, entry in ranked if rank < 2),
        awaits=signed.awaits,
    )


def _bound(payload: bytes) -> None:
    """Step 0."""
    if not payload:
        raise AdmissionError("there are no bytes", reason="empty")
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise AdmissionError(
            f"{len(payload)} bytes; at most {MAX_PAYLOAD_BYTES} are allowed", reason="too-large"
        )


def _signature_header(pairs: Iterable[tuple[str, str]]) -> str:
    """Step 1."""
    wanted = SIG_HEADER.lower()
    values = [value for name, value in pairs if name.lower() == wanted]
    if len(values) != 1:
        raise AdmissionError(
            f"{len(values)} {SIG_HEADER} headers; exactly one is needed", reason="malformed-envelope"
        )
    if len(values[0]) > MAX_HEADER_BYTES:
        raise AdmissionError("the signature header is too large", reason="too-large")
    return values[0]


def _check_signatures(
    entries: tuple[Entry, ...], payload: bytes, context: Context, registry: VerifiedRegistry
) -> _Signed:
    """Steps 3 and 4. A bad signature can be judged only once the issuer is known."""
    good: dict[str, list[tuple[RegisteredKey, Entry]]] = {}
    bad: set[str] = set()
    faults: set[str] = set()
    named = {entry.header.kid: registry.key(entry.header.kid) for entry in entries}
    known = {kid: key for kid, key in named.items() if key is not None}
    for checked in check_entries(
        entries, payload, context, lambda kid: known[kid].public if kid in known else None
    ):
        key = known[checked.key.kid]
        if checked.fault:
            faults.add(checked.fault)
            bad.add(key.authority_id)
        else:
            good.setdefault(key.authority_id, []).append((key, checked.entry))
    if not good:
        if "wrong-algorithm" in faults:
            raise AdmissionError("the algorithm is not the key's", reason="wrong-algorithm")
        if faults:
            raise AdmissionError("the signature does not verify", reason="bad-signature")
        raise AdmissionError("no signature by a key of the registry", reason="unknown-key")
    return _Signed(good=good, bad=frozenset(bad), awaits=len(known) < len(named))


def _read(payload: bytes) -> Reading:
    """Step 5, bytes and types."""
    try:
        bulletin = decode(payload)
    except SchemaError as exc:
        raise AdmissionError(str(exc), reason=exc.reason) from None
    if (bulletin.seq == 1) != (bulletin.prev is None):
        raise AdmissionError("prev must be null at seq 1, and only there", reason="schema")
    return Reading(
        bulletin=bulletin, digest=digest(payload), channel=channel_of(bulletin), subject=subject_for(bulletin)
    )


def _speaker(
    reading: Reading, signed: _Signed, pairs: list[tuple[str, str]], registry: VerifiedRegistry
) -> Speaker:
    """Step 6."""
    issuer = reading.bulletin.issuer.id
    if issuer in signed.bad:
        raise AdmissionError(f"a signature of {issuer} does not verify", reason="bad-signature")
    if issuer not in signed.good:
        # The issuer may have signed with a key that only a later version lists, beside a co-signature that verifies
        # already.
        raise AdmissionError(
            f"{issuer} did not sign it", reason="unknown-key" if signed.awaits else "wrong-issuer"
        )
    if len({entry.batch is None for _, entry in signed.good[issuer]}) != 1:
        raise AdmissionError(
            f"{issuer} signed it both alone and in a batch; all its keys must sign in the same way",
            reason="malformed-envelope",
        )
    speaker = registry.speaker(issuer)
    if reading.bulletin.issuer != speaker.authority:
        raise AdmissionError(f"{issuer} is described differently in the registry", reason="wrong-issuer")
    expected = {
        name.lower(): value for name, value in hints_allowed(reading.bulletin, reading.digest).items()
    }
    for name, value in pairs:
        if (wanted := expected.get(name.lower())) is not None and value != wanted:
            raise AdmissionError(f"header {name} contradicts the signed content", reason="hint-mismatch")
    return speaker


def _key_policy(
    bulletin: Bulletin, mine: list[tuple[RegisteredKey, Entry]], speaker: Speaker
) -> RegisteredKey:
    """Step 7 by the bulletin's own claims: it is issued within the window and signed as the registry requires."""
    for key, entry in mine:
        if not key.record.not_before <= bulletin.issued < key.record.not_after:
            raise AdmissionError(
                f"key {key.public.kid} was not valid when it was issued", reason="key-not-valid"
            )
        iat = entry.header.iat
        if iat is not None and abs(iat - bulletin.issued.timestamp()) > IAT_SLACK_S:
            raise AdmissionError("the signing time is not the time of issue", reason="key-not-valid")
    algorithms = {key.record.alg for key, _ in mine}
    if not set(speaker.require) <= algorithms:
        missing = ", ".join(sorted(set(speaker.require) - algorithms))
        raise AdmissionError(f"{bulletin.issuer.id} must sign with {missing} too", reason="signature-policy")
    return next(key for key, _ in mine if key.record.alg == speaker.require[0])


def _key_stands(mine: list[tuple[RegisteredKey, Entry]], speaker: Speaker, now: dt.datetime) -> RegisteredKey:
    """Step 7 without regard to claims: a revoked or expired key admits nothing that arrives now, whatever its date.

    If valid keys meet what the registry requires, they decide, because anybody may add a signature by a stolen key.
    """
    ended: list[AdmissionError] = []
    alive: list[RegisteredKey] = []
    for key, _ in mine:
        if key.record.revoked_since is not None:
            ended.append(AdmissionError(f"key {key.public.kid} is revoked", reason="key-revoked"))
        elif key.record.not_after <= now:
            ended.append(
                AdmissionError(
                    f"key {key.public.kid} expired on {key.record.not_after:%Y-%m-%d}, and this bulletin arrived later",
                    reason="key-ended",
                )
            )
        else:
            alive.append(key)
    if ended and not {key.record.alg for key in alive}.issuperset(speaker.require):
        raise ended[0]
    return next(key for key in alive if key.record.alg == speaker.require[0])


def _endorsers(
    bulletin: Bulletin, signed: _Signed, registry: VerifiedRegistry, now: dt.datetime
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The co-issuers whose signature counts, and those whose signature does not.

    A co-signature does not count if it is altered, of a batch, made outside the window of its key, or by a revoked or
    expired key; if another signature that the registry requires of its authority is missing; or if the bulletin
    describes that authority differently from the registry.
    """
    stands: set[str] = set()
    dropped = {name for name in signed.bad if name != bulletin.issuer.id}
    named = {each.id: each for each in bulletin.co_issuers}
    for name, entries in signed.good.items():
        if name == bulletin.issuer.id:
            continue
        speaker = registry.speaker(name)
        algorithms = {
            key.record.alg
            for key, entry in entries
            if entry.batch is None and _endorses(key, entry, bulletin, now)
        }
        as_listed = named.get(name, speaker.authority) == speaker.authority
        (stands if as_listed and algorithms.issuperset(speaker.require) else dropped).add(name)
    return tuple(sorted(stands - dropped)), tuple(sorted(dropped))


def _endorses(key: RegisteredKey, entry: Entry, bulletin: Bulletin, now: dt.datetime) -> bool:
    """Whether a co-signature was made in time by its own date, with a key that is neither revoked nor expired.

    An endorser may sign later than the issuer and then states the time (`iat`), but never earlier, nor ahead of the
    clock.
    """
    record, issued, iat = key.record, bulletin.issued.timestamp(), entry.header.iat
    signed_at = issued if iat is None else iat
    in_time = issued - IAT_SLACK_S <= signed_at <= max(now.timestamp(), issued) + IAT_SLACK_S
    in_window = record.not_before.timestamp() <= signed_at < record.not_after.timestamp()
    return (
        in_time and in_window and record.revoked_since is None and record.not_before <= now < record.not_after
    )


def _may_say(reading: Reading, speaker: Speaker) -> None:
    """Step 5, the cross-field rules, and step 8."""
    try:
        rules.check(reading.bulletin, reading.subject)
        speaker.permit(reading.bulletin, reading.channel)
    except (SchemaError, PermitError) as exc:
        raise AdmissionError(str(exc), reason=exc.reason) from None


def labels_of(bulletin: Bulletin, endorsers: tuple[str, ...], now: dt.datetime) -> frozenset[str]:
    """The labels of an admitted bulletin: late, expired, named co-issuers who did not sign."""
    is_late = now - bulletin.issued > LATE_AFTER
    is_expired = bulletin.expires <= now
    if not (is_late or is_expired or bulletin.co_issuers):
        return _NONE
    found = {label for label, is_so in (("late", is_late), ("expired", is_expired)) if is_so}
    if any(each.id not in endorsers for each in bulletin.co_issuers):
        found.add("co-issuers-unconfirmed")
    return frozenset(found)
