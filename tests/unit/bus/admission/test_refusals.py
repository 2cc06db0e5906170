"""Each refusal of admission with its reason and its sentence, and whether it leaves the bulletin its place."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import pytest

from bus.admission.steps import Admitted, admit, holds_place, verify_file
from bus.errors import AdmissionError, Place, Proof
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust import proposals
from bus.trust.registry import VerifiedRegistry
from schemas.codec import MAX_PAYLOAD_BYTES, encode
from schemas.envelope import (
    MAX_HEADER_BYTES,
    SIG_HEADER,
    TYP_BULLETIN,
    TYP_REGISTRY,
    Entry,
    file_form,
    format_header,
    hints_allowed,
    parse_header,
    write_signed,
)
from schemas.parts import Authority
from schemas.registry import KeyRecord
from schemas.subject import channel_of
from schemas.vocab import Domain, Tlp
from tests.support.world import (
    DOMAIN,
    NOW,
    Message,
    bulletin,
    key_record,
    shared_world,
    sign,
    signed_registry,
    within,
)

WORLD = shared_world()
MINE, THEIRS = WORLD.signers["xa-csirt"], WORLD.signers["xb-csirt"]
GOOD = sign(WORLD, bulletin(WORLD))
DAY, TICK = dt.timedelta(days=1), dt.timedelta(microseconds=1)


def registry_with(authority: str, **changes: Any) -> VerifiedRegistry:
    """The world's registry with one authority's record changed."""
    document = WORLD.registry.document
    record = msgspec.structs.replace(document.authorities[authority], **changes)
    return VerifiedRegistry.open(
        signed_registry(proposals.add_authority(document, authority, record), WORLD.roots[:2])
    )


def keyed(**changes: Any) -> VerifiedRegistry:
    """The registry with the issuer's one key changed."""
    return registry_with("xa-csirt", keys={MINE.kid: key_record(MINE, **changes)})


def entry(
    signer: FileSigner = MINE,
    payload: bytes = GOOD.payload,
    typ: str = TYP_BULLETIN,
    domain: str = DOMAIN,
    iat: int | None = None,
) -> Entry:
    """A signature over a payload, by default the good one's."""
    return sign_entry(signer, payload, within(typ, domain), iat=iat)


def bearing(message: Message, *entries: Entry) -> Message:
    """The message with these signatures and no hints."""
    return msgspec.structs.replace(message, headers=((SIG_HEADER, format_header(entries)),))


def spoilt(signature: Entry) -> Entry:
    """The entry with a signature of zeros."""
    return msgspec.structs.replace(signature, signature=bytes(64))


def judged(message: Message, registry: VerifiedRegistry = WORLD.registry, now: dt.datetime = NOW) -> Admitted:
    """A message through admission."""
    return admit(message.subject, message.headers, message.payload, registry=registry, now=now)


def refusal(call: Callable[[], Admitted]) -> AdmissionError:
    """The error with which a call refuses."""
    with pytest.raises(AdmissionError) as refused:
        call()
    return refused.value


def said(**changes: Any) -> Message:
    """A bulletin of the issuer, changed and signed."""
    return sign(WORLD, bulletin(WORLD, **changes))


def other_algorithm() -> Message:
    """The good one under a header that names ES256 for the issuer's Ed25519 key."""
    from schemas.envelope import protected_for

    protected = protected_for("ES256", MINE.kid, within())
    header = msgspec.structs.replace(entry().header, alg="ES256")
    return bearing(GOOD, Entry(protected=protected, signature=bytes(64), header=header))


SECOND = FileSigner.generate("ES256")
THIRD = FileSigner.generate("ML-DSA-65")
TWO_KEYS = registry_with(
    "xa-csirt", keys={MINE.kid: key_record(MINE), SECOND.kid: key_record(SECOND)}, require=("ES256",)
)
BOTH_REQUIRED = registry_with(
    "xa-csirt",
    keys={each.kid: key_record(each) for each in (MINE, SECOND, THIRD)},
    require=("ML-DSA-65", "ES256"),
)
MISADDRESSED = msgspec.structs.replace(GOOD, subject="tocsin.v1.elsewhere")
AHEAD = said(issued=NOW + dt.timedelta(minutes=5) + TICK)
EARLY = said(issued=NOW - 31 * DAY)
BAD_HINT = msgspec.structs.replace(GOOD, headers=(*GOOD.headers, ("CE-ID", "x")))
OTHER_NAME = sign(
    WORLD,
    msgspec.structs.replace(
        GOOD.bulletin, issuer=msgspec.structs.replace(GOOD.bulletin.issuer, name="Somebody else")
    ),
)
LIVED_TOO_LONG = said(expires=NOW + 500 * DAY)
UNGRANTED = said(audience="eu-dsc")
TOO_LONG_HEADER = msgspec.structs.replace(GOOD, headers=((SIG_HEADER, "A" * (MAX_HEADER_BYTES + 1)),))
FIVE_MINUTES_OFF = int(NOW.timestamp()) + 301

Case = tuple[Message, VerifiedRegistry, dt.datetime, str, str]


def case(
    message: Message,
    reason: str,
    sentence: str,
    registry: VerifiedRegistry = WORLD.registry,
    now: dt.datetime = NOW,
) -> Case:
    """One row of the table."""
    return message, registry, now, reason, sentence


CASES: dict[str, Case] = {
    "no payload": case(msgspec.structs.replace(GOOD, payload=b""), "empty", "there are no bytes"),
    "a payload above its bound": case(
        msgspec.structs.replace(GOOD, payload=b"x" * (MAX_PAYLOAD_BYTES + 1)),
        "too-large",
        f"{MAX_PAYLOAD_BYTES + 1} bytes; at most {MAX_PAYLOAD_BYTES} are allowed",
    ),
    "no signature header": case(
        msgspec.structs.replace(GOOD, headers=()),
        "malformed-envelope",
        "0 Tocsin-Sig headers; exactly one is needed",
    ),
    "two signature headers": case(
        msgspec.structs.replace(GOOD, headers=(*GOOD.headers, ("tocsin-sig", "x"))),
        "malformed-envelope",
        "2 Tocsin-Sig headers; exactly one is needed",
    ),
    "a header above its bound": case(TOO_LONG_HEADER, "too-large", "the signature header is too large"),
    "a header at its bound": case(
        msgspec.structs.replace(GOOD, headers=((SIG_HEADER, "A" * MAX_HEADER_BYTES),)),
        "malformed-envelope",
        "a signature is neither a compact JWS with detached payload nor one of a batch",
    ),
    "a header of rubbish": case(
        msgspec.structs.replace(GOOD, headers=((SIG_HEADER, "rubbish"),)),
        "malformed-envelope",
        "a signature is neither a compact JWS with detached payload nor one of a batch",
    ),
    "a signature for a registry": case(
        bearing(GOOD, entry(typ=TYP_REGISTRY)),
        "unknown-type",
        "a signature alone with typ 'vnd.tocsin.registry', not one for 'vnd.tocsin.bulletin'",
    ),
    "by nobody known": case(
        bearing(GOOD, entry(FileSigner.generate())),
        "unknown-key",
        "no signature by a key of the registry",
    ),
    "under another algorithm": case(other_algorithm(), "wrong-algorithm", "the algorithm is not the key's"),
    "a signature that does not verify": case(
        bearing(GOOD, spoilt(entry())), "bad-signature", "the signature does not verify"
    ),
    "a good co-signature, the issuer's spoilt": case(
        bearing(GOOD, spoilt(entry()), entry(THEIRS)),
        "bad-signature",
        "a signature of xa-csirt does not verify",
    ),
    "number two without a predecessor": case(
        said(seq=2), "schema", "prev must be null at seq 1, and only there"
    ),
    "number one with a predecessor": case(
        said(prev="p" * 43), "schema", "prev must be null at seq 1, and only there"
    ),
    "signed by another alone": case(
        sign(WORLD, bulletin(WORLD), by="xb-csirt"), "wrong-issuer", "xa-csirt did not sign it"
    ),
    "an issuer under another name": case(
        OTHER_NAME, "wrong-issuer", "xa-csirt is described differently in the registry"
    ),
    "a hint that contradicts": case(BAD_HINT, "hint-mismatch", "header CE-ID contradicts the signed content"),
    "issued before its key": case(EARLY, "key-not-valid", f"key {MINE.kid} was not valid when it was issued"),
    "issued as its key ends": case(
        GOOD,
        "key-not-valid",
        f"key {MINE.kid} was not valid when it was issued",
        registry=keyed(not_after=NOW),
    ),
    "signed five minutes and a second after its issue": case(
        bearing(GOOD, entry(iat=FIVE_MINUTES_OFF)),
        "key-not-valid",
        "the signing time is not the time of issue",
    ),
    "a required signature is missing": case(
        GOOD, "signature-policy", "xa-csirt must sign with ES256 too", registry=TWO_KEYS
    ),
    "two required signatures are missing": case(
        GOOD, "signature-policy", "xa-csirt must sign with ES256, ML-DSA-65 too", registry=BOTH_REQUIRED
    ),
    "a revoked key": case(
        GOOD, "key-revoked", f"key {MINE.kid} is revoked", registry=keyed(revoked_since=NOW + DAY)
    ),
    "it comes as its key ends": case(
        GOOD,
        "key-ended",
        f"key {MINE.kid} expired on 2027-05-24, and this bulletin arrived later",
        registry=keyed(not_after=NOW + DAY),
        now=NOW + DAY,
    ),
    "a rule is broken": case(LIVED_TOO_LONG, "rule:R5", "R5 at $.expires: at most 400 days after issued"),
    "no grant for the channel": case(
        UNGRANTED,
        "not-permitted",
        "xa-csirt has no grant to publish actual.green.eu-dsc (actual, TLP:GREEN, to eu-dsc); "
        "ask your registrar",
    ),
    "on another subject": case(
        MISADDRESSED,
        "misaddressed",
        f"published on 'tocsin.v1.elsewhere', but its subject is {GOOD.subject}",
    ),
    "from the future": case(AHEAD, "from-the-future", "issued 2027-05-23 18:05:00, ahead of this clock"),
}


@pytest.mark.parametrize(("message", "registry", "now", "reason", "sentence"), CASES.values(), ids=CASES)
def test_a_refusal_has_its_reason_and_its_sentence(
    message: Message, registry: VerifiedRegistry, now: dt.datetime, reason: str, sentence: str
) -> None:
    """The code is for programs, the sentence for a person; both say what is wrong and nothing else."""
    refused = refusal(lambda: judged(message, registry, now))
    assert (refused.reason, str(refused)) == (reason, sentence)


FILES: dict[str, tuple[bytes, str, str]] = {
    "empty": (b"", "empty", "not a signed file: there is nothing here"),
    "unsigned": (write_signed(GOOD.payload, ()), "malformed-envelope", "the file has no signature"),
    "for a registry": (
        write_signed(GOOD.payload, (entry(typ=TYP_REGISTRY),)),
        "unknown-type",
        "a signature alone with typ 'vnd.tocsin.registry', not one for 'vnd.tocsin.bulletin'",
    ),
    "no object": (
        write_signed(b"[1]", (entry(payload=b"[1]"),)),
        "malformed-payload",
        "a JSON object must begin with { and end with }, with nothing around it",
    ),
    "by nobody known": (
        write_signed(GOOD.payload, (entry(FileSigner.generate()),)),
        "unknown-key",
        "no signature by a key of the registry",
    ),
}


@pytest.mark.parametrize(("raw", "reason", "sentence"), FILES.values(), ids=FILES)
def test_a_file_is_refused_with_reason_and_sentence(raw: bytes, reason: str, sentence: str) -> None:
    """The file form has the same refusals, and those of a file."""
    refused = refusal(lambda: verify_file(raw, registry=WORLD.registry, now=NOW))
    assert (refused.reason, str(refused)) == (reason, sentence)


PLACED = (
    "a revoked key",
    "it comes as its key ends",
    "a rule is broken",
    "no grant for the channel",
    "from the future",
)


@pytest.mark.parametrize("name", CASES)
def test_only_what_its_issuer_said_in_full_keeps_its_place(name: str) -> None:
    """A broken rule, a missing grant, a clock ahead or a revoked key leaves the place; a fault that another may cause never does."""
    message, registry, now, reason, _ = CASES[name]
    place = refusal(lambda: judged(message, registry, now)).place
    if name not in PLACED:
        assert place is None
        return
    assert isinstance(place, Place)
    made = message.bulletin
    assert (place.channel, place.seq, place.digest) == (channel_of(made), made.seq, message.digest)
    assert (place.prev, place.id, place.kids) == (made.prev, made.id, (MINE.kid,))
    assert holds_place(reason) or reason in ("key-revoked", "key-ended")


def test_a_place_names_the_predecessor() -> None:
    """A refused bulletin above number one keeps the digest that it continues."""
    place = refusal(lambda: judged(said(seq=2, prev="p" * 43, audience="eu-dsc"))).place
    assert place is not None
    assert (place.seq, place.prev) == (2, "p" * 43)


def test_only_the_future_says_when_to_come_back() -> None:
    """Five minutes before the issue, for no other refusal."""
    for message, registry, now, reason, _ in CASES.values():
        retry_at = refusal(lambda m=message, r=registry, n=now: judged(m, r, n)).retry_at  # type: ignore[misc]
        expected = message.bulletin.issued - dt.timedelta(minutes=5) if reason == "from-the-future" else None
        assert retry_at == expected


# -- what is admitted ---------------------------------------------------------------------------------------------


def test_all_that_is_known_of_an_admitted_bulletin() -> None:
    """Content, digest, subject, bytes, signature, channel, keys, trust and time, and nothing else."""
    assert judged(GOOD) == Admitted(
        bulletin=GOOD.bulletin,
        digest=GOOD.digest,
        subject=GOOD.subject,
        payload=GOOD.payload,
        signature=dict(GOOD.headers)[SIG_HEADER],
        channel=channel_of(GOOD.bulletin),
        signer_kid=MINE.kid,
        signer_kids=(MINE.kid,),
        trust=WORLD.registry.state(NOW),
        admitted_at=NOW,
        endorsers=(),
        dropped_endorsements=(),
        labels=frozenset(),
        proof=Proof(
            subject=GOOD.subject,
            headers=tuple(GOOD.headers),
            kids=(MINE.kid,),
            voices=(MINE.kid,),
            awaits=False,
        ),
    )


def test_a_file_comes_to_the_very_same() -> None:
    """A file holds the same signatures, and its subject is derived."""
    raw = file_form(GOOD.payload, dict(GOOD.headers)[SIG_HEADER])
    assert verify_file(raw, registry=WORLD.registry, now=NOW) == judged(GOOD)


def test_headers_come_as_pairs_or_as_a_mapping() -> None:
    """Both say the same, and names are compared without their case."""
    forms: tuple[Mapping[str, str] | list[tuple[str, str]], ...] = (
        dict(GOOD.headers),
        list(GOOD.headers),
        {name.upper(): value for name, value in GOOD.headers},
        {name.lower(): value for name, value in GOOD.headers},
    )
    for headers in forms:
        assert admit(GOOD.subject, headers, GOOD.payload, registry=WORLD.registry, now=NOW) == judged(GOOD)


@pytest.mark.parametrize("name", hints_allowed(GOOD.bulletin, GOOD.digest))
@pytest.mark.parametrize("spell", [str, str.lower, str.upper], ids=["as written", "lower case", "upper case"])
def test_every_hint_is_held_to_the_content(name: str, spell: Callable[[str], str]) -> None:
    """Each by itself, however its name is spelt."""
    odd = msgspec.structs.replace(GOOD, headers=(*GOOD.headers[:1], (spell(name), "otherwise")))
    assert str(refusal(lambda: judged(odd))) == f"header {spell(name)} contradicts the signed content"


BOUNDS: dict[str, tuple[Message, VerifiedRegistry, dt.datetime]] = {
    "the largest payload": (
        sign(
            WORLD,
            GOOD.payload[:1] + b" " * (MAX_PAYLOAD_BYTES - len(GOOD.payload)) + GOOD.payload[1:],
            by="xa-csirt",
        ),
        WORLD.registry,
        NOW,
    ),
    "issued as its key begins": (GOOD, keyed(not_before=NOW), NOW),
    "issued a moment before its key ends": (said(issued=NOW - TICK), keyed(not_after=NOW + TICK), NOW),
    "it comes a moment before its key ends": (GOOD, keyed(not_after=NOW + DAY), NOW + DAY - TICK),
    "signed five minutes after its issue": (
        bearing(GOOD, entry(iat=FIVE_MINUTES_OFF - 1)),
        WORLD.registry,
        NOW,
    ),
    "signed five minutes before its issue": (
        bearing(GOOD, entry(iat=FIVE_MINUTES_OFF - 601)),
        WORLD.registry,
        NOW,
    ),
    "issued five minutes ahead": (said(issued=NOW + dt.timedelta(minutes=5)), WORLD.registry, NOW),
}


@pytest.mark.parametrize(("message", "registry", "now"), BOUNDS.values(), ids=BOUNDS)
def test_what_is_just_within_its_bound_is_admitted(
    message: Message, registry: VerifiedRegistry, now: dt.datetime
) -> None:
    """Windows include their beginning and exclude their end; slack includes its end."""
    assert judged(message, registry, now).payload == message.payload


def test_a_signing_time_too_early_is_refused() -> None:
    """The slack is the same before and after the issue."""
    odd = bearing(GOOD, entry(iat=FIVE_MINUTES_OFF - 602))
    assert refusal(lambda: judged(odd)).reason == "key-not-valid"


def test_the_signer_is_the_key_of_the_first_algorithm_required() -> None:
    """Of two good signatures of the issuer the required one is named, and both are listed in their order."""
    two = judged(bearing(GOOD, entry(), entry(SECOND)), TWO_KEYS)
    assert (two.signer_kid, two.signer_kids) == (SECOND.kid, (MINE.kid, SECOND.kid))


def _second(**changes: Any) -> VerifiedRegistry:
    keys: dict[str, KeyRecord] = {MINE.kid: key_record(MINE), SECOND.kid: key_record(SECOND, **changes)}
    return registry_with("xa-csirt", keys=keys)


@pytest.mark.parametrize(
    "changes", [{"not_before": NOW + TICK}, {"not_after": NOW}], ids=["not yet", "no more"]
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_every_signature_of_the_issuer_must_be_in_its_window(changes: dict[str, Any], first: bool) -> None:
    """A good key beside one that was not valid at the time of issue refuses the whole, in either order."""
    entries = (entry(SECOND), entry()) if first else (entry(), entry(SECOND))
    assert refusal(lambda: judged(bearing(GOOD, *entries), _second(**changes))).reason == "key-not-valid"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"revoked_since": NOW - DAY}, "key-revoked"), ({"not_after": NOW + TICK}, "key-ended")],
    ids=["revoked", "over"],
)
@pytest.mark.parametrize("first", [True, False], ids=["first", "last"])
def test_the_keys_that_have_not_ended_decide_where_they_meet_what_is_required(
    changes: dict[str, Any], reason: str, first: bool
) -> None:
    """So nobody ties a bulletin to a revoked key by adding its signature; but a revoked key meets no requirement."""
    one, other = SECOND, MINE
    entries = (entry(SECOND), entry()) if first else (entry(), entry(SECOND))
    both, now = bearing(GOOD, *entries), NOW + TICK
    ended = {one.kid: key_record(one), other.kid: key_record(other, **changes)}
    required = registry_with("xa-csirt", keys=ended, require=(one.alg,))
    found = admit(both.subject, both.headers, both.payload, registry=required, now=now)
    assert found.signer_kid == one.kid
    required = registry_with("xa-csirt", keys=ended, require=(one.alg, other.alg))
    assert (
        refusal(lambda: admit(both.subject, both.headers, both.payload, registry=required, now=now)).reason
        == reason
    )


def test_a_continued_bulletin_may_be_by_an_ended_key() -> None:
    """Revoked or past its window: the one that continues it vouches for it, on the wire and in a file."""
    raw = file_form(GOOD.payload, dict(GOOD.headers)[SIG_HEADER])
    for registry, now in ((keyed(revoked_since=NOW), NOW), (keyed(not_after=NOW + DAY), NOW + DAY)):
        for continued in (
            admit(GOOD.subject, GOOD.headers, GOOD.payload, registry=registry, now=now, continued=True),
            verify_file(raw, registry=registry, now=now, continued=True),
        ):
            assert continued.digest == GOOD.digest
        assert refusal(lambda r=registry, n=now: verify_file(raw, registry=r, now=n)).reason in (  # type: ignore[misc]
            "key-revoked",
            "key-ended",
        )


# -- labels and co-signatures -------------------------------------------------------------------------------------

XB = Authority(id="xb-csirt", kind="csirt", domain=Domain.CYBER, country="XB")
XC = Authority(id="xc-csirt", kind="csirt", domain=Domain.CYBER, country="XC")
SHORT = said(expires=NOW + dt.timedelta(minutes=10))

LABELS: dict[str, tuple[Message, dt.datetime, set[str]]] = {
    "a quarter of an hour old": (GOOD, NOW + dt.timedelta(minutes=15), set()),
    "a moment more than a quarter of an hour old": (GOOD, NOW + dt.timedelta(minutes=15) + TICK, {"late"}),
    "a moment before it expires": (SHORT, NOW + dt.timedelta(minutes=10) - TICK, set()),
    "as it expires": (SHORT, NOW + dt.timedelta(minutes=10), {"expired"}),
    "a co-issuer who did not sign": (said(co_issuers=(XB,)), NOW, {"co-issuers-unconfirmed"}),
}


@pytest.mark.parametrize(("message", "now", "labels"), LABELS.values(), ids=LABELS)
def test_labels_begin_and_end_where_they_say(message: Message, now: dt.datetime, labels: set[str]) -> None:
    """Age, expiry and absent co-issuers are labels, at their exact moments."""
    assert judged(message, now=now).labels == labels


def test_one_of_two_co_issuers_is_not_enough() -> None:
    """The label goes when all have signed."""
    two = said(co_issuers=(XB, XC))
    signed = bearing(two, entry(payload=two.payload), entry(THEIRS, two.payload))
    assert judged(signed).labels == {"co-issuers-unconfirmed"}


FIRST_CO, SECOND_CO = FileSigner.generate(), FileSigner.generate()
CO_KEYS: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "both alive": ({}, {}, True),
    "one revoked": ({"revoked_since": NOW}, {}, True),
    "both revoked": ({"revoked_since": NOW}, {"revoked_since": NOW}, False),
    "one begins now, one is revoked": ({"not_before": NOW}, {"revoked_since": NOW}, True),
    "one begins later, one ends now": ({"not_before": NOW + TICK}, {"not_after": NOW}, False),
    "one ends a moment later": ({"not_after": NOW + TICK}, {"not_after": NOW}, True),
}


@pytest.mark.parametrize(("one", "other", "stands"), CO_KEYS.values(), ids=CO_KEYS)
def test_a_co_signature_counts_while_one_of_its_keys_is_alive(
    one: dict[str, Any], other: dict[str, Any], stands: bool
) -> None:
    """An authority is named once: as an endorser, or among the dropped."""
    keys = {FIRST_CO.kid: key_record(FIRST_CO, **one), SECOND_CO.kid: key_record(SECOND_CO, **other)}
    registry = registry_with("xb-csirt", keys=keys)
    admitted = judged(bearing(GOOD, entry(), entry(FIRST_CO), entry(SECOND_CO)), registry)
    named = (admitted.endorsers, admitted.dropped_endorsements)
    assert named == ((("xb-csirt",), ()) if stands else ((), ("xb-csirt",)))


def test_endorsers_and_dropped_are_sorted() -> None:
    """They are sorted by id in any order of signatures; one bad signature drops an authority even with a good one."""
    names = ("xb-emb", "xb-csirt", "xa-dpa")
    good = [entry(WORLD.signers[name]) for name in names]
    admitted = judged(bearing(GOOD, *good, entry()))
    assert admitted.endorsers == ("xa-dpa", "xb-csirt", "xb-emb")
    dropped = judged(bearing(GOOD, entry(), *(spoilt(each) for each in good)))
    assert dropped.dropped_endorsements == ("xa-dpa", "xb-csirt", "xb-emb")
    keys = {FIRST_CO.kid: key_record(FIRST_CO), SECOND_CO.kid: key_record(SECOND_CO)}
    mixed = bearing(GOOD, entry(), entry(FIRST_CO), spoilt(entry(SECOND_CO)))
    admitted = judged(mixed, registry_with("xb-csirt", keys=keys))
    assert (admitted.endorsers, admitted.dropped_endorsements) == ((), ("xb-csirt",))


def test_a_wrong_algorithm_is_told_before_a_bad_signature() -> None:
    """If no signature verifies, the reason does not depend on the order of the entries."""
    wrong = parse_header(dict(other_algorithm().headers)[SIG_HEADER], within())[0]
    for entries in ((wrong, spoilt(entry(THEIRS))), (spoilt(entry(THEIRS)), wrong)):
        assert refusal(lambda e=entries: judged(bearing(GOOD, *e))).reason == "wrong-algorithm"  # type: ignore[misc]


def test_an_unknown_payload_member_is_told_by_the_codec() -> None:
    """The sentence of the codec is passed on unchanged."""
    payload = encode(GOOD.bulletin)[:-1] + b',"extra":1}'
    odd = bearing(msgspec.structs.replace(GOOD, payload=payload), entry(payload=payload))
    refused = refusal(lambda: judged(odd))
    assert refused.reason == "schema"
    assert "extra" in str(refused)


def test_the_marking_decides_the_grant() -> None:
    """The same bulletin at AMBER is on another channel, for which there is no grant."""
    assert refusal(lambda: judged(said(tlp=Tlp.AMBER))).reason == "not-permitted"
