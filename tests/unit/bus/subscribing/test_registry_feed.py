"""Trust messages that came too early: they are bounded as a whole, and the largest sender loses first."""

from __future__ import annotations

from pathlib import Path

import pytest

from bus.errors import TrustError
from bus.keys.signatures import FileSigner, sign_entry
from bus.subscribing.early import MOST_EARLY_BYTES
from bus.subscribing.registry_feed import RegistryFeed
from bus.transport.connection import Endpoint
from schemas.envelope import TYP_REGISTRY, write_signed
from schemas.subject import said_on
from tests.support.clocks import RunningClock
from tests.support.trust import NOW, hold, statement
from tests.support.world import within


async def test_what_came_too_early_has_a_bound_and_each_speaker_pays_for_himself(tmp_path: Path) -> None:
    """Large files of strangers on many subjects: a few megabytes are kept, and a small statement among them stays."""
    held = hold(tmp_path, RunningClock(NOW))
    where = Endpoint(url="nats://127.0.0.1:1", authority_id="xa-hub", nkey_seed="", name="x")
    feed = RegistryFeed(held, where)
    stranger = FileSigner.generate()
    small = statement("xa-csirt", by=stranger)
    subject = "tocsin.trust.v1.revoke.xa-csirt"
    with pytest.raises(TrustError):
        feed._take(subject, said_on(subject), small)
    for place in range(30):
        for number in range(3):
            payload = b'{"x":"' + f"{place}.{number}".encode() + b"A" * 100_000 + b'"}'
            raw = write_signed(payload, (sign_entry(stranger, payload, within(TYP_REGISTRY)),))
            crowd = f"tocsin.trust.v1.registry.{place}"
            with pytest.raises(TrustError):
                feed._take(crowd, said_on(crowd), raw)
    kept = [(where, raw) for where, _, raw in feed._early.waiting()]
    assert sum(len(raw) for _, raw in kept) <= MOST_EARLY_BYTES
    assert [raw for where, raw in kept if where == subject] == [small]
