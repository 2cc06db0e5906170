"""Batches for tests: bulletins signed by one signature over a tree, for whatever purpose and domain."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bus.keys.signatures import FileSigner, sign_entry
from schemas import merkle
from schemas.envelope import TYP_BATCH, Batch, Entry, b64u, head_of
from tests.support.world import DOMAIN, within


def batch(
    payloads: Sequence[bytes], *signers: FileSigner, typ: str = TYP_BATCH, domain: str = DOMAIN
) -> list[tuple[Entry, ...]]:
    """For each payload its entries of one batch, one by each signer."""
    made = merkle.tree([merkle.leaf(payload) for payload in payloads])
    head = head_of(made.root, len(payloads))
    heads = [sign_entry(signer, head, within(typ, domain)) for signer in signers]
    places = [
        Batch(head=b64u(head), size=len(payloads), root=made.root, index=index, path=path)
        for index, path in enumerate(made.paths)
    ]
    return [tuple(msgspec.structs.replace(entry, batch=place) for entry in heads) for place in places]


def in_a_batch(
    payload: bytes,
    *signers: FileSigner,
    typ: str = TYP_BATCH,
    domain: str = DOMAIN,
    size: int = 5,
    index: int = 1,
) -> tuple[Entry, ...]:
    """The entries of a payload at a place of a batch of payloads that mean nothing."""
    others = [f"payload {n}".encode() for n in range(size)]
    others[index] = payload
    return batch(others, *signers, typ=typ, domain=domain)[index]
