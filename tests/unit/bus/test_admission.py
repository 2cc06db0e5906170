"""Admission beyond the vectors: hybrid signatures, co-signatures, places, and whatever a mutation can do."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus import ceremony
from bus.admission import REASONS, Admitted, admit, verify_file
from bus.errors import AdmissionError
from bus.signing import FileSigner, sign_entry
from bus.trust import VerifiedRegistry
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, format_header, parse_header, write_signed
from schemas.parts import Authority
from schemas.subject import subject_for
from schemas.vocab import Domain
from tests.worlds import NOW, Message, World, bulletin, key_record, shared_world, sign, signed_registry

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
    """What an authority signs within its grant is admitted."""
    found = judged(GOOD)
    assert found.signer_kid == WORLD.signers["xa-csirt"].kid
    assert str(found.channel) == "xa-csirt/actual.green.community"
    assert (found.trust, found.labels) == ("fresh", frozenset())


def test_the_file_form_comes_to_the_same() -> None:
    """Wire and file carry the same signatures."""
    raw = write_signed(GOOD.payload, parse_header(dict(GOOD.headers)[SIG_HEADER]))
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
    raw = signed_registry(ceremony.add_authority(document, "xa-csirt", record), WORLD.roots)
    return WORLD.registry.update(raw, NOW), second


def test_a_required_second_signature_cannot_be_stripped() -> None:
    """Both are admitted; either alone is refused."""
    registry, second = hybrid()
    entries = [
        sign_entry(signer, GOOD.payload, typ=TYP_BULLETIN) for signer in (WORLD.signers["xa-csirt"], second)
    ]
    assert judged(with_header(GOOD, format_header(tuple(entries))), registry=registry).signer_kid
    for entry in entries:
        with pytest.raises(AdmissionError) as refused:
            judged(with_header(GOOD, format_header((entry,))), registry=registry)
        assert refused.value.reason == "signature-policy"


def test_endorsements_count_unknown_ones_do_not_and_bad_ones_are_told() -> None:
    """A co-signature that stands is named, an unknown one is nothing, a bad one is dropped and reported."""
    mine = sign_entry(WORLD.signers["xa-csirt"], GOOD.payload, typ=TYP_BULLETIN)
    theirs = sign_entry(WORLD.signers["xb-csirt"], GOOD.payload, typ=TYP_BULLETIN)
    stranger = sign_entry(FileSigner.generate(), GOOD.payload, typ=TYP_BULLETIN)
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
    other = Authority(id="xb-csirt", kind="csirt", domain=Domain.CYBER, country="XB")
    made = bulletin(WORLD, co_issuers=(other,))
    message = sign(WORLD, made)
    assert judged(message).labels == {"co-issuers-unconfirmed"}
    entries = tuple(
        sign_entry(WORLD.signers[name], message.payload, typ=TYP_BULLETIN)
        for name in ("xa-csirt", "xb-csirt")
    )
    assert judged(with_header(message, format_header(entries))).labels == frozenset()


def test_a_signing_time_that_is_not_the_time_of_issue_is_refused() -> None:
    """`iat` far from `issued` is a back-dated seal."""
    for off, stands in ((0, True), (299, True), (301, False)):
        entry = sign_entry(
            WORLD.signers["xa-csirt"], GOOD.payload, typ=TYP_BULLETIN, iat=int(NOW.timestamp()) + off
        )
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


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_mutated_message_is_never_admitted(data: st.DataObject) -> None:
    """Any change of payload, header or subject is refused with a listed reason, and nothing else escapes."""
    value = dict(GOOD.headers)[SIG_HEADER]
    part = data.draw(st.sampled_from(["payload", "header", "subject"]))
    old = {"payload": GOOD.payload, "header": value.encode(), "subject": GOOD.subject.encode()}[part]
    place = data.draw(st.integers(0, len(old)))
    new = old[:place] + data.draw(st.binary(max_size=4)) + old[place + data.draw(st.integers(0, 4)) :]
    if new == old:
        return
    subject = new.decode("latin-1") if part == "subject" else GOOD.subject
    header = new.decode("latin-1") if part == "header" else value
    payload = new if part == "payload" else GOOD.payload
    with pytest.raises(AdmissionError) as refused:
        admit(subject, [(SIG_HEADER, header)], payload, registry=WORLD.registry, now=NOW)
    reason = "rule:R<n>" if refused.value.reason.startswith("rule:") else refused.value.reason
    assert reason in REASONS


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_validly_signed_mutation_is_admitted_or_refused(data: st.DataObject) -> None:
    """Even an insider's key over spoilt bytes comes to a decision, never to a crash."""
    old = encode(GOOD.bulletin)
    place = data.draw(st.integers(0, len(old) - 1))
    payload = old[:place] + data.draw(st.binary(min_size=1, max_size=3)) + old[place + 1 :]
    entry = sign_entry(WORLD.signers["xa-csirt"], payload, typ=TYP_BULLETIN)
    try:
        found = admit(
            GOOD.subject, [(SIG_HEADER, format_header((entry,)))], payload, registry=WORLD.registry, now=NOW
        )
    except AdmissionError as refused:
        assert refused.reason
    else:
        assert subject_for(found.bulletin) == GOOD.subject
