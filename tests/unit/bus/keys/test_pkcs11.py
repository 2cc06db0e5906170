"""Keys in a token: a real PKCS#11 module, SoftHSM2. Absent it, these tests are skipped and say so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bus.cli.frame.session import open_signer
from bus.config import load
from bus.errors import KeyFileError
from bus.keys.loading import open_key
from bus.keys.pkcs11 import TokenAddress, TokenSigner
from bus.keys.signatures import PublicKey, check_entries, sign_batch
from schemas.envelope import TYP_BULLETIN, Context
from tests.support.office import Desk
from tests.support.places import ROOT
from tests.support.tokens import MODULE, PIN, real


def uri(label: str, name: str = "tocsin", module: str | None = None) -> str:
    """The address of a key in the token."""
    return f"pkcs11:token={name};object={label}?module-path={module or MODULE}"


@real
@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_token_signs_what_everybody_verifies(token: Path, alg: str) -> None:
    """By our own verifier; opened again it is the same key; the private half cannot be read out."""
    import pkcs11

    made = TokenSigner.generate(uri(f"sign-{alg}"), PIN, alg)
    again = open_key(Path(uri(f"sign-{alg}")), PIN)
    assert (made.alg, made.kid) == (again.alg, again.kid) == (alg, made.kid)
    for signer in (made, again):
        PublicKey.from_jwk(signer.jwk, alg).verify(signer.sign(b"what is said"), b"what is said")
    with pytest.raises(pkcs11.PKCS11Error):
        made._private[pkcs11.Attribute.VALUE]


@real
@pytest.mark.parametrize("alg", ["Ed25519", "ES256"])
def test_a_token_signs_a_batch_once(token: Path, alg: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many bulletins are in it, each of which verifies by itself."""
    signer = TokenSigner.generate(uri(f"batch-{alg}"), PIN, alg)
    public = PublicKey.from_jwk(signer.jwk, alg)
    signed: list[bytes] = []
    sign = signer._sign

    def counted(pkcs11: Any, data: bytes) -> bytes:
        signed.append(data)
        return sign(pkcs11, data)

    monkeypatch.setattr(signer, "_sign", counted)
    payloads = [f"payload {n}".encode() for n in range(64)]
    entries = sign_batch((signer,), payloads, "test")
    assert len(signed) == 1
    context = Context(TYP_BULLETIN, "test")
    for payload, mine in zip(payloads, entries, strict=True):
        (found,) = check_entries(mine, payload, context, {public.kid: public}.get)
        assert found.fault == ""


@real
def test_a_lost_session_is_opened_again(token: Path) -> None:
    """As after a token was taken out and put back."""
    signer = TokenSigner.generate(uri("lost"), PIN, "Ed25519")
    signer._session.close()
    PublicKey.from_jwk(signer.jwk, "Ed25519").verify(signer.sign(b"x"), b"x")


FAULTS = {
    "no such token": (uri("any", name="elsewhere"), PIN, "token-absent"),
    "no such key": (uri("nobody"), PIN, "token-key"),
    "no such module": (uri("any", module="/nowhere/lib.so"), PIN, "token-module"),
    "a module that is none": (uri("any", module=__file__), PIN, "token-module"),
}


@real
@pytest.mark.parametrize(("where", "pin", "reason"), FAULTS.values(), ids=FAULTS)
def test_what_is_wrong_with_a_token_is_said(token: Path, where: str, pin: bytes, reason: str) -> None:
    """One reason for each."""
    with pytest.raises(KeyFileError) as refused:
        TokenSigner(where, pin)
    assert refused.value.reason == reason


@real
def test_a_token_by_command(token: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Made, not made twice, shown, exported; a PIN that is wrong, exposed or not named is refused."""
    desk = Desk(tmp_path, monkeypatch)
    where = ("key", "new", uri("command"), "--passphrase-file", str(token / "pin"))
    made = json.loads(desk.run(*where, "--json"))
    assert "[key-exists]" in desk.run(*where, code=6)
    assert "[unsupported-key]" in desk.run(*where, "--alg", "ML-DSA-65", code=6)
    public = json.loads(desk.run("key", "export", *where[2:]))
    assert (public["kid"], public["alg"]) == (made["kid"], "Ed25519")
    assert "--passphrase-file" in desk.run("key", "show", uri("command"), code=2)
    exposed = tmp_path / "exposed"
    exposed.write_bytes(PIN)
    exposed.chmod(0o644)
    assert "[key-permissions]" in desk.run(
        "key", "show", uri("command"), "--passphrase-file", str(exposed), code=6
    )
    desk.run(
        "context", "add", "xa-csirt", "--authority", "xa-csirt", "--domain", "test", "--pin", "A" * 43, "--registry", "r",
        "--key", uri("command"), "--passphrase-file", str(token / "pin"),
    )  # fmt: skip
    _, context = load(os.environ, tmp_path).pick("xa-csirt")
    assert open_signer(context).kid == made["kid"]
    # A wrong PIN needs a process that has not logged in yet.
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"111111")
    wrong.chmod(0o600)
    code = "from bus.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "key", "show", uri("command"), "--passphrase-file", str(wrong)],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert (done.returncode, "[wrong-pin]" in done.stderr) == (6, True), done.stderr


ADDRESSES = {
    "a PIN in it": "pkcs11:token=a;object=b?module-path=/m&pin-value=1234",
    "a PIN source in it": "pkcs11:token=a;object=b?module-path=/m&pin-source=/p",
    "no module": "pkcs11:token=a;object=b",
    "no token": "pkcs11:object=b?module-path=/m",
    "no object": "pkcs11:token=a?module-path=/m",
    "a public key": "pkcs11:token=a;object=b;type=public?module-path=/m",
    "twice": "pkcs11:token=a;token=b;object=b?module-path=/m",
    "an attribute of another kind": "pkcs11:token=a;object=b;slot-id=1?module-path=/m",
    "no value": "pkcs11:token;object=b?module-path=/m",
}


@pytest.mark.parametrize("address", ADDRESSES.values(), ids=ADDRESSES)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """Before any module is loaded."""
    with pytest.raises(KeyFileError) as refused:
        TokenAddress.parse(address)
    assert refused.value.reason == "token-address"


def test_an_address_is_taken_apart() -> None:
    """Percent-encoding included."""
    found = TokenAddress.parse("pkcs11:token=My%20card;serial=01;object=a%3Bb;id=%01%ff?module-path=/m.so")
    assert found == TokenAddress(module="/m.so", token="My card", serial=b"01", label="a;b", id=b"\x01\xff")


def test_without_the_extra_the_command_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not a traceback about a module."""
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    with pytest.raises(KeyFileError, match="pip install") as refused:
        TokenSigner(uri("any"), PIN)
    assert refused.value.reason == "hsm-extra"
