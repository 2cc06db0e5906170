"""What a carrier brings a place that others may write to as well: copies of what is proven, each noted when it is stored."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.errors import BrokerError, StoreError
from bus.federation import carrier as carrier_module
from bus.federation import storing
from bus.federation.carrier import Carrier
from bus.federation.ledger import Ledger
from bus.federation.plan import HOME
from bus.keys.signatures import FileSigner, sign_entry
from bus.transport.connection import Connection
from bus.transport.jetstream import publish
from bus.transport.pull_consumer import Received
from bus.transport.states import PubAck
from schemas.envelope import SIG_HEADER, format_header
from tests.support.waiting import eventually, longest
from tests.support.world import Message, World, bulletin, chain, sign, within
from tests.transport_suite.conftest import Broker
from tests.transport_suite.test_rooms import carrying, holds, listing, read_all, say_bare

AT_HOME = "XB-CSIRT_ACTUAL"


async def send(broker: Broker, message: Message, identity: str = "") -> None:
    """Send one message with the headers that it has."""
    async with Connection.open(broker.endpoint(identity or message.bulletin.issuer.id)) as author:
        await author.until_connected(longest())
        await publish(author, message.subject, message.payload, dict(message.headers), longest())


def bearing(message: Message, headers: Mapping[str, str]) -> Message:
    """A message with other headers."""
    return msgspec.structs.replace(message, headers=tuple(headers.items()))


def signed(world: World, message: Message, by: Iterable[str | FileSigner], *, bare: bool = True) -> Message:
    """A message with other signatures; without its message id when `bare`."""
    signers = [world.signers[each] if isinstance(each, str) else each for each in by]
    context = within(domain=world.registry.domain)
    value = format_header(sign_entry(signer, message.payload, context) for signer in signers)
    headers = {**dict(message.headers), SIG_HEADER: value}
    if bare:
        del headers["Nats-Msg-Id"]
    return bearing(message, headers)


def left(carrier: Carrier, reason: str, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many were passed over for a reason."""

    async def question() -> bool:
        return carrier.left[reason] == count

    return question


async def at_home(brokers: dict[str, Broker]) -> list[Received]:
    """All that came home."""
    return await read_all(brokers["xa"], AT_HOME, "xb-csirt")


def signers_of(received: Received) -> int:
    """How many signatures a message has."""
    return dict(received.headers)[SIG_HEADER].count(",") + 1


@pytest.mark.parametrize(
    "beside",
    [
        lambda headers: {name.lower(): value for name, value in headers.items()},
        lambda headers: {**headers, "ce-pad": "y" * 20_000},
        lambda headers: {**headers, "ce-a-b": "x", "Traceparent": "0"},
    ],
    ids=["names in lower case", "padded", "more hints"],
)
async def test_a_copy_is_what_its_author_sent(
    brokers: dict[str, Broker],
    world: World,
    tmp_path: Path,
    beside: Callable[[dict[str, str]], dict[str, str]],
) -> None:
    """Whatever a hostile place writes beside it; the true one that comes after is no other."""
    first, second = chain(world, 2, "xb-csirt")
    async with carrying(world, brokers, tmp_path / "ledger.db"):
        await send(brokers["xb"], bearing(first, beside(dict(first.headers))))
        await send(brokers["xb"], first)
        await send(brokers["xb"], second)
        await eventually(holds(brokers["xa"], AT_HOME, 2))
    found = await at_home(brokers)
    assert [{**dict(each.headers)} for each in found] == [dict(first.headers), dict(second.headers)]


class Refusing:
    """The far broker refuses one bulletin so often, or for good."""

    def __init__(self, payload: bytes, error: BrokerError, times: int) -> None:
        self.payload = payload
        self.error = error
        self.left = times

    async def __call__(self, sink: Connection, subject: str, payload: bytes, *rest: Any) -> PubAck:
        """Publish, or refuse."""
        if payload == self.payload and self.left:
            self.left -= 1
            raise self.error
        return await publish(sink, subject, payload, *rest)


async def test_what_is_stored_before_a_failure_is_stored_once(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that came without its id, and after it one that is refused three times: no retry stores the first again."""
    first, second = chain(world, 2, "xb-csirt")
    for each in (first, second):
        await say_bare(brokers["xb"], each)
    full = BrokerError("full", reason="hub-full")
    monkeypatch.setattr(storing, "publish", Refusing(second.payload, full, 3))
    async with carrying(world, brokers, tmp_path / "ledger.db"):
        await eventually(holds(brokers["xa"], AT_HOME, 2))
    assert [each.payload for each in await at_home(brokers)] == [first.payload, second.payload]


@pytest.mark.parametrize("code", [10054, 10097])
async def test_what_the_far_stream_never_takes_is_passed_over(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """It is counted, it is not noted as carried, and what follows is carried."""
    first, second = chain(world, 2, "xb-csirt")
    monkeypatch.setattr(storing, "publish", Refusing(first.payload, BrokerError("no", code=code), -1))
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        for each in (first, second):
            await send(brokers["xb"], each)
        await eventually(holds(brokers["xa"], AT_HOME, 1))
        await eventually(left(carrier, "too-large", 1))
        assert list(await carrier.ledger.known("xa", [first.digest, second.digest])) == [second.digest]
    assert [each.payload for each in await at_home(brokers)] == [second.payload]


@pytest.mark.parametrize("beside", [(), ("xa-csirt",)], ids=["alone", "beside a co-issuer"])
async def test_a_restart_forgets_not_what_waits_for_a_version(
    brokers: dict[str, Broker], world: World, tmp_path: Path, beside: tuple[str, ...]
) -> None:
    """Passed over by one program, for its key; the next one begins with the version that lists it."""
    new = FileSigner.generate()
    early = sign(world, bulletin(world, "xb-csirt", co_issuers=(world.registry.issuer("xa-csirt"),)))
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        await send(brokers["xb"], signed(world, early, (*beside, new)))
        await eventually(left(carrier, "unknown-key", 1))

        async def noted() -> bool:
            (row,) = await carrier.ledger.query("SELECT count(*) AS n FROM passed_over")
            return bool(row["n"])

        await eventually(noted)
    later = listing(world, "xb-csirt", new)
    async with carrying(world, brokers, tmp_path / "ledger.db", lambda: later):
        await eventually(holds(brokers["xa"], AT_HOME, 1))


@pytest.mark.short_faults
async def test_a_signature_that_a_version_lists_later_follows(
    brokers: dict[str, Broker], world: World, tmp_path: Path
) -> None:
    """The bulletin goes without it at first, and once more with it."""
    new = FileSigner.generate()
    early = sign(world, bulletin(world, "xb-csirt"))
    known = [world.registry]
    async with carrying(world, brokers, tmp_path / "ledger.db", lambda: known[0]):
        await send(brokers["xb"], signed(world, early, ("xb-csirt", new), bare=False))
        await eventually(holds(brokers["xa"], AT_HOME, 1))
        known[0] = listing(world, "xb-csirt", new)
        await eventually(holds(brokers["xa"], AT_HOME, 2))
    assert [signers_of(each) for each in await at_home(brokers)] == [1, 2]


async def test_only_who_is_named_makes_a_copy_go_again(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sets of others' signatures cost the far place nothing, and a co-issuer's own goes on when copies are used up."""
    monkeypatch.setattr(carrier_module, "COPIES", 1)
    first = sign(world, bulletin(world, "xb-csirt", co_issuers=(world.registry.issuer("xa-csirt"),)))
    last = sign(world, bulletin(world, "xb-csirt", seq=2, prev=first.digest))
    others = [name for name in world.signers if name not in ("xa-csirt", "xb-csirt")][:4]
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        await send(brokers["xb"], first)
        await eventually(holds(brokers["xa"], AT_HOME, 1))
        for each in others:
            await send(brokers["xb"], signed(world, first, ("xb-csirt", each)))
        await send(brokers["xb"], signed(world, first, ("xb-csirt", "xa-csirt")))
        await send(brokers["xb"], signed(world, first, ("xb-csirt", "xa-csirt", others[0])))
        await send(brokers["xb"], last)
        await eventually(holds(brokers["xa"], AT_HOME, 4))
        await eventually(lambda: carrier.left["over-budget"] == len(others))
    assert [signers_of(each) for each in await at_home(brokers)] == [1, 2, 2, 1]


async def test_a_fuller_copy_is_no_duplicate(
    brokers: dict[str, Broker], world: World, tmp_path: Path
) -> None:
    """The far stream has had a stripped one by the same id a moment ago: the full one goes without an id."""
    message = sign(world, bulletin(world, "xb-csirt", co_issuers=(world.registry.issuer("xa-csirt"),)))
    await send(brokers["xa"], message, HOME)
    async with carrying(world, brokers, tmp_path / "ledger.db"):
        await send(brokers["xb"], signed(world, message, ("xb-csirt", "xa-csirt"), bare=False))
        await eventually(holds(brokers["xa"], AT_HOME, 2))
    assert [signers_of(each) for each in await at_home(brokers)] == [1, 2]


async def test_what_home_sends_again_has_no_allowance(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody but its author can write there, and a reader that asks must not use up what others need."""
    monkeypatch.setattr(carrier_module, "COPIES", 0)
    (message,) = chain(world, 1)
    async with carrying(world, brokers, tmp_path / "ledger.db"):
        for _ in range(4):
            await say_bare(brokers["xa"], message)
        await eventually(holds(brokers["xb"], "XA-CSIRT_ACTUAL", 4))


async def test_the_copies_of_one_bulletin_use_up_no_others(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each has an allowance of its own."""
    monkeypatch.setattr(carrier_module, "COPIES", 2)
    first, second = chain(world, 2, "xb-csirt")
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        for each in (first, first, first, first, second, second):
            await say_bare(brokers["xb"], each)
        await eventually(holds(brokers["xa"], AT_HOME, 4))
        await eventually(left(carrier, "over-budget", 2))
    found = [each.payload for each in await at_home(brokers)]
    assert (found.count(first.payload), found.count(second.payload)) == (2, 2)


async def test_a_place_that_says_it_has_lost_all_is_begun_anew_once(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An acknowledgement that goes back: all is carried again, after a wait, and noted as before."""
    messages = chain(world, 3, "xb-csirt")
    forged = [messages[2].payload]

    async def going_back(sink: Connection, subject: str, payload: bytes, *rest: Any) -> PubAck:
        ack = await publish(sink, subject, payload, *rest)
        if payload in forged:
            forged.clear()
            return msgspec.structs.replace(ack, seq=1)
        return ack

    monkeypatch.setattr(storing, "publish", going_back)
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:
        for each in messages:
            await send(brokers["xb"], each)

        async def again() -> bool:
            return carrier.forgotten["xa"] == 1 and len(
                await carrier.ledger.known("xa", [each.digest for each in messages])
            ) == len(messages)

        await eventually(again)
        assert carrier.losses["xa"].wait > 1
    assert {each.payload for each in await at_home(brokers)} == {each.payload for each in messages}


async def test_a_ledger_in_use_is_a_problem_until_something_is_noted(
    brokers: dict[str, Broker], world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To attach anew reads it alone; a problem that ended there would come and go while nothing gets through."""
    note, is_busy, stood = Ledger.note, [True], []
    async with carrying(world, brokers, tmp_path / "ledger.db") as carrier:

        async def busy(self: Ledger, *arguments: Any, **options: Any) -> None:
            if not is_busy[0]:
                return await note(self, *arguments, **options)
            stood.append(any("in use" in problem for problem in carrier.problems.values()))
            raise StoreError("it is in use", reason="store-busy")

        monkeypatch.setattr(Ledger, "note", busy)
        await say_bare(brokers["xb"], chain(world, 1, "xb-csirt")[0])
        await eventually(lambda: len(stood) > 3)
        assert all(stood[1:])
        is_busy[0] = False
        await eventually(lambda: not carrier.problems)
