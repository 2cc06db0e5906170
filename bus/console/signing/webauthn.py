"""What a browser is asked for a passkey, and what it answers: verified with fido2. Pure, but for the random challenge.

Source: W3C Web Authentication, Level 2, sections 7.1 and 7.2. Each check of an answer is the library's; bounds and refusals are here.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import ipaddress
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from bus.console.people import SignInError

if TYPE_CHECKING:
    from fido2.server import Fido2Server

PACKAGE = "fido2"
MOST_ANSWER = 16_384
_FAULTS = (
    ValueError, TypeError, KeyError, IndexError, AttributeError, AssertionError, NotImplementedError,
    OverflowError, RecursionError, struct.error,
)  # fmt: skip
"""What the library raises for answers that it cannot read."""


class Place(NamedTuple):
    """Where the browser is: the scheme, and the host with its port."""

    scheme: str
    netloc: str

    @property
    def host(self) -> str:
        """The name to which passkeys are bound."""
        return self.netloc.rpartition(":")[0] if self.netloc.rpartition(":")[2].isdecimal() else self.netloc

    @property
    def origin(self) -> str:
        """As a browser writes it."""
        return f"{self.scheme}://{self.netloc}"

    @property
    def takes_passkeys(self) -> bool:
        """Whether a browser makes and uses passkeys here: for a name, over TLS or on one's own machine."""
        try:
            ipaddress.ip_address(self.host.strip("[]"))
        except ValueError:
            return self.scheme == "https" or self.host == "localhost"
        return False


class Made(NamedTuple):
    """A passkey that a device has made: its id, its public key as it is kept, and how often it says it was used."""

    id: bytes
    credential: bytes
    uses: int


class _Answer(msgspec.Struct, frozen=True):
    """What a device answers, in base64url."""

    rawId: str  # noqa: N815 (as browsers have it)
    response: dict[str, str]


class _ClientData(msgspec.Struct, frozen=True):
    """What a browser has had signed."""

    type: str
    challenge: str
    origin: str


def is_installed() -> bool:
    """Whether the extra is."""
    return importlib.util.find_spec(PACKAGE) is not None


def to_make(
    place: Place, hub: str, person: str, name: str, known: list[bytes], challenge: bytes
) -> dict[str, Any]:
    """What a browser is asked to make a passkey, as it stands in JSON.

    Args:
        place: where the browser is.
        hub: what the hub is called.
        person: the id of the person; a device gets a digest of it.
        name: as the device shows the person.
        known: the public keys of passkeys that the person has already.
        challenge: to be signed once.
    """
    from fido2.webauthn import (
        AttestedCredentialData,
        PublicKeyCredentialUserEntity,
        ResidentKeyRequirement,
        UserVerificationRequirement,
    )

    options, _ = _server(place, hub).register_begin(
        PublicKeyCredentialUserEntity(
            id=hashlib.sha256(person.encode()).digest(), name=person, display_name=name
        ),
        [AttestedCredentialData(each) for each in known],
        resident_key_requirement=ResidentKeyRequirement.REQUIRED,
        user_verification=UserVerificationRequirement.REQUIRED,
        challenge=challenge,
    )
    return dict(options)


def made(place: Place, answer: str, challenge: bytes) -> Made:
    """The passkey in an answer.

    Raises:
        SignInError: `passkey-refused`.
    """
    from fido2 import cbor
    from fido2.cose import CoseKey

    told = _read(answer)
    try:
        whole = cbor.decode(_bytes(told["response"]["attestationObject"]))
        if not isinstance(whole, dict) or not isinstance(whole.get("authData"), bytes):
            raise _refused("the answer cannot be read")
        data = _server(place, "").register_complete(_state(challenge), told)
        credential = data.credential_data
        if credential is None or credential.public_key.ALGORITHM not in CoseKey.supported_algorithms():
            raise _refused("it is of a kind that is not known here")
        return Made(credential.credential_id, bytes(credential), data.counter)
    except _FAULTS:
        raise _refused() from None


def to_use(place: Place, challenge: bytes) -> dict[str, Any]:
    """What a browser is asked to use a passkey, whichever it has for this place; as it stands in JSON."""
    from fido2.webauthn import UserVerificationRequirement

    options, _ = _server(place, "").authenticate_begin(
        user_verification=UserVerificationRequirement.REQUIRED, challenge=challenge
    )
    return dict(options)


def named(answer: str) -> bytes:
    """The id of the passkey that an answer is by; nothing is verified.

    Raises:
        SignInError: `passkey-refused`.
    """
    from fido2.webauthn import AuthenticationResponse

    try:
        return AuthenticationResponse.from_dict(_read(answer)).raw_id
    except _FAULTS:
        raise _refused() from None


def used(place: Place, answer: str, challenge: bytes, credential: bytes) -> int:
    """The count in an answer, once it was verified with a public key.

    Raises:
        SignInError: `passkey-refused`.
    """
    from fido2.webauthn import AttestedCredentialData, AuthenticationResponse

    try:
        response = AuthenticationResponse.from_dict(_read(answer))
        _server(place, "").authenticate_complete(
            _state(challenge), [AttestedCredentialData(credential)], response
        )
    except _FAULTS:
        raise _refused() from None
    return response.response.authenticator_data.counter


def _server(place: Place, hub: str) -> Fido2Server:
    from fido2.server import Fido2Server
    from fido2.webauthn import AttestationConveyancePreference, PublicKeyCredentialRpEntity

    return Fido2Server(
        PublicKeyCredentialRpEntity(id=place.host, name=hub or place.host),
        attestation=AttestationConveyancePreference.NONE,
        verify_origin=lambda origin: origin == place.origin,
    )


def _state(challenge: bytes) -> dict[str, Any]:
    from fido2.utils import websafe_encode

    return {"challenge": websafe_encode(challenge), "user_verification": "required"}


def _read(answer: str) -> dict[str, Any]:
    """An answer whose members are texts: the library takes a number for a size, and asks for that much memory.

    Raises:
        SignInError: `passkey-refused`.
    """
    if len(answer) > MOST_ANSWER:
        raise _refused("the answer is too long")
    try:
        told = msgspec.json.decode(answer, type=_Answer)
        msgspec.json.decode(_bytes(told.response["clientDataJSON"]), type=_ClientData)
    except (msgspec.DecodeError, UnicodeError, ValueError, KeyError):
        raise _refused("the answer cannot be read") from None
    return {"id": told.rawId, "rawId": told.rawId, "type": "public-key", "response": told.response}


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _refused(why: str = "it is not for this page, or its device has not asked who you are") -> SignInError:
    return SignInError(f"this passkey is not accepted: {why}", reason="passkey-refused")
