"""Passkeys: what a device answers, honest or not, is judged by the challenge, the place and the key; each refusal is a sentence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor
from fido2.cose import ES256
from fido2.utils import websafe_encode
from fido2.webauthn import Aaguid, AttestationObject, AttestedCredentialData, AuthenticatorData
from hypothesis import example, given
from hypothesis import strategies as st

from bus.console.people import SignInError
from bus.console.signing import passkeys, webauthn
from bus.console.signing.webauthn import MOST_ANSWER, Place
from tests.support.consoles import numbers

HERE = Place("https", "console.example")
CHALLENGE = b"c" * 32
ID = b"one of its keys"
PRESENT, VERIFIED, HAS_KEY = AuthenticatorData.FLAG.UP, AuthenticatorData.FLAG.UV, AuthenticatorData.FLAG.AT
KEY = ec.derive_private_key(7, ec.SECP256R1())
OTHER = ec.derive_private_key(8, ec.SECP256R1())


class Device(NamedTuple):
    """A device, and what is odd with it."""

    origin: str = HERE.origin
    challenge: bytes = CHALLENGE
    kind: str = ""
    flags: AuthenticatorData.FLAG = PRESENT | VERIFIED
    rp: str = HERE.host
    key: ec.EllipticCurvePrivateKey = KEY
    id: bytes = ID
    algorithm: int = -7
    uses: int = 1

    def _client_data(self, kind: str) -> bytes:
        told = {"type": self.kind or kind, "challenge": websafe_encode(self.challenge), "origin": self.origin}
        return json.dumps(told).encode()

    def _answer(self, client_data: bytes, **response: bytes) -> str:
        parts = {"clientDataJSON": client_data, **response}
        told: dict[str, Any] = {
            "id": websafe_encode(self.id),
            "rawId": websafe_encode(self.id),
            "type": "public-key",
        }
        told |= {"response": {name: websafe_encode(value) for name, value in parts.items()}}
        return json.dumps(told | {"clientExtensionResults": {}})

    def credential(self) -> AttestedCredentialData:
        """Its public key."""
        public = ES256.from_cryptography_key(self.key.public_key())  # type: ignore[no-untyped-call]
        return AttestedCredentialData.create(Aaguid(bytes(16)), self.id, {**public, 3: self.algorithm})  # type: ignore[arg-type]

    def made(self) -> str:
        """The answer with a new passkey."""
        flags = self.flags | HAS_KEY
        hashed = hashlib.sha256(self.rp.encode()).digest()
        data = AuthenticatorData.create(hashed, flags, self.uses, self.credential())
        whole = AttestationObject.create("none", data, {})
        return self._answer(self._client_data("webauthn.create"), attestationObject=bytes(whole))

    def used(self) -> str:
        """The answer that signs."""
        data = AuthenticatorData.create(hashlib.sha256(self.rp.encode()).digest(), self.flags, self.uses)
        client_data = self._client_data("webauthn.get")
        signed = bytes(data) + hashlib.sha256(client_data).digest()
        signature = self.key.sign(signed, ec.ECDSA(hashes.SHA256()))
        return self._answer(client_data, authenticatorData=bytes(data), signature=signature)


def test_an_honest_device_is_taken() -> None:
    """What it has made is kept, and what it signs later is verified by that alone."""
    made = webauthn.made(HERE, Device().made(), CHALLENGE)
    assert (made.id, made.uses) == (ID, 1)
    answer = Device(uses=5).used()
    assert webauthn.named(answer) == ID
    assert webauthn.used(HERE, answer, CHALLENGE, made.credential) == 5


ODD = {
    "another site": Device(origin="https://evil.example"),
    "a part of this site": Device(origin="https://a.console.example"),
    "without TLS": Device(origin="http://console.example"),
    "another port": Device(origin="https://console.example:8443"),
    "another challenge": Device(challenge=b"d" * 32),
    "another kind of answer": Device(kind="payment.get"),
    "nobody was there": Device(flags=VERIFIED),
    "it did not ask who": Device(flags=PRESENT),
    "bound to another name": Device(rp="evil.example"),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_device_makes_and_uses_none(name: str) -> None:
    """By its first answer and by each later one."""
    credential = bytes(Device().credential())
    with pytest.raises(SignInError) as refused:
        webauthn.made(HERE, ODD[name].made(), CHALLENGE)
    assert refused.value.reason == "passkey-refused"
    with pytest.raises(SignInError) as refused:
        webauthn.used(HERE, ODD[name].used(), CHALLENGE, credential)
    assert refused.value.reason == "passkey-refused"


def test_another_key_signs_for_nobody() -> None:
    """Nor does a key with another id; nor is one of an unknown kind kept."""
    credential = bytes(Device().credential())
    for device in (Device(key=OTHER), Device(id=b"another")):
        with pytest.raises(SignInError):
            webauthn.used(HERE, device.used(), CHALLENGE, credential)
    with pytest.raises(SignInError, match="kind"):
        webauthn.made(HERE, Device(algorithm=-65_000).made(), CHALLENGE)


MALFORMED = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"rawId": 1}',
    '{"response": {}}',
    "x" * (MOST_ANSWER + 1),
    "[" * 5000,
    '{"a": "\\ud800"}',
]


@pytest.mark.parametrize("text", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_answer_is_refused(text: str) -> None:
    """In a sentence, whatever it is."""
    asked: tuple[Callable[[], object], ...] = (
        lambda: webauthn.made(HERE, text, CHALLENGE),
        lambda: webauthn.named(text),
        lambda: webauthn.used(HERE, text, CHALLENGE, bytes(Device().credential())),
    )
    for each in asked:
        with pytest.raises(SignInError) as refused:
            each()
        assert refused.value.reason == "passkey-refused"


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=20) | st.binary(max_size=60).map(websafe_encode),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("inner", [10**12, "text", {}])
def test_a_number_is_no_size(inner: Any) -> None:
    """What a device has made with a number in place of its data takes no memory."""
    told = json.loads(Device().made())
    whole = cbor.encode({"fmt": "none", "authData": inner, "attStmt": {}})
    told["response"]["attestationObject"] = websafe_encode(whole)
    with pytest.raises(SignInError) as refused:
        webauthn.made(HERE, json.dumps(told), CHALLENGE)
    assert refused.value.reason == "passkey-refused"


MEMBERS = ["id", "rawId", "type", "clientDataJSON", "attestationObject", "authenticatorData", "signature"]
SIGNED = ["type", "challenge", "origin", "crossOrigin"]


@given(member=st.sampled_from(MEMBERS + SIGNED), junk=JUNK, is_made=st.booleans(), is_signed=st.booleans())
@example(member="clientDataJSON", junk=10**12, is_made=False, is_signed=False)
@example(member="challenge", junk=10**12, is_made=True, is_signed=True)
def test_no_answer_breaks_anything(member: str, junk: object, *, is_made: bool, is_signed: bool) -> None:
    """Any member of an answer, or of what its browser had signed, as any value of JSON: a verdict or a refusal."""
    told = json.loads(Device().made() if is_made else Device().used())
    if is_signed:
        signed = {
            "type": "webauthn.get",
            "challenge": websafe_encode(CHALLENGE),
            "origin": HERE.origin,
            member: junk,
        }
        told["response"]["clientDataJSON"] = websafe_encode(json.dumps(signed).encode())
    else:
        (told if member in told else told["response"])[member] = junk
    text = json.dumps(told)
    try:
        if is_made:
            webauthn.made(HERE, text, CHALLENGE)
        else:
            webauthn.named(text)
            webauthn.used(HERE, text, CHALLENGE, bytes(Device().credential()))
    except SignInError as problem:
        assert problem.reason == "passkey-refused"


@pytest.mark.parametrize(
    ("scheme", "netloc", "takes"),
    [
        ("https", "console.example", True), ("https", "console.example:8443", True), ("http", "localhost:8765", True),
        ("http", "console.example", False), ("http", "127.0.0.1:8765", False), ("https", "192.0.2.1", False),
        ("http", "[::1]:8765", False), ("https", "[2001:db8::1]", False),
    ],
)  # fmt: skip
def test_passkeys_need_a_name_and_a_safe_line(scheme: str, netloc: str, *, takes: bool) -> None:
    """As browsers have it: TLS, or this machine by its name."""
    assert Place(scheme, netloc).takes_passkeys == takes


def test_a_challenge_is_good_once_and_for_five_minutes() -> None:
    """For the page that asked, and no other; of many the oldest go."""
    challenges = passkeys.Challenges(numbers())
    first = challenges.begin("a page", 0.0)
    assert challenges.begin("a page", 1.0) != first
    for secret, at in (("another page", 2.0), ("", 2.0), ("a page", 1.0 + passkeys.LASTS_S), ("a page", 2.0)):
        with pytest.raises(SignInError) as refused:
            challenges.end(secret, at)
        assert refused.value.reason == "passkey-late"
    kept = challenges.begin("kept", 0.0)
    assert challenges.end("kept", 1.0) == kept
    for number in range(passkeys.MOST_CHALLENGES + 1):
        challenges.begin(str(number), 0.0)
    with pytest.raises(SignInError):
        challenges.end("0", 1.0)
    assert challenges.end("1", 1.0)
