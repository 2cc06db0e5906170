"""A burst of messages: when a batch is sent again, and when its messages go one by one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from bus.errors import BrokerError
from bus.transport import jetstream
from bus.transport.interface import Connection, Outgoing
from bus.transport.jetstream import BATCH_INCOMPLETE, PLACE_WAITS_S, publish_burst

SOME = [Outgoing(subject="bench", payload=b"%d" % n, headers={}) for n in range(8)]


class Crowded:
    """A broker that finds no place for the first batches."""

    def __init__(self, refusals: int) -> None:
        self.refusals, self.sent = refusals, 0

    async def send_all(self, messages: Sequence[Outgoing], batch: str = "") -> None:
        """Take what opens a batch."""

    async def request(
        self, subject: str, payload: bytes, headers: Mapping[str, str] | None, timeout: float
    ) -> dict[str, Any]:
        """Answer what closes a batch."""
        self.sent += 1
        if self.sent <= self.refusals:
            return {"error": {"code": 400, "err_code": BATCH_INCOMPLETE, "description": "incomplete"}}
        return {"stream": "BENCH", "seq": len(SOME)}


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jetstream, "PLACE_WAITS_S", (0.0,) * len(PLACE_WAITS_S))


async def test_a_batch_that_finds_no_place_is_sent_again() -> None:
    """Nothing of it was stored, and the open batches end soon."""
    broker = Crowded(len(PLACE_WAITS_S))
    burst = await publish_burst(cast("Connection", broker), SOME)
    assert burst.failure is None
    assert [ack.seq for ack in burst.acks] == list(range(1, len(SOME) + 1))
    assert broker.sent == len(PLACE_WAITS_S) + 1


async def test_one_that_finds_none_in_the_end_is_given_up() -> None:
    """Its messages go one by one: a client with open batches delays others only for a short time."""
    broker = Crowded(100)
    burst = await publish_burst(cast("Connection", broker), SOME)
    assert isinstance(burst.failure, BrokerError)
    assert burst.acks == []
    assert broker.sent == len(PLACE_WAITS_S) + 1
