"""Admission beyond the vectors: hybrid signatures, co-signatures, places, and mutations."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import strategies as st

from bus.admission.steps import REASONS, Admitted, admit, verify_file
from bus.errors import AdmissionError
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from bus.trust.rotation import add_key
from schemas.bulletin import Bulletin
from schemas.codec import MAX_PAYLOAD_BYTES, encode
from schemas.envelope import (
    MAX_HEADER_BYTES,
    SIG_HEADER,
    b64u,
    file_form,
    format_header,
    unb64u,
)
from schemas.subject import subject_for
from schemas.vocab import Tlp
from tests.support.batches import in_a_batch
from tests.support.mutations import Mutations
from tests.support.world import (
    NOW,
    Message,
    World,
    bulletin,
    key_record,
    shared_world,
    sign,
    signed_registry,
    within,
)

WORLD = shared_world()
GOOD = sign(WORLD, bulletin(WORLD))


def judged(
    message: Message, world: World = WORLD, registry: VerifiedRegistry | None = None, now: dt.datetime = NOW
) -> Admitted:
    """A message through admission."""
    return admit(
        message.subject, message.headers, message.payload, registry=registry or world.registry, now=now
    )


def with_header(message: Message, value: str) -> Message:
    """A message with another signature header and no hints."""
    return msgspec.structs.replace(message, headers=((SIG_HEADER, value),))


def test_a_signed_bulletin_is_admitted_with_its_signer_and_channel() -> None:
    """A bulletin that an authority signs within its grant is admitted."""
    found = judged(GOOD)
    assert found.signer_kid == WORLD.signers["xa-csirt"].kid
    assert str(found.channel) == "xa-csirt/actual.green.community"
    assert (found.trust, found.labels) == ("fresh", frozenset())


def test_the_file_form_comes_to_the_same() -> None:
    """Wire and file carry the same signatures."""
    raw = file_form(GOOD.payload, dict(GOOD.headers)[SIG_HEADER])
    assert verify_file(raw, registry=WORLD.registry, now=NOW).digest == judged(GOOD).digest


def hybrid() -> tuple[VerifiedRegistry, FileSigner]:
    """A registry that requires ML-DSA-65 beside Ed25519 of one authority, and the second key."""
    second = FileSigner.generate("ML-DSA-65")
    record = WORLD.registry.document.authorities["xa-csirt"]
    keys = {**record.keys, second.kid: key_record(second)}
    record = msgspec.structs.replace(record, keys=keys, require=("Ed25519", "ML-DSA-65"))
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    raw = signed_registry(proposals.add_authority(document, "xa-csirt", record), WORLD.roots)
    return WORLD.registry.update(raw, NOW), second


def test_a_required_second_signature_cannot_be_stripped() -> None:
    """Both are admitted; either alone is refused."""
    registry, second = hybrid()
    entries = [sign_entry(signer, GOOD.payload, within()) for signer in (WORLD.signers["xa-csirt"], second)]
    assert judged(with_header(GOOD, format_header(tuple(entries))), registry=registry).signer_kid
    for entry in entries:
        with pytest.raises(AdmissionError) as refused:
            judged(with_header(GOOD, format_header((entry,))), registry=registry)
        assert refused.value.reason == "signature-policy"


def test_endorsements_count_unknown_ones_do_not_and_bad_ones_are_told() -> None:
    """A good co-signature is named, an unknown one is ignored, a bad one is dropped and reported."""
    mine = sign_entry(WORLD.signers["xa-csirt"], GOOD.payload, within())
    theirs = sign_entry(WORLD.signers["xb-csirt"], GOOD.payload, within())
    stranger = sign_entry(FileSigner.generate(), GOOD.payload, within())
    bad = msgspec.structs.replace(theirs, signature=bytes(64))
    found = judged(with_header(GOOD, format_header((mine, theirs, stranger))))
    assert (found.endorsers, found.dropped_endorsements) == (("xb-csirt",), ())
    found = judged(with_header(GOOD, format_header((mine, bad))))
    assert (found.endorsers, found.dropped_endorsements) == ((), ("xb-csirt",))
    with pytest.raises(AdmissionError) as refused:
        judged(with_header(GOOD, format_header((msgspec.structs.replace(mine, signature=bytes(64)), theirs))))
    assert refused.value.reason == "bad-signature"


def test_co_issuers_are_named_but_not_confirmed_until_they_sign() -> None:
    """A label says so, and a co-signature takes it away."""
    other = WORLD.registry.issuer("xb-csirt")
    made = bulletin(WORLD, co_issuers=(other,))
    message = sign(WORLD, made)
    assert judged(message).labels == {"co-issuers-unconfirmed"}
    entries = tuple(
        sign_entry(WORLD.signers[name], message.payload, within()) for name in ("xa-csirt", "xb-csirt")
    )
    assert judged(with_header(message, format_header(entries))).labels == frozenset()


def test_a_co_issuer_who_is_described_otherwise_is_dropped_and_told() -> None:
    """A signature does not count for a description that differs from the registry's, or that is incomplete."""
    listed = WORLD.registry.issuer("xb-csirt")
    for other in (
        msgspec.structs.replace(listed, name=None),
        msgspec.structs.replace(listed, name="Somebody else"),
    ):
        found = judged(endorsed(bulletin(WORLD, co_issuers=(other,)), WORLD.signers["xb-csirt"]))
        assert (found.endorsers, found.dropped_endorsements) == ((), ("xb-csirt",))
        assert "co-issuers-unconfirmed" in found.labels


def test_a_co_issuer_of_another_kind_than_the_registry_says_is_refused() -> None:
    """Otherwise it would be shown under a wrong kind."""
    listed = WORLD.registry.issuer("xb-csirt")
    other = msgspec.structs.replace(listed, kind="police")
    with pytest.raises(AdmissionError, match="csirt of XB") as refused:
        judged(endorsed(bulletin(WORLD, co_issuers=(other,)), WORLD.signers["xb-csirt"]))
    assert refused.value.reason == "not-permitted"


def endorsed(made: Bulletin, *others: FileSigner, iat: int | None = None) -> Message:
    """A bulletin of xa-csirt with co-signatures."""
    message = sign(WORLD, made)
    entries = [sign_entry(WORLD.signers["xa-csirt"], message.payload, within())]
    entries += [sign_entry(each, message.payload, within(), iat=iat) for each in others]
    return with_header(message, format_header(tuple(entries)))


def test_a_co_signature_must_have_what_the_registry_requires_of_its_authority() -> None:
    """The same holds as for an issuer: either signature alone is ignored and reported; one by a revoked key counts as none."""
    registry, second = hybrid()
    made = bulletin(WORLD, "xb-csirt")
    entries = {
        name: sign_entry(signer, encode(made), within())
        for name, signer in (
            ("issuer", WORLD.signers["xb-csirt"]),
            ("one", WORLD.signers["xa-csirt"]),
            ("two", second),
        )
    }
    for names, stands in ((("one", "two"), True), (("one",), False), (("two",), False)):
        value = format_header((entries["issuer"], *(entries[name] for name in names)))
        found = judged(with_header(sign(WORLD, made), value), registry=registry)
        named = (("xa-csirt",), ()) if stands else ((), ("xa-csirt",))
        assert (found.endorsers, found.dropped_endorsements) == named


@pytest.mark.parametrize(
    ("later", "off", "stands"),
    [(0, 0, True), (0, -300, True), (0, -301, False), (0, 300, True), (0, 301, False),
     (3600, 3600, True), (3600, 3900, True), (3600, 3901, False), (-60, 240, True)],
)  # fmt: skip
def test_a_co_signature_is_made_after_the_issue_and_not_ahead_of_the_clock(
    later: int, off: int, stands: bool
) -> None:
    """By its own word, `iat`: a later endorsement counts, one dated back or forward does not."""
    message = endorsed(GOOD.bulletin, WORLD.signers["xb-csirt"], iat=int(NOW.timestamp()) + off)
    found = judged(message, now=NOW + dt.timedelta(seconds=later))
    named = (("xb-csirt",), ()) if stands else ((), ("xb-csirt",))
    assert (found.endorsers, found.dropped_endorsements) == named


@pytest.mark.parametrize(
    ("iat", "begins", "stands"), [(None, 1, False), (None, 0, True), (3600, 1, True), (3600, 3601, False)]
)
def test_a_co_signature_is_made_in_the_window_of_its_key(iat: int | None, begins: int, stands: bool) -> None:
    """At its `iat`, else when the bulletin was issued: a key that came later does not speak for that time."""
    key = FileSigner.generate()
    record = key_record(key, not_before=NOW + dt.timedelta(seconds=begins))
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    raw = signed_registry(add_key(document, "xb-csirt", record), WORLD.roots)
    registry = WORLD.registry.update(raw, NOW)
    signed_at = None if iat is None else int(NOW.timestamp()) + iat
    message = endorsed(GOOD.bulletin, key, iat=signed_at)
    found = judged(message, registry=registry, now=NOW + dt.timedelta(hours=2))
    named = (("xb-csirt",), ()) if stands else ((), ("xb-csirt",))
    assert (found.endorsers, found.dropped_endorsements) == named


def test_a_signing_time_that_is_not_the_time_of_issue_is_refused() -> None:
    """`iat` far from `issued` is a back-dated seal."""
    for off, stands in ((0, True), (299, True), (301, False)):
        entry = sign_entry(WORLD.signers["xa-csirt"], GOOD.payload, within(), iat=int(NOW.timestamp()) + off)
        message = with_header(GOOD, format_header((entry,)))
        if stands:
            judged(message)
            continue
        with pytest.raises(AdmissionError) as refused:
            judged(message)
        assert refused.value.reason == "key-not-valid"


def test_history_is_labelled_never_refused_for_its_age() -> None:
    """Late and expired are labels; an expired registry is one too."""
    year = NOW + dt.timedelta(days=200)
    found = judged(GOOD, now=year)
    assert found.labels == {"late", "expired"}
    assert found.trust == "expired"


def test_the_future_says_when_to_come_back() -> None:
    """Ahead by more than five minutes waits; by less is fine."""
    judged(sign(WORLD, bulletin(WORLD, issued=NOW + dt.timedelta(minutes=4))))
    ahead = NOW + dt.timedelta(hours=1)
    with pytest.raises(AdmissionError) as refused:
        judged(sign(WORLD, bulletin(WORLD, issued=ahead)))
    assert refused.value.reason == "from-the-future"
    assert refused.value.retry_at == ahead - dt.timedelta(minutes=5)


def test_what_its_issuer_signed_keeps_its_place_when_refused() -> None:
    """A rule broken by the true issuer still holds a link; another's forgery holds none."""
    with pytest.raises(AdmissionError) as refused:
        judged(sign(WORLD, bulletin(WORLD, expires=NOW)))
    assert refused.value.place is not None
    assert refused.value.place.seq == 1
    with pytest.raises(AdmissionError) as refused:
        judged(sign(WORLD, bulletin(WORLD), by="xb-csirt"))
    assert refused.value.place is None


PARTS = ("subject", "payload", "header", "hint", "name")
OTHERS = (
    GOOD,
    sign(WORLD, bulletin(WORLD, "xb-csirt")),
    sign(WORLD, bulletin(WORLD, tlp=Tlp.CLEAR, audience="public")),
)
"""What a mutation may borrow from: other messages that stand, each by itself."""


@st.composite
def spliced(draw: st.DrawFn, old: bytes, others: tuple[bytes, ...]) -> bytes:
    """The bytes with a few changed, some cut out or doubled, or a piece of another message put in."""
    start = draw(st.integers(0, len(old) - 1))
    end = draw(st.integers(start + 1, min(len(old), start + 40)))
    how = draw(st.sampled_from(["bytes", "cut", "double", "case", "borrow", "bit"]))
    piece = old[start:end]
    if how == "bytes":
        piece = draw(st.binary(max_size=4))
    elif how == "cut":
        piece = b""
    elif how == "double":
        piece = piece * 2
    elif how == "case":
        piece = piece.swapcase()
    elif how == "borrow":
        other = draw(st.sampled_from(others))
        piece = other[start:end]
    elif piece:
        piece = bytes([piece[0] ^ 1 << draw(st.integers(0, 7))]) + piece[1:]
    return old[:start] + piece + old[end:]


def text_of(message: Message, part: str) -> bytes:
    """The bytes of one part of a message."""
    headers = dict(message.headers)
    texts = {"subject": message.subject, "header": headers[SIG_HEADER], "hint": message.bulletin.id}
    return message.payload if part == "payload" else texts.get(part, SIG_HEADER).encode()


def test_a_mutated_message_is_refused_or_means_the_same(mutations: Mutations) -> None:
    """For any change of subject, headers or payload nothing else is admitted, and only AdmissionError is raised."""
    refusals: Counter[str] = Counter()

    def mutate(data: st.DataObject) -> None:
        parts = data.draw(st.lists(st.sampled_from(PARTS), min_size=1, max_size=2, unique=True))
        new = {
            part: data.draw(spliced(text_of(GOOD, part), tuple(text_of(each, part) for each in OTHERS)))
            if part in parts
            else text_of(GOOD, part)
            for part in PARTS
        }
        headers = [
            (new["name"].decode("latin-1"), new["header"].decode("latin-1")),
            ("ce-id", new["hint"].decode("latin-1")),
        ]
        try:
            found = admit(
                new["subject"].decode("latin-1"), headers, new["payload"], registry=WORLD.registry, now=NOW
            )
        except AdmissionError as refused:
            refusals[refused.reason] += 1
            assert refused.reason in REASONS
            assert refused.place is None or refused.place.digest == GOOD.digest
        else:
            refusals["admitted"] += 1
            assert (found.bulletin, found.subject, found.payload) == (
                GOOD.bulletin,
                GOOD.subject,
                GOOD.payload,
            )
            assert found.signer_kid == WORLD.signers["xa-csirt"].kid

    mutations.run(st.data(), 500, mutate)
    assert {"bad-signature", "malformed-envelope", "misaddressed", "hint-mismatch"} <= set(refusals)


def test_a_validly_signed_mutation_says_what_its_bytes_say(mutations: Mutations) -> None:
    """An insider's key over spoilt bytes comes to a decision; what is admitted is within its grant and reads alike."""
    outcomes: Counter[str] = Counter()
    pool = tuple(each.payload for each in OTHERS)

    def mutate(data: st.DataObject) -> None:
        payload = data.draw(spliced(GOOD.payload, pool))
        entry = sign_entry(WORLD.signers["xa-csirt"], payload, within())
        pairs = [(SIG_HEADER, format_header((entry,)))]
        try:
            found = admit(GOOD.subject, pairs, payload, registry=WORLD.registry, now=NOW)
        except AdmissionError as refused:
            reason = "rule:R<n>" if refused.reason.startswith("rule:") else refused.reason
            outcomes[reason] += 1
            assert reason in REASONS
            return
        outcomes["admitted"] += 1
        assert found.bulletin.issuer == GOOD.bulletin.issuer
        assert subject_for(found.bulletin) == GOOD.subject
        members = json.loads(payload)
        assert members["id"] == found.bulletin.id
        assert json.loads(encode(found.bulletin)).items() <= members.items()
        WORLD.registry.permit(found.bulletin)

    mutations.run(st.data(), 400, mutate)
    assert outcomes["admitted"] > 0
    assert {"schema", "malformed-payload"} <= set(outcomes)


def test_a_mutated_batch_is_refused_or_means_the_same(mutations: Mutations) -> None:
    """Entries of batches, spliced with each other and with single ones: what is admitted has the one spelling that came."""
    signer = WORLD.signers["xa-csirt"]
    values = [
        format_header(in_a_batch(GOOD.payload, signer, size=size, index=index))
        for size, index in ((2, 0), (2, 1), (5, 1), (5, 4), (63, 62), (64, 62))
    ]
    values += [format_header(in_a_batch(each.payload, signer)) for each in OTHERS]
    values.append(format_header((sign_entry(signer, GOOD.payload, within()),)))
    good, outcomes = set(values), Counter[str]()
    pool = tuple(value.encode() for value in values)

    def mutate(data: st.DataObject) -> None:
        value = data.draw(spliced(data.draw(st.sampled_from(pool)), pool)).decode("latin-1")
        try:
            found = admit(GOOD.subject, [(SIG_HEADER, value)], GOOD.payload, registry=WORLD.registry, now=NOW)
        except AdmissionError as refused:
            outcomes[refused.reason] += 1
            assert refused.reason in REASONS
        else:
            outcomes["admitted"] += 1
            assert found.signature == value
            assert found.digest == GOOD.digest
            assert value in good

    mutations.run(st.data(), 400, mutate)
    assert {"bad-signature", "malformed-envelope", "admitted"} <= set(outcomes)


def test_a_mutated_file_is_refused_or_means_the_same(mutations: Mutations) -> None:
    """The file form has spaces and an order of members to play with, and still only one meaning."""
    raws = tuple(file_form(each.payload, dict(each.headers)[SIG_HEADER]) for each in OTHERS)
    outcomes: Counter[str] = Counter()

    def mutate(raw: bytes) -> None:
        try:
            found = verify_file(raw, registry=WORLD.registry, now=NOW)
        except AdmissionError as refused:
            outcomes[refused.reason] += 1
            assert refused.reason in REASONS
        else:
            outcomes["admitted"] += 1
            assert (found.bulletin, found.payload) == (GOOD.bulletin, GOOD.payload)

    mutations.run(spliced(raws[0], raws), 300, mutate)
    assert {"bad-signature", "malformed-envelope"} <= set(outcomes)


def test_sizes_are_bounded_before_anything_is_read() -> None:
    """A payload and a header a byte above their bound are refused for their size, however they are signed."""
    payload = GOOD.payload[:1] + b" " * (MAX_PAYLOAD_BYTES + 1 - len(GOOD.payload)) + GOOD.payload[1:]
    assert len(payload) == MAX_PAYLOAD_BYTES + 1
    for message in (
        sign(WORLD, payload, by="xa-csirt"),
        with_header(GOOD, "A" * (MAX_HEADER_BYTES + 1)),
    ):
        with pytest.raises(AdmissionError) as refused:
            judged(message)
        assert refused.value.reason == "too-large"
    judged(sign(WORLD, payload[:1] + payload[2:], by="xa-csirt"))


def test_a_flood_of_unknown_keys_costs_no_memory_and_no_decision() -> None:
    """Unknown keys are looked up and forgotten: the registry is unchanged, and the next good message is admitted."""
    before = len(WORLD.registry._keys)
    value = dict(GOOD.headers)[SIG_HEADER]
    protected, _, signature = value.partition("..")
    header = json.loads(unb64u(protected))
    for n in range(2000):
        odd = b64u(json.dumps({**header, "kid": b64u(hashlib.sha256(b"%d" % n).digest())}).encode())
        with pytest.raises(AdmissionError) as refused:
            judged(with_header(GOOD, f"{odd}..{signature}"))
        assert refused.value.reason == "unknown-key"
    assert len(WORLD.registry._keys) == before
    judged(GOOD)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_wrong_shows_and_loses_nothing(days: int) -> None:
    """A fast clock adds a label; a slow clock makes it wait until the stated time; a right clock admits the same bytes."""
    wrong = NOW + dt.timedelta(days=days)
    if days > 0:
        assert judged(GOOD, now=wrong).labels == {"late"}
    else:
        with pytest.raises(AdmissionError) as refused:
            judged(GOOD, now=wrong)
        assert refused.value.reason == "from-the-future"
        assert refused.value.retry_at is not None
        assert wrong < refused.value.retry_at <= NOW
        assert judged(GOOD, now=refused.value.retry_at).labels == frozenset()
    assert judged(GOOD).labels == frozenset()


def test_a_registry_swapped_between_two_messages_judges_only_what_follows() -> None:
    """A registry is immutable: who holds the old one decides as before, the new one refuses the revoked key."""
    record = WORLD.registry.document.authorities["xa-csirt"]
    (kid,) = record.keys
    revoked = msgspec.structs.replace(record.keys[kid], revoked_since=NOW)
    document = ceremony.next_version(
        WORLD.registry.document, WORLD.registry.digest, NOW, dt.timedelta(days=90)
    )
    document = proposals.add_authority(
        document, "xa-csirt", msgspec.structs.replace(record, keys={kid: revoked})
    )
    newer = WORLD.registry.update(signed_registry(document, WORLD.roots), NOW)
    judged(GOOD)
    with pytest.raises(AdmissionError) as refused:
        judged(GOOD, registry=newer)
    assert refused.value.reason == "key-revoked"
    judged(GOOD)


TOKENS: dict[str, Callable[[str], dict[str, object]]] = {
    "status": lambda odd: {"status": odd},
    "tlp": lambda odd: {"tlp": odd},
    "audience": lambda odd: {"audience": odd},
    "issuer": lambda odd: {"issuer": {**json.loads(GOOD.payload)["issuer"], "id": f"xa-{odd}"}},
    "country": lambda odd: {"issuer": {**json.loads(GOOD.payload)["issuer"], "country": odd}},
    "domain": lambda odd: {"issuer": {**json.loads(GOOD.payload)["issuer"], "domain": odd}},
    "kind": lambda odd: {"body": {**json.loads(GOOD.payload)["body"], "kind": odd}},
    "area": lambda odd: {"areas": [{"scope": "country", "country": odd}]},
    "election": lambda odd: {"election": {"id": odd, "type": "parliamentary", "phase": "polling"}},
    "severity": lambda odd: {"severity": odd},
}


@pytest.mark.parametrize("odd", ["*", ">", "a.b", "", "xa\n", "x\x00a", "XA ", "\u0445a", "x" * 300])
@pytest.mark.parametrize("token", TOKENS)
def test_no_token_of_a_subject_can_be_smuggled(token: str, odd: str) -> None:
    """Wildcards, points, line ends and look-alikes in a value for a token do not decode, even if well signed."""
    payload = json.dumps({**json.loads(GOOD.payload), **TOKENS[token](odd)}).encode()
    entry = sign_entry(WORLD.signers["xa-csirt"], payload, within())
    with pytest.raises(AdmissionError) as refused:
        admit(
            GOOD.subject, [(SIG_HEADER, format_header((entry,)))], payload, registry=WORLD.registry, now=NOW
        )
    assert refused.value.reason == "schema"
