"""A look at a consumer whose answer is late: no doubt of a line on which messages come."""

from __future__ import annotations

from typing import Any

import pytest

from bus.errors import UnreachableError
from bus.subscribing.subscriber import look_at
from bus.transport.connection import Endpoint
from bus.transport.pull_consumer import PullConsumer

COMES = (b"a.b", b"$JS.ACK.S.me.1.1.1.1800000000000000000.0", b"", b"{}")


class Narrow:
    """A connection on which no answer is in time, but something else may come or befall it meanwhile."""

    def __init__(self, comes: int, epochs: int = 0) -> None:
        self.endpoint = Endpoint(url="nats://127.0.0.1:1", authority_id="me", nkey_seed="", name="me")
        self.connected, self.epoch = True, 1
        self._comes, self._epochs = comes, epochs
        self.pull = PullConsumer(self, "S", "me")  # type: ignore[arg-type]

    async def request(self, *_: Any) -> dict[str, Any]:
        """Nothing answers."""
        self.pull._on_messages([COMES] * self._comes)
        self.epoch += self._epochs
        raise UnreachableError("the bus did not answer in time")


async def test_a_late_answer_is_no_doubt_while_messages_come() -> None:
    """What came is still there to be taken."""
    line = Narrow(comes=2)
    assert await look_at(line, line.pull, "S", "me") is None  # type: ignore[arg-type]
    assert line.pull.waiting == 2


@pytest.mark.parametrize("line", [Narrow(comes=0), Narrow(comes=2, epochs=1)], ids=["silent", "lost"])
async def test_a_late_answer_is_a_doubt_where_nothing_comes_or_the_connection_is_another(
    line: Narrow,
) -> None:
    """The reader attaches anew."""
    with pytest.raises(UnreachableError):
        await look_at(line, line.pull, "S", "me")  # type: ignore[arg-type]
