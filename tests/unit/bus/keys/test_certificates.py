"""JAdES B-B seals: the header a seal needs, which a stock JOSE library verifies and admission accepts."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from joserfc import jwk, jws

from bus.admission.steps import admit, verify_file
from bus.errors import AdmissionError, TrustError
from bus.keys.certificates import certified, valid_between
from bus.keys.signatures import FileSigner, sign_bulletin
from bus.trust import ceremony, proposals
from bus.trust.registry import VerifiedRegistry
from schemas.codec import encode
from schemas.envelope import b64u, parse_header, unb64u, write_signed
from tests.support.publishers import publishing
from tests.support.world import NOW, World, bulletin, draft, key_record, shared_world, signed_registry, within

SEAL = FileSigner.generate("ES256")


def certificate(signer: FileSigner) -> x509.Certificate:
    """A certificate for an ES256 key, signed by itself."""
    assert isinstance(signer.private, ec.EllipticCurvePrivateKey)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "seal.example")])
    builder = x509.CertificateBuilder(
        name, name, signer.private.public_key(), 7, NOW, NOW + dt.timedelta(days=9)
    )
    return builder.sign(signer.private, hashes.SHA256())


PEM = certificate(SEAL).public_bytes(Encoding.PEM)


def registry(world: World) -> VerifiedRegistry:
    """A registry in which xa-csirt signs with the seal key."""
    document = ceremony.next_version(
        world.registry.document, world.registry.digest, NOW, dt.timedelta(days=90)
    )
    record = msgspec.structs.replace(
        document.authorities["xa-csirt"], keys={SEAL.kid: key_record(SEAL)}, require=("ES256",)
    )
    return world.registry.update(
        signed_registry(proposals.add_authority(document, "xa-csirt", record), world.roots), NOW
    )


def test_a_seal_is_a_signature_with_its_time_and_its_certificate() -> None:
    """The header has the members of a B-B seal and the domain, joserfc verifies it, and admission takes it."""
    world = shared_world()
    payload = encode(bulletin(world))
    entry = sign_bulletin(certified(SEAL, PEM), payload, within(), NOW)
    header = json.loads(unb64u(entry.protected))
    assert header.keys() == {"alg", "kid", "typ", "domain", "iat", "x5t#S256"}
    assert header["iat"] == NOW.timestamp()
    assert header["x5t#S256"] == b64u(hashlib.sha256(_der(PEM)).digest())
    whole = f"{entry.protected}.{b64u(payload)}.{b64u(entry.signature)}"
    registered = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    key = jwk.import_key({**SEAL.jwk})
    assert jws.deserialize_compact(whole, key, registry=registered).payload == payload
    assert (
        verify_file(write_signed(payload, (entry,)), registry=registry(world), now=NOW).signer_kid == SEAL.kid
    )


def _der(pem: bytes) -> bytes:
    return x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)


def test_a_seal_of_another_time_than_the_bulletin_is_refused() -> None:
    """A signing time is a claim, and it must be the bulletin's own."""
    world = shared_world()
    payload = encode(bulletin(world))
    entry = sign_bulletin(certified(SEAL, PEM), payload, within(), NOW - dt.timedelta(minutes=10))
    with pytest.raises(AdmissionError) as refused:
        verify_file(write_signed(payload, (entry,)), registry=registry(world), now=NOW)
    assert refused.value.reason == "key-not-valid"


@pytest.mark.parametrize(
    ("signer", "pem", "reason"),
    [
        (FileSigner.generate(), PEM, "unsupported-key"),
        (FileSigner.generate("ES256"), PEM, "not-your-key"),
        (SEAL, b"no", "unsupported-key"),
    ],
    ids=["an Ed25519 key", "another key's certificate", "no certificate"],
)
def test_no_seal_is_made_that_nobody_could_use(signer: FileSigner, pem: bytes, reason: str) -> None:
    """Found before signing."""
    with pytest.raises(TrustError) as refused:
        certified(signer, pem)
    assert refused.value.reason == reason


def test_no_flipped_bit_of_a_certificate_ends_in_a_bug() -> None:
    """It is of the very key, or is refused, by who seals and by who looks until when it is good."""
    for place in range(0, 8 * len(PEM), 5):
        changed = bytearray(PEM)
        changed[place // 8] ^= 1 << place % 8
        for read in (lambda raw: certified(SEAL, raw), valid_between):
            try:
                read(bytes(changed))
            except TrustError as exc:
                assert exc.reason in ("unsupported-key", "not-your-key")


async def test_a_publisher_with_a_certificate_says_everything_under_its_seal(tmp_path: Path) -> None:
    """From a draft to the outbox: the header of a seal, its time the bulletin's, admitted like any other."""
    found = registry(shared_world())
    signer = certified(SEAL, PEM)
    async with publishing(
        tmp_path / "o.db", shared_world(), registry=lambda: found, signer=signer
    ) as publisher:
        await publisher.publish(draft())
        (row,) = await publisher.outbox.rows()
    admitted = admit(row.subject, row.header_map(), row.payload, registry=found, now=NOW)
    (entry,) = parse_header(admitted.signature, within())
    assert (entry.header.iat, bool(entry.header.x5t)) == (int(NOW.timestamp()), True)
