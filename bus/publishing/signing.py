"""Step 6 of publishing: bulletins kept together are signed in batches, one signature over a tree (SPEC, section 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from bus.keys import Signer, sign_batch, sign_bulletin, sign_entry, signs_batches
from bus.publishing.drafted import Drawn
from bus.publishing.outbox_rows import Signed
from schemas.envelope import TYP_BATCH, TYP_BULLETIN, Context, Entry, b64u, format_header, head_of
from schemas.merkle import MAX_SIZE, leaf_of, tree


def sign_chain(
    signers: Sequence[Signer], chain: Sequence[tuple[bytes, dt.datetime]], domain: str
) -> Iterator[tuple[Entry, ...]]:
    """Sign consecutive bulletins of one channel: in batches of `MAX_SIZE`; a single last one is signed alone.

    Args:
        signers: all keys of the issuer; if one has a certificate, each bulletin is signed alone.
        chain: payload and time of issue of each bulletin, in the order of their numbers.
        domain: of the federation.

    Yields:
        The entries of each bulletin, in the order of the signers.
    """
    most = MAX_SIZE if signs_batches(signers) else 1
    for start in range(0, len(chain), most):
        batch = chain[start : start + most]
        if len(batch) > 1:
            yield from sign_batch(signers, [payload for payload, _ in batch], domain)
        else:
            ((payload, issued),) = batch
            context = Context(TYP_BULLETIN, domain)
            yield tuple(sign_bulletin(signer, payload, context, issued) for signer in signers)


def signature_values(signers: Sequence[Signer], chain: Sequence[Drawn], domain: str) -> Iterator[Signed]:
    """As `sign_chain`, for bulletins with known hashes; returns the value of each signature header.

    The opening of a batch is written once; tests compare the result with `sign_chain` and `format_header`.
    """
    most = MAX_SIZE if signs_batches(signers) else 1
    for start in range(0, len(chain), most):
        batch = chain[start : start + most]
        if len(batch) == 1:
            told = [(each.payload, each.bulletin.issued) for each in batch]
            yield from [Signed("", format_header(entries)) for entries in sign_chain(signers, told, domain)]
            continue
        root, paths = tree([leaf_of(each.hashed) for each in batch])
        head, context = head_of(root, len(batch)), Context(TYP_BATCH, domain)
        signed = [sign_entry(signer, head, context) for signer in signers]
        shared = [f"{entry.protected}.{b64u(head)}.{b64u(entry.signature)}~" for entry in signed]
        for index, path in enumerate(paths):
            place = f"{index}.{b64u(b''.join(path))}"
            if len(shared) == 1:
                yield Signed(shared[0], place)
            else:
                yield Signed("", ",".join([each + place for each in shared]))
