"""A trust file counts only for the purpose and the federation that it was signed for: each file, each type, each domain."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator

import msgspec
import pytest

from bus.errors import TrustError
from bus.keys.signatures import FileSigner, sign_entry
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from schemas.codec import encode
from schemas.envelope import (
    TYP_BATCH,
    TYP_BEACON,
    TYP_REGISTRY,
    TYP_REVOKE,
    TYPES,
    Entry,
    read_claims,
    write_signed,
)
from tests.support.batches import in_a_batch
from tests.support.world import DOMAIN, NOW, shared_world, within

WORLD = shared_world()
HELD = WORLD.registry
DAYS = dt.timedelta(days=30)
NEXT = encode(ceremony.next_version(HELD.document, HELD.digest, NOW, DAYS))
FIRST = encode(HELD.document)
BEACON = read_claims(ceremony.new_beacon(HELD, WORLD.beacon, NOW, DAYS / 720), max_bytes=9999).payload
STATEMENT = read_claims(
    new_statement(
        domain=DOMAIN,
        authority="xa-csirt",
        kids=[WORLD.signers["xa-csirt"].kid],
        since=NOW,
        reason="key-lost",
        signer=WORLD.signers["xa-csirt"],
        now=NOW,
    ),
    max_bytes=9999,
).payload

FILES: dict[str, tuple[bytes, str, tuple[FileSigner, ...], Callable[[bytes], object]]] = {
    "a first version": (FIRST, TYP_REGISTRY, WORLD.roots, VerifiedRegistry.open),
    "a pinned version": (
        FIRST,
        TYP_REGISTRY,
        WORLD.roots,
        lambda raw: VerifiedRegistry.open(raw, pin=HELD.digest),
    ),
    "the next version": (NEXT, TYP_REGISTRY, WORLD.roots, lambda raw: HELD.update(raw, NOW)),
    "a beacon": (BEACON, TYP_BEACON, (WORLD.beacon,), lambda raw: HELD.with_beacon(raw, NOW)),
    "a statement": (
        STATEMENT,
        TYP_REVOKE,
        (WORLD.signers["xa-csirt"],),
        lambda raw: HELD.with_revocation(raw, NOW),
    ),
    "a statement taken before": (
        STATEMENT,
        TYP_REVOKE,
        (WORLD.signers["xa-csirt"],),
        lambda raw: HELD.with_revocation(raw, NOW, taken_before=True),
    ),
    "a proposal to be signed": (
        NEXT,
        TYP_REGISTRY,
        WORLD.roots,
        lambda raw: ceremony.sign_registry(raw, FileSigner.generate()),
    ),
}


def others(
    payload: bytes, typ: str, signers: tuple[FileSigner, ...]
) -> Iterator[tuple[str, tuple[Entry, ...]]]:
    """The same bytes, validly signed for anything else: another type, another domain, in a batch."""
    for each in sorted(TYPES - {typ}):
        yield each, tuple(sign_entry(signer, payload, within(each)) for signer in signers)
    for domain in ("elsewhere", f"{DOMAIN}.example", DOMAIN[:-1]):
        yield domain, tuple(sign_entry(signer, payload, within(typ, domain)) for signer in signers)
    for each in sorted(TYPES):
        yield f"{each} in a batch", in_a_batch(payload, *signers, typ=each)


@pytest.mark.parametrize("name", FILES)
def test_it_stands_as_what_it_is(name: str) -> None:
    """Signed for its purpose in its federation."""
    payload, typ, signers, judge = FILES[name]
    judge(write_signed(payload, tuple(sign_entry(signer, payload, within(typ)) for signer in signers)))


@pytest.mark.parametrize("name", FILES)
def test_it_stands_as_nothing_else(name: str) -> None:
    """Another type, another domain and a batch are refused before a signature is checked."""
    payload, typ, signers, judge = FILES[name]
    for comment, entries in others(payload, typ, signers):
        with pytest.raises(TrustError) as refused:
            judge(write_signed(payload, entries))
        assert refused.value.reason.startswith("malformed-") or refused.value.reason == "domain", comment


@pytest.mark.parametrize("name", FILES)
def test_one_foreign_signature_beside_good_ones_refuses_the_file(name: str) -> None:
    """A file says one thing in one federation; it is not read with what fits picked out."""
    payload, typ, signers, judge = FILES[name]
    stranger = FileSigner.generate()
    good = tuple(sign_entry(signer, payload, within(typ)) for signer in signers)
    for context in (within(TYP_BATCH), within(typ, "elsewhere")):
        with pytest.raises(TrustError):
            judge(write_signed(payload, (*good, sign_entry(stranger, payload, context))))


def test_a_document_of_another_domain_is_signed_in_its_own() -> None:
    """A ceremony signs in the domain of the document, so that no root signs by mistake for another federation."""
    trial = msgspec.structs.replace(HELD.document, domain="trial")
    raw = ceremony.sign_registry(ceremony.unsigned(trial), WORLD.roots[0])
    (entry,) = read_claims(raw, max_bytes=100_000).entries
    assert (entry.header.typ, entry.header.domain) == (TYP_REGISTRY, "trial")
