"""Key files: what is written is read, by others too; what is exposed, weak or damaged is refused for its reason."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bus.errors import KeyFileError
from bus.keys import nkeys
from bus.keys.files import (
    load_opening_key,
    load_signer,
    read_secret,
    save_opening_key,
    save_signer,
    write_secret,
)
from bus.keys.hpke import OpeningKey
from bus.keys.signatures import FileSigner

OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")


@pytest.mark.parametrize("alg", ["Ed25519", "ES256", "ML-DSA-65"])
def test_what_is_saved_is_loaded(tmp_path: Path, alg: str) -> None:
    """Each algorithm's key comes back with the same id, in a file of mode 0600 that is not overwritten."""
    signer = FileSigner.generate(alg)
    path = tmp_path / "key.pem"
    save_signer(path, signer, b"secret")
    assert load_signer(path, b"secret").kid == signer.kid
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(KeyFileError) as refused:
        save_signer(path, signer, b"secret")
    assert refused.value.reason == "key-exists"


def openssl(*arguments: str) -> None:
    """Run openssl."""
    subprocess.run([str(OPENSSL), *arguments], check=True, capture_output=True)


@needs_openssl
def test_openssl_reads_what_is_written(tmp_path: Path) -> None:
    """The structure written by hand is the standard's."""
    path = tmp_path / "key.pem"
    save_signer(path, FileSigner.generate(), b"secret")
    openssl("pkey", "-in", str(path), "-passin", "pass:secret", "-noout")


@needs_openssl
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("-scrypt",), None),
        (("-v2", "aes-256-cbc", "-iter", "600000"), None),
        (("-v2", "aes-256-cbc", "-iter", "2048"), "weak-kdf"),
        (("-scrypt", "-scrypt_N", "1024"), "weak-kdf"),
    ],
)
def test_keys_of_openssl_are_read_when_they_are_strong(
    tmp_path: Path, options: tuple[str, ...], reason: str | None
) -> None:
    """Scrypt and 600 000 rounds of PBKDF2 are enough; the usual 2048 are not."""
    plain, path = tmp_path / "plain.pem", tmp_path / "key.pem"
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(plain))
    openssl("pkcs8", "-topk8", "-in", str(plain), "-out", str(path), "-passout", "pass:secret", *options)
    path.chmod(0o600)
    if reason is None:
        assert load_signer(path, b"secret").alg == "Ed25519"
        return
    with pytest.raises(KeyFileError) as refused:
        load_signer(path, b"secret")
    assert refused.value.reason == reason


def test_each_fault_of_a_file_has_its_reason(tmp_path: Path) -> None:
    """Exposed, linked, missing, unencrypted, wrong passphrase, rubbish."""
    good = tmp_path / "good.pem"
    save_signer(good, FileSigner.generate(), b"secret")
    (tmp_path / "link.pem").symlink_to(good)
    exposed = tmp_path / "exposed.pem"
    exposed.write_bytes(good.read_bytes())
    exposed.chmod(0o644)
    plain = tmp_path / "plain.pem"
    write_secret(plain, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----")
    rubbish = tmp_path / "rubbish.pem"
    write_secret(rubbish, b"rubbish")
    damaged = tmp_path / "damaged.pem"
    write_secret(damaged, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAAA\n-----END ENCRYPTED PRIVATE KEY-----")
    for path, passphrase, reason in (
        (exposed, b"secret", "key-permissions"),
        (tmp_path / "link.pem", b"secret", "key-symlink"),
        (tmp_path / "none.pem", b"secret", "key-missing"),
        (tmp_path, b"secret", "key-unreadable"),
        (plain, b"secret", "key-not-encrypted"),
        (rubbish, b"secret", "key-malformed"),
        (damaged, b"secret", "key-malformed"),
        (good, b"wrong", "wrong-passphrase"),
        (good, None, "wrong-passphrase"),
    ):
        with pytest.raises(KeyFileError) as refused:
            load_signer(path, passphrase)
        assert refused.value.reason == reason, path


@given(st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_file_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever bytes are cut off, only KeyFileError comes."""
    import base64

    der = base64.b64decode(_sample(tmp_path).split(b"-----")[2])
    cut = data.draw(st.integers(0, len(der) - 1))
    body = base64.b64encode(der[:cut] + bytes([data.draw(st.integers(0, 255))]))
    path = tmp_path / "damaged.pem"
    path.unlink(missing_ok=True)
    write_secret(
        path, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"\n-----END ENCRYPTED PRIVATE KEY-----"
    )
    with pytest.raises(KeyFileError):
        load_signer(path, b"secret")


def _sample(folder: Path) -> bytes:
    path = folder / "sample.pem"
    if not path.exists():
        save_signer(path, FileSigner.generate(), b"secret")
    return path.read_bytes()


def test_a_passphrase_file_that_is_not_there_is_no_missing_key(tmp_path: Path) -> None:
    """Nobody is told to make a key; a missing transport key is a missing key."""
    with pytest.raises(KeyFileError) as refused:
        read_secret(tmp_path / "signing.pass")
    assert refused.value.reason == "passphrase-missing"
    assert "passphrase file" in str(refused.value)
    assert "tocsin key new" not in str(refused.value)
    with pytest.raises(KeyFileError) as missing:
        nkeys.load_nkey(tmp_path / "none.nk")
    assert missing.value.reason == "key-missing"


def test_a_secret_is_one_line_for_one_person(tmp_path: Path) -> None:
    """Written 0600, read back without its newline."""
    path = tmp_path / "pass"
    write_secret(path, b"secret")
    assert read_secret(path) == b"secret"


def test_transport_keys_are_nkeys(tmp_path: Path) -> None:
    """A seed begins with SU, its public half with U, and a broken checksum is refused."""
    seed, public = nkeys.generate()
    assert (seed[:2], public[:1], len(public)) == ("SU", "U", 56)
    assert nkeys.public_of(seed) == public
    assert nkeys.is_public_user_key(public)
    assert not nkeys.is_public_user_key(public[:-1] + ("A" if public[-1] != "A" else "B"))
    assert not nkeys.is_public_user_key(seed)
    nkeys.save_nkey(tmp_path / "nk", seed)
    assert nkeys.load_nkey(tmp_path / "nk") == seed
    write_secret(tmp_path / "not", b"SUAAAA")
    with pytest.raises(KeyFileError) as refused:
        nkeys.load_nkey(tmp_path / "not")
    assert refused.value.reason == "key-malformed"


def test_a_seal_key_is_kept_like_a_signing_key(tmp_path: Path) -> None:
    """Its seed comes back, from a file of mode 0600 that is not overwritten and opens to its passphrase alone."""
    path = tmp_path / "seal.pem"
    key = OpeningKey(bytes(range(32)))
    save_opening_key(path, key, b"secret")
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_opening_key(path, b"secret").kid == key.kid
    signing = tmp_path / "signing.pem"
    save_signer(signing, FileSigner.generate(), b"secret")
    cases: dict[str, tuple[Callable[[], object], str]] = {
        "there already": (lambda: save_opening_key(path, key, b"secret"), "key-exists"),
        "no passphrase to write": (lambda: save_opening_key(tmp_path / "new", key, b""), "weak-passphrase"),
        "no passphrase": (lambda: load_opening_key(path, None), "wrong-passphrase"),
        "another passphrase": (lambda: load_opening_key(path, b"other"), "wrong-passphrase"),
        "a signing key to open with": (lambda: load_opening_key(signing, b"secret"), "unsupported-key"),
        "a seal key to sign with": (lambda: load_signer(path, b"secret"), "unsupported-key"),
    }
    for name, (work, reason) in cases.items():
        with pytest.raises(KeyFileError) as refused:
            work()
        assert refused.value.reason == reason, name
    path.chmod(0o644)
    with pytest.raises(KeyFileError) as refused:
        load_opening_key(path, b"secret")
    assert refused.value.reason == "key-permissions"


@needs_openssl
def test_a_seal_key_must_be_strongly_encrypted_too(tmp_path: Path) -> None:
    """The lint of signing keys holds; and a scheme that is not ours is named, not guessed."""
    plain, weak, other = (tmp_path / name for name in ("plain.pem", "weak.pem", "other.pem"))
    openssl("genpkey", "-algorithm", "ed25519", "-out", str(plain))
    begin = ("pkcs8", "-topk8", "-in", str(plain), "-passout", "pass:secret", "-v2", "aes-256-cbc", "-iter")
    openssl(*begin, "2048", "-out", str(weak))
    openssl(*begin, "600000", "-out", str(other))
    for path, reason in ((weak, "weak-kdf"), (other, "key-malformed")):
        path.chmod(0o600)
        with pytest.raises(KeyFileError) as refused:
            load_opening_key(path, b"secret")
        assert refused.value.reason == reason


@given(st.data())
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_damaged_seal_key_is_refused(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever byte is changed or cut off, only KeyFileError comes."""
    import base64

    sample = tmp_path / "sample-seal.pem"
    if not sample.exists():
        save_opening_key(sample, OpeningKey(bytes(32)), b"secret")
    der = bytearray(base64.b64decode(sample.read_bytes().split(b"-----")[2]))
    der[data.draw(st.integers(0, len(der) - 1))] ^= data.draw(st.integers(1, 255))
    kept = len(der) if data.draw(st.booleans()) else data.draw(st.integers(1, len(der)))
    body = base64.b64encode(der[:kept]).rstrip(data.draw(st.sampled_from([b"", b"="])))
    path = tmp_path / "damaged.pem"
    path.unlink(missing_ok=True)
    write_secret(
        path, b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"\n-----END ENCRYPTED PRIVATE KEY-----"
    )
    with pytest.raises(KeyFileError):
        load_opening_key(path, b"secret")
