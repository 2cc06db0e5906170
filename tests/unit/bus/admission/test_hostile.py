"""Hostile messages of kinds that no other table has: order, repetition, borrowed keys and signatures, odd spellings."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from bus.admission.steps import Admitted, admit
from bus.keys.signatures import FileSigner, sign_entry
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, TYP_BULLETIN, TYP_REVOKE, b64u, format_header, signing_input
from tests.support.world import DOMAIN, NOW, Message, key_record, sign, within
from tests.unit.bus.admission.test_refusals import (
    GOOD,
    MINE,
    SECOND,
    THEIRS,
    TICK,
    TWO_KEYS,
    WORLD,
    bearing,
    entry,
    judged,
    keyed,
    refusal,
    registry_with,
    said,
    spoilt,
)

NOBODY = FileSigner.generate()
ROOT, BEACON = WORLD.roots[0], WORLD.beacon
HIS = WORLD.signers["xa-emb"]  # another authority of the same country
OTHER = said(expires=NOW + dt.timedelta(days=3))
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def under(value: str) -> Message:
    """The good one under a raw signature header."""
    return msgspec.structs.replace(GOOD, headers=((SIG_HEADER, value),))


def protected(signer: FileSigner = MINE, **members: object) -> str:
    """A whole signature whose protected header has these members beside the usual or in their place."""
    header = {
        "alg": signer.alg,
        "kid": signer.kid,
        "typ": TYP_BULLETIN,
        "domain": DOMAIN,
        **members,
    }
    text = b64u(json.dumps({name: value for name, value in header.items() if value is not None}).encode())
    return f"{text}..{b64u(signer.sign(signing_input(text, GOOD.payload)))}"


VALUE = format_header((entry(),))
THEIR_VALUE = format_header((entry(THEIRS),))

REFUSED: dict[str, tuple[Message, str]] = {
    "one signature twice": (bearing(GOOD, entry(), entry()), "malformed-envelope"),
    "one key twice, good and spoilt": (bearing(GOOD, entry(), spoilt(entry())), "malformed-envelope"),
    "one key twice, once under another algorithm": (
        under(f"{VALUE},{protected(alg='ES256')}"),
        "malformed-envelope",
    ),
    "an unknown key twice": (
        bearing(GOOD, entry(), entry(NOBODY), entry(NOBODY)),
        "malformed-envelope",
    ),
    "nine signatures": (
        bearing(GOOD, entry(), *(entry(FileSigner.generate()) for _ in range(8))),
        "too-large",
    ),
    "a comma behind": (under(f"{VALUE},"), "malformed-envelope"),
    "a comma before": (under(f",{VALUE}"), "malformed-envelope"),
    "a space between two": (under(f"{VALUE}, {THEIR_VALUE}"), "malformed-envelope"),
    "a line end behind": (under(f"{VALUE}\n"), "malformed-envelope"),
    "padding": (under(f"{VALUE}=="), "malformed-envelope"),
    "the payload attached": (under(VALUE.replace("..", f".{b64u(GOOD.payload)}.")), "malformed-envelope"),
    "no signature bytes": (under(VALUE.split("..")[0] + ".."), "malformed-envelope"),
    "a digit that is not ASCII": (under(VALUE[:-1] + "\u0663"), "malformed-envelope"),
    "no header value": (under(""), "malformed-envelope"),
    "alg none": (under(protected(alg="none")), "wrong-algorithm"),
    "an alg in another case": (under(protected(alg="ed25519")), "wrong-algorithm"),
    "the old name of the algorithm": (under(protected(alg="EdDSA")), "wrong-algorithm"),
    "a critical extension": (under(protected(crit=["exp"])), "malformed-envelope"),
    "a key within": (under(protected(jwk=MINE.jwk)), "malformed-envelope"),
    "a payload unencoded": (under(protected(b64=False)), "malformed-envelope"),
    "no type": (under(protected(typ=None)), "malformed-envelope"),
    "a type in another case": (under(protected(typ=TYP_BULLETIN.upper())), "unknown-type"),
    "a media type": (under(protected(typ=f"application/{TYP_BULLETIN}")), "unknown-type"),
    "a signing time before all time": (under(protected(iat=-1)), "malformed-envelope"),
    "a signing time with a fraction": (under(protected(iat=1.5)), "malformed-envelope"),
    "a signing time at the end of time": (under(protected(iat=2**53 - 1)), "key-not-valid"),
    "a statement's signature": (bearing(GOOD, entry(typ=TYP_REVOKE)), "unknown-type"),
    "a statement's signature beside a good one": (
        bearing(GOOD, entry(), entry(THEIRS, typ=TYP_REVOKE)),
        "unknown-type",
    ),
    "a root's signature": (bearing(GOOD, entry(ROOT)), "unknown-key"),
    "the beacon's signature": (bearing(GOOD, entry(BEACON)), "unknown-key"),
    "another office of its country": (bearing(GOOD, entry(HIS)), "wrong-issuer"),
    "every other authority, but not the issuer": (
        bearing(GOOD, entry(THEIRS), entry(HIS)),
        "wrong-issuer",
    ),
    "others, and a key that the next version may give to the issuer": (
        bearing(GOOD, entry(THEIRS), entry(ROOT)),
        "unknown-key",
    ),
    "its signature over another bulletin": (
        bearing(GOOD, entry(payload=OTHER.payload)),
        "bad-signature",
    ),
    "another's signature under its key id": (
        bearing(GOOD, msgspec.structs.replace(entry(), signature=entry(THEIRS).signature)),
        "bad-signature",
    ),
    "its signature cut by a byte": (
        bearing(GOOD, msgspec.structs.replace(entry(), signature=entry().signature[:-1])),
        "bad-signature",
    ),
    "its signature with a byte behind": (
        bearing(GOOD, msgspec.structs.replace(entry(), signature=entry().signature + b"\0")),
        "bad-signature",
    ),
    "two signature headers, the same": (
        msgspec.structs.replace(GOOD, headers=(*GOOD.headers, GOOD.headers[0])),
        "malformed-envelope",
    ),
    "a header whose name ends in a space": (
        msgspec.structs.replace(GOOD, headers=((f"{SIG_HEADER} ", VALUE),)),
        "malformed-envelope",
    ),
    "a line end behind the payload": (
        sign(WORLD, GOOD.payload + b"\n", by="xa-csirt", subject=GOOD.subject),
        "malformed-payload",
    ),
    "a subject in capitals": (
        msgspec.structs.replace(GOOD, subject=GOOD.subject.upper()),
        "misaddressed",
    ),
    "a subject with a token behind": (
        msgspec.structs.replace(GOOD, subject=f"{GOOD.subject}.x"),
        "misaddressed",
    ),
    "number nought": (said(seq=0), "schema"),
    "a hint twice, wrong first": (
        msgspec.structs.replace(GOOD, headers=(("CE-id", "x"), *GOOD.headers)),
        "hint-mismatch",
    ),
}


@pytest.mark.parametrize(("message", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_hostile_message_is_refused(message: Message, reason: str) -> None:
    """For its own reason, and without a place in a chain: none of these is its issuer's word in full."""
    refused = refusal(lambda: judged(message))
    assert (refused.reason, refused.place) == (reason, None)


ADMITTED: dict[str, Message] = {
    "the issuer's signature last": bearing(GOOD, entry(NOBODY), entry(THEIRS), entry()),
    "the issuer's signature first": bearing(GOOD, entry(), entry(THEIRS), entry(NOBODY)),
    "among keys of nobody, under any algorithm": under(
        ",".join((protected(NOBODY, alg="none"), THEIR_VALUE, VALUE))
    ),
    "with the header's name in another case": msgspec.structs.replace(
        bearing(GOOD, entry(THEIRS), entry()),
        headers=((SIG_HEADER.upper(), format_header((entry(THEIRS), entry()))),),
    ),
}


@pytest.mark.parametrize("message", ADMITTED.values(), ids=ADMITTED)
def test_order_and_strangers_change_nothing(message: Message) -> None:
    """The same bulletin by the same signer, with the same endorser."""
    admitted = judged(message)
    assert (admitted.bulletin, admitted.digest) == (GOOD.bulletin, GOOD.digest)
    assert (admitted.signer_kid, admitted.signer_kids) == (MINE.kid, (MINE.kid,))
    assert (admitted.endorsers, admitted.dropped_endorsements) == (("xb-csirt",), ())


def test_a_co_signature_under_another_algorithm_is_dropped() -> None:
    """The signature is by a known key and does not verify; the bulletin is admitted."""
    admitted = judged(under(f"{VALUE},{protected(THEIRS, alg='ES256')}"))
    assert (admitted.endorsers, admitted.dropped_endorsements) == ((), ("xb-csirt",))


def test_two_good_keys_of_the_issuer_name_the_first_that_is_required() -> None:
    """Of two keys of one algorithm the first one in the header is the signer, so only the header decides."""
    registry = registry_with(
        "xa-csirt", keys={each.kid: key_record(each) for each in (MINE, NOBODY)}, require=("Ed25519",)
    )
    for first, second in ((MINE, NOBODY), (NOBODY, MINE)):
        admitted = judged(bearing(GOOD, entry(first), entry(second)), registry)
        assert (admitted.signer_kid, admitted.signer_kids) == (first.kid, (first.kid, second.kid))


def test_the_second_spelling_of_an_ecdsa_signature_is_the_same_bulletin() -> None:
    """(r, n-s) fits as (r, s) does; the digest is of the payload, so it is a duplicate and no other bulletin."""
    assert isinstance(SECOND.private, ec.EllipticCurvePrivateKey)
    one = entry(SECOND)
    flipped = P256_ORDER - int.from_bytes(one.signature[32:])
    other = msgspec.structs.replace(one, signature=one.signature[:32] + flipped.to_bytes(32))
    admitted = [judged(bearing(GOOD, each), TWO_KEYS) for each in (one, other)]
    assert {each.digest for each in admitted} == {GOOD.digest}
    assert admitted[0].signature != admitted[1].signature


FIRST_MOMENT = dt.datetime(1, 1, 1, tzinfo=dt.UTC)
LAST_MOMENT = dt.datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC)
ALWAYS = keyed(not_before=FIRST_MOMENT, not_after=LAST_MOMENT)


def issued_at(moment: dt.datetime) -> Message:
    """The good one, issued at another moment and expired a moment later."""
    payload = encode(msgspec.structs.replace(GOOD.bulletin, issued=moment, expires=moment + TICK))
    return bearing(msgspec.structs.replace(GOOD, payload=payload), entry(payload=payload))


def test_the_ends_of_time_come_to_a_decision() -> None:
    """Under a key for all time, a bulletin of the first moment is late and one of the last waits; none overflows."""
    assert judged(issued_at(FIRST_MOMENT), ALWAYS).labels == {"late", "expired"}
    refused = refusal(lambda: judged(issued_at(LAST_MOMENT - TICK), ALWAYS))
    assert refused.reason == "from-the-future"
    assert refused.retry_at == LAST_MOMENT - TICK - dt.timedelta(minutes=5)


MOVES: dict[str, Callable[[bytes], bytes]] = {
    "a member renamed by an escape": lambda raw: raw.replace(b'"seq"', b'"s\\u0065q"', 1),
    "a space within": lambda raw: raw.replace(b'"seq":', b'"seq": ', 1),
    "members in another order": lambda raw: json.dumps(dict(reversed(json.loads(raw).items()))).encode(),
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES)
def test_the_same_content_in_other_bytes_is_another_bulletin(move: Callable[[bytes], bytes]) -> None:
    """The old signature does not fit it; freshly signed it has a digest of its own, so that it forks the chain."""
    payload = move(GOOD.payload)
    assert payload != GOOD.payload
    bare = msgspec.structs.replace(GOOD, payload=payload, headers=((SIG_HEADER, VALUE),))
    assert refusal(lambda: judged(bare)).reason == "bad-signature"
    again = bearing(bare, sign_entry(MINE, payload, within()))
    admitted: Admitted = admit(again.subject, again.headers, again.payload, registry=WORLD.registry, now=NOW)
    assert admitted.bulletin == GOOD.bulletin
    assert admitted.digest != GOOD.digest
