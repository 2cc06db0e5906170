"""Step 6 of the way out: what is kept together is signed in batches, one signature over a tree of bulletins (SPEC, section 4)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence

from bus.keys import Signer, sign_batch, sign_bulletin, signs_batches
from schemas.envelope import TYP_BULLETIN, Context, Entry
from schemas.merkle import MAX_SIZE


def sign_chain(
    signers: Sequence[Signer], chain: Sequence[tuple[bytes, dt.datetime]], domain: str
) -> Iterator[tuple[Entry, ...]]:
    """Sign consecutive bulletins of one channel: in batches of `MAX_SIZE`, and one that is left over alone.

    Args:
        signers: all of the issuer's; where one has a certificate, each bulletin is signed alone.
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
