"""Signing keys that never leave a PKCS#11 token: a smart card, an HSM, SoftHSM2. Needs the extra `[hsm]`.

A PKCS#11 URI (RFC 7512) names a key at every place that takes a key file:

    pkcs11:token=NAME;object=LABEL;id=%01?module-path=/usr/lib/softhsm/libsofthsm2.so

The attributes `token` or `serial`, `object` or `id`, and `module-path` count. The PIN is the one line of a secret
file, never part of the address. Ed25519 is RFC 8032 by CKM_EDDSA, ES256 is CKM_ECDSA over SHA-256 (PKCS#11 3.0, section 2.3).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import unquote, unquote_to_bytes

import msgspec

from bus.errors import KeyFileError
from bus.keys.signatures import thumbprint
from schemas.envelope import b64u

SCHEME = "pkcs11:"
_ED25519 = bytes.fromhex("06032b6570")  # OID 1.3.101.112, RFC 8410
_ED25519_NAMED = b"\x13\x0cedwards25519"  # the other form of the same, PKCS#11 3.0
_P256 = bytes.fromhex("06082a8648ce3d030107")  # OID 1.2.840.10045.3.1.7
_READ = frozenset({"token", "serial", "object", "id", "type", "module-path"})


class TokenAddress(msgspec.Struct, frozen=True, kw_only=True):
    """The place of a key: module, token and object."""

    module: str
    token: str | None = None
    serial: bytes | None = None
    label: str | None = None
    id: bytes | None = None

    @classmethod
    def parse(cls, uri: str) -> TokenAddress:
        """Read a PKCS#11 URI.

        Raises:
            KeyFileError: `token-address`: an attribute is missing, unknown, repeated, or a PIN.
        """
        path, _, query = uri.removeprefix(SCHEME).partition("?")
        parts: dict[str, str] = {}
        for piece in (*path.split(";"), *query.split("&")):
            if not piece:
                continue
            name, equals, value = piece.partition("=")
            if name in ("pin-value", "pin-source"):
                raise KeyFileError(
                    "the address of a key must not hold the PIN",
                    remedy="name its file: passphrase_file",
                    reason="token-address",
                )
            if not equals or name not in _READ or name in parts:
                raise KeyFileError(f"{name!r} is unknown or repeated in {uri}", reason="token-address")
            parts[name] = value
        if (
            "module-path" not in parts
            or not parts.keys() & {"token", "serial"}
            or not parts.keys() & {"object", "id"}
        ):
            raise KeyFileError(
                f"{uri} must name token (or serial), object (or id), and ?module-path=",
                reason="token-address",
            )
        if parts.get("type", "private") != "private":
            raise KeyFileError(f"{uri} names no private key", reason="token-address")
        return cls(
            module=unquote(parts["module-path"]),
            token=unquote(parts["token"]) if "token" in parts else None,
            serial=unquote_to_bytes(parts["serial"]) if "serial" in parts else None,
            label=unquote(parts["object"]) if "object" in parts else None,
            id=unquote_to_bytes(parts["id"]) if "id" in parts else None,
        )


def is_token(path: Path) -> bool:
    """Whether `path` is a PKCS#11 URI instead of a file."""
    return str(path).startswith(SCHEME)


class TokenSigner:
    """A signer whose private key stays in a token. Safe to call from several threads."""

    def __init__(self, uri: str, pin: bytes) -> None:
        """Log in and find the key.

        Raises:
            KeyFileError: `hsm-extra`, `token-address`, `token-module`, `token-absent`, `wrong-pin`, `pin-locked`,
                `token-key`, `ambiguous-key`, `unsupported-key` or `token-failed`.
        """
        self._uri = uri
        self._pin = pin
        self._lock = threading.Lock()
        self._open()

    def _open(self) -> None:
        kinds = import_pkcs11().ObjectClass
        address = TokenAddress.parse(self._uri)
        with told(self._uri):
            self._session = log_in(address, self._pin, rw=False)
            self._private, public = (
                self._session.get_key(object_class=kind, label=address.label, id=address.id)
                for kind in (kinds.PRIVATE_KEY, kinds.PUBLIC_KEY)
            )
            self.alg, self.jwk = _describe(public)
        self.kid = thumbprint(self.jwk)

    @classmethod
    def generate(cls, uri: str, pin: bytes, alg: str) -> TokenSigner:
        """Make a new key in the token, sensitive and not extractable.

        Raises:
            KeyFileError: `key-exists`, `unsupported-key`, or as `__init__`.
        """
        pkcs11 = import_pkcs11()
        address = TokenAddress.parse(uri)
        kinds = {
            "Ed25519": (pkcs11.KeyType.EC_EDWARDS, _ED25519, pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN),
            "ES256": (pkcs11.KeyType.EC, _P256, pkcs11.Mechanism.EC_KEY_PAIR_GEN),
        }
        if alg not in kinds:
            raise KeyFileError(f"no {alg} key can be made in a token", reason="unsupported-key")
        kind, curve, mechanism = kinds[alg]
        template = {
            pkcs11.Attribute.CLASS: pkcs11.ObjectClass.PRIVATE_KEY,
            pkcs11.Attribute.LABEL: address.label,
            pkcs11.Attribute.ID: address.id,
        }
        with told(uri), log_in(address, pin, rw=True) as session:
            if any(
                session.get_objects({name: value for name, value in template.items() if value is not None})
            ):
                raise KeyFileError(
                    f"{uri} exists already and is not overwritten; choose a new label", reason="key-exists"
                )
            parameters = session.create_domain_parameters(
                kind, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
            )
            parameters.generate_keypair(
                mechanism=mechanism,
                store=True,
                label=address.label,
                id=address.id,
                private_template={pkcs11.Attribute.SENSITIVE: True, pkcs11.Attribute.EXTRACTABLE: False},
            )
        return cls(uri, pin)

    def sign(self, data: bytes) -> bytes:
        """The raw signature over `data`; ES256 as r and s, 32 bytes each.

        If the token was removed and inserted again, it is opened again, once.

        Raises:
            KeyFileError: `token-absent` or `token-failed`.
        """
        pkcs11 = import_pkcs11()
        with self._lock:
            try:
                return self._sign(pkcs11, data)
            except pkcs11.PKCS11Error:
                self._open()
            with told(self._uri):
                return self._sign(pkcs11, data)

    def _sign(self, pkcs11: Any, data: bytes) -> bytes:
        if self.alg == "ES256":
            return bytes(self._private.sign(hashlib.sha256(data).digest(), mechanism=pkcs11.Mechanism.ECDSA))
        return bytes(self._private.sign(data, mechanism=pkcs11.Mechanism.EDDSA))


def import_pkcs11() -> Any:
    """Import the library. The error says how to install it."""
    try:
        import pkcs11
    except ImportError:
        raise KeyFileError(
            "keys in a token need the extra hsm", remedy="run: pip install 'tocsin[hsm]'", reason="hsm-extra"
        ) from None
    return pkcs11


def log_in(address: TokenAddress, pin: bytes, *, rw: bool) -> Any:
    """A session with the token, logged in. Raises the library's own errors."""
    pkcs11 = import_pkcs11()
    if not Path(address.module).is_file():
        raise KeyFileError(f"there is no PKCS#11 module {address.module}", reason="token-module")
    try:
        library = pkcs11.lib(address.module)
    except Exception as exc:  # noqa: BLE001 (a module that cannot be loaded fails in many ways)
        raise KeyFileError(
            f"{address.module} is not a PKCS#11 module: {exc}", reason="token-module"
        ) from None
    try:
        user_pin = pin.decode()
    except UnicodeDecodeError:
        raise KeyFileError("the PIN is not text", reason="wrong-pin") from None
    token = library.get_token(token_label=address.token, token_serial=address.serial)
    try:
        return token.open(user_pin=user_pin, rw=rw)
    except (
        pkcs11.UserAlreadyLoggedIn
    ):  # another session of this process is logged in; that counts for the whole token
        return token.open(rw=rw)


def _describe(public: Any) -> tuple[str, dict[str, str]]:
    """(algorithm, JWK) of a public key object; its point is an OCTET STRING, or bare in some tokens."""
    pkcs11 = import_pkcs11()
    curve, point = bytes(public[pkcs11.Attribute.EC_PARAMS]), bytes(public[pkcs11.Attribute.EC_POINT])
    if curve in (_ED25519, _ED25519_NAMED):
        raw = point[2:] if len(point) == 34 else point
        if len(raw) == 32:
            return "Ed25519", {"kty": "OKP", "crv": "Ed25519", "x": b64u(raw)}
    elif curve == _P256:
        raw = point[2:] if len(point) == 67 else point
        if len(raw) == 65 and raw[0] == 4:
            return "ES256", {"kty": "EC", "crv": "P-256", "x": b64u(raw[1:33]), "y": b64u(raw[33:])}
    raise KeyFileError("the token's key is neither Ed25519 nor P-256", reason="unsupported-key")


@contextmanager
def told(uri: str) -> Iterator[None]:
    """Turn the library's errors into sentences."""
    pkcs11 = import_pkcs11()
    absent = (pkcs11.NoSuchToken, pkcs11.TokenNotPresent, pkcs11.DeviceRemoved, pkcs11.SlotIDInvalid)
    wrong_pin = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange)
    try:
        yield
    except absent:
        text, reason = "the token is missing; insert it", "token-absent"
    except pkcs11.MultipleTokensReturned:
        text, reason = "several tokens match; add the serial to the address", "ambiguous-key"
    except pkcs11.PinLocked:
        text, reason = "the PIN is locked; its security officer must reset it", "pin-locked"
    except wrong_pin:
        text, reason = "the PIN is wrong; a few wrong PINs lock the token", "wrong-pin"
    except pkcs11.NoSuchKey:
        text, reason = "the token holds no such key pair; make one: tocsin key new", "token-key"
    except pkcs11.MultipleObjectsReturned:
        text, reason = "several keys match; name object and id", "ambiguous-key"
    except pkcs11.PKCS11Error as exc:
        text, reason = f"the token failed: {type(exc).__name__} {exc}", "token-failed"
    else:
        return
    raise KeyFileError(f"{uri}: {text}", reason=reason)
