"""A place with a full stream: one authority's surplus does not delay the bulletins of others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bus.errors import BrokerError
from bus.federation import storing
from bus.federation.ledger import Ledger
from bus.federation.storing import NO_ROOM, Sink, store
from bus.transport import PubAck
from bus.transport.jetstream import Burst

NOW = 1_800_000_000.0


def going(n: int) -> Any:
    """A copy of one bulletin."""
    item = SimpleNamespace(again="")
    found = SimpleNamespace(names={f"d{n}": "s"}, voices=("d",), item=item)
    return SimpleNamespace(
        found=found, first=True, copy=SimpleNamespace(subject=f"s.{n}", payload=b"", headers={})
    )


async def stored(
    folder: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> tuple[Counter[str], Counter[str]]:
    """The carried and skipped copies of four, for a stream that takes one and then has this problem."""
    failure = BrokerError(f"the hub is full: {problem}", reason="hub-full", code=10077)
    taken: list[str] = []

    async def burst(*_: Any) -> Burst:
        return Burst(acks=[], failure=failure)

    async def one(_connection: Any, subject: str, *_: Any) -> PubAck:
        if taken:
            raise failure
        taken.append(subject)
        return PubAck(stream="XA-CSIRT_ACTUAL", seq=1)

    monkeypatch.setattr(storing, "publish_burst", burst)
    monkeypatch.setattr(storing, "publish", one)
    carried, left = Counter[str](), Counter[str]()
    async with Ledger.open(folder / "c.db") as ledger:
        sink = Sink(None, "east", "XA-CSIRT_ACTUAL", ledger, {})  # type: ignore[arg-type]
        await store(sink, [going(n) for n in range(4)], carried, left, NOW)
    return carried, left


@pytest.mark.parametrize("problem", ["maximum messages exceeded", "maximum bytes exceeded"])
async def test_what_a_full_stream_does_not_take_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, problem: str
) -> None:
    """Stored copies are noted, the rest counted; no error stops the bulletins of others."""
    assert await stored(tmp_path, monkeypatch, problem) == (Counter(east=1), Counter({NO_ROOM: 3}))


async def test_a_disk_that_fails_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the same code, and it passes."""
    with pytest.raises(BrokerError):
        await stored(tmp_path, monkeypatch, "no space left on device")
