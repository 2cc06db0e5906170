"""Tests the walls of a running broker from inside, with identities made for this purpose (`bus.server.probe`).

It makes each kind of call that an identity may make, with a foreign subject as its reply. A server with intact walls
answers into the caller's own account, where nobody listens. A reply that passes is visible. The probes' own stream is
tried first, since it does no harm; then the streams of others, another's inbox, and calls that the server would serve
for anybody.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from bus.errors import BrokerError, DeniedError, UnreachableError
from bus.server.findings import Check, hard
from bus.server.probe import HEARD, PROBES, STREAM, said
from bus.transport import (
    STATEMENTS_STREAM,
    STREAM_NOT_FOUND,
    TRUST_STREAM,
    Connection,
    Delivery,
    Endpoint,
    NatsConnection,
    Tls,
    consumer_info,
    inbox_prefix,
    js_api,
    speakers,
)
from bus.trust import VerifiedRegistry
from schemas.envelope import MESSAGE_ID
from schemas.subject import PREFIX, REGISTRAR_SUBJECTS, Trust, trust_subject

CONNECT_S = 5.0
ANSWER_S = 5.0


class Call(NamedTuple):
    """One call of an identity: its subject, its payload and its headers."""

    subject: str
    body: bytes = b""
    headers: dict[str, str] | None = None


class Goal(NamedTuple):
    """A foreign reply subject, and the stream in which a reply would show; None if it shows elsewhere.

    `is_reserved` marks a subject that the server refuses for every call; it logs a line for each.
    """

    name: str
    subject: str
    stream: str | None = None
    is_reserved: bool = False


def calls_of(identity: str) -> tuple[Call, ...]:
    """Each kind of call that an authority makes: a message, a whole batch, a refused batch, and the calls of a reader."""
    subject, place = said(identity), f"{STREAM}.{identity}"
    whole = {"Nats-Batch-Id": secrets.token_hex(8), "Nats-Batch-Sequence": "1", "Nats-Batch-Commit": "1"}
    broken = {"Nats-Batch-Id": secrets.token_hex(8), "Nats-Batch-Sequence": "9", "Nats-Batch-Commit": "1"}
    return (
        Call(subject, b"probe"),
        Call(subject, b"probe", {MESSAGE_ID: secrets.token_hex(8)}),
        Call(subject, b"probe", {"Nats-Expected-Last-Sequence": str(2**53)}),
        Call(subject, b"probe", whole),
        Call(subject, b"probe", broken),
        Call(f"$JS.API.CONSUMER.INFO.{place}"),
        Call(f"$JS.API.CONSUMER.RESET.{place}", b'{"seq": 1}'),
        Call(f"$JS.API.CONSUMER.MSG.NEXT.{place}", b'{"batch": 3, "no_wait": true}'),
        Call(f"$JS.API.CONSUMER.MSG.NEXT.{place}", b"no request"),
        Call(f"$JS.API.CONSUMER.MSG.NEXT.{place}", json.dumps({"batch": 10**6, "expires": 1}).encode()),
    )


def goals(registry: VerifiedRegistry, token: str) -> tuple[Goal, ...]:
    """A foreign subject of each class; the token distinguishes one look from another."""
    beside = PROBES[1]
    found = [
        Goal("the registry", REGISTRAR_SUBJECTS[0], TRUST_STREAM),
        Goal("another's statements", trust_subject(Trust.REVOKE, beside), STATEMENTS_STREAM),
        Goal("another's inbox", f"{inbox_prefix(beside)}.{token}"),
        Goal("a call of the JetStream API", f"$JS.API.CONSUMER.DELETE.{STREAM}.{beside}"),
        Goal("the system", f"$SYS.REQ.SERVER.PING.{token}"),
        Goal("an acknowledgement", f"$JS.ACK.{STREAM}.{beside}.1.1.1.1.0", is_reserved=True),
        Goal("an answer to another", f"_R_.{token}", is_reserved=True),
    ]
    for name, status in speakers(registry)[:1]:
        cc, org = name.split("-", 1)
        subject = f"{PREFIX}.{status}.clear.{token}.{cc}.{org}.probe"
        found.append(Goal("an authority's channel", subject, f"{name}_{status}".upper()))
    return tuple(found)


def closed_calls(token: str) -> tuple[tuple[str, Any], ...]:
    """Calls of each kind that the provisioner does not need, on the probes' own stream, where a passing call does no harm."""
    return (
        (f"STREAM.DELETE.{token}", None),
        (f"STREAM.PURGE.{STREAM}", {"filter": f"{HEARD}.{token}"}),
        (f"STREAM.MSG.GET.{STREAM}", {"last_by_subj": f"{HEARD}.{token}"}),
        (f"STREAM.MSG.DELETE.{STREAM}", {"seq": 2**53}),
        (f"STREAM.SNAPSHOT.{STREAM}", {"deliver_subject": f"{HEARD}.{token}"}),
        (f"STREAM.LEADER.STEPDOWN.{token}", None),
        (f"DIRECT.GET.{STREAM}", {"last_by_subj": f"{HEARD}.{token}"}),
        (f"CONSUMER.MSG.NEXT.{STREAM}.{PROBES[1]}", {"batch": 1, "no_wait": True}),
    )


async def provisioner_check(owner: Connection) -> Check:
    """Whether the server refuses the provisioner each kind of call that it does not need.

    Args:
        owner: the provisioner's connection.
    """
    token = f"probe{secrets.token_hex(4)}"
    calls, passed = closed_calls(token), []
    for call, body in calls:
        try:
            await js_api(owner, call, body, ANSWER_S)
        except (BrokerError, UnreachableError) as exc:
            if exc.reason == DeniedError.reason:
                continue
        passed.append(call.replace(f".{token}", ""))
    told = f"{len(calls)} calls that it does not need: all refused"
    return hard("provisioner", not passed, told, f"it may call {', '.join(passed)}")


async def isolation_check(
    owner: Connection, *, url: str, seeds: Sequence[str], registry: VerifiedRegistry, tls: Tls | None = None
) -> Check:
    """Try the walls with the probes. Stop at the first hole.

    Args:
        owner: the provisioner's connection, which reads the content of streams.
        url: the broker's address.
        seeds: the nkey seeds of the probes, in their order.
        registry: the registry whose subjects are tried.
        tls: the certificates to connect with.

    Raises:
        UnreachableError, DeniedError, BrokerError: from the broker.
    """
    token = f"probe{secrets.token_hex(4)}"
    heard: list[str] = []

    def hear(delivery: Delivery) -> None:
        heard.append(delivery.subject)

    prober, listener = (
        Endpoint(url=url, authority_id=name, nkey_seed=seed, name=name, tls=tls)
        for name, seed in zip(PROBES, seeds, strict=True)
    )

    def refused(_: str) -> None:
        """Ignore a refusal by the broker: it is the expected result."""

    async with NatsConnection.at(prober, refused) as probe, NatsConnection.at(listener) as beside:
        for connection in (probe, beside):
            await connection.until_connected(CONNECT_S)
        canary = Goal("a stream", f"{HEARD}.{token}", STREAM)
        async with beside.subscribed(f"{inbox_prefix(PROBES[1])}.>", hear):
            await _try(probe, [canary])
            passed = await _passed(owner, [canary], {canary: 0})
            tried = goals(registry, token)
            if not passed:
                before = {goal: await _held(owner, goal) for goal in tried}
                await _try(probe, tried)
                await js_api(
                    beside, f"CONSUMER.INFO.{STREAM}.{PROBES[1]}"
                )  # all earlier messages have arrived
                passed += await _passed(owner, tried, before)
                passed += [f"another's inbox: {subject}" for subject in heard if token in subject]
    told = f"{len(calls_of(PROBES[0]))} calls with {len(tried) + 1} foreign replies each: none passed"
    return hard("walls", not passed, told, f"a reply reaches {'; '.join(passed)}")


async def _try(probe: NatsConnection, tried: Iterable[Goal]) -> None:
    """Make each call with each goal as its reply, and return when the server has processed all of them."""
    client = probe.client()
    for goal in tried:
        calls = calls_of(PROBES[0])
        for call in calls[:1] if goal.is_reserved else calls:
            await client.publish(call.subject, call.body, reply=goal.subject, headers=call.headers)
    place = f"{STREAM}.{PROBES[0]}"
    # Each kind of call once more, with a proper reply: its answer comes after those of all earlier calls.
    await js_api(probe, f"CONSUMER.INFO.{place}", timeout=ANSWER_S)
    await js_api(probe, f"CONSUMER.RESET.{place}", {"seq": 1}, timeout=ANSWER_S)
    await probe.request(said(PROBES[0]), b"probe", None, ANSWER_S)
    answered = asyncio.Event()
    inbox = f"{inbox_prefix(PROBES[0])}.{secrets.token_hex(6)}"
    async with probe.subscribed(inbox, lambda _: answered.set()):
        await probe.send(f"$JS.API.CONSUMER.MSG.NEXT.{place}", b'{"batch": 1, "no_wait": true}', inbox)
        try:
            async with asyncio.timeout(ANSWER_S):
                await answered.wait()
        except TimeoutError:
            raise UnreachableError(f"the broker gives {PROBES[0]} nothing from its own stream") from None


async def _held(owner: Connection, goal: Goal) -> int:
    """The number of messages on a goal's subject."""
    if goal.stream is None:
        return 0
    try:
        found = await js_api(owner, f"STREAM.INFO.{goal.stream}", {"subjects_filter": goal.subject}, ANSWER_S)
    except BrokerError as exc:
        if exc.code == STREAM_NOT_FOUND:
            return 0
        raise
    return int((found["state"].get("subjects") or {}).get(goal.subject, 0))


async def _passed(owner: Connection, tried: Iterable[Goal], before: dict[Goal, int]) -> list[str]:
    passed = [f"{goal.name}: {goal.subject}" for goal in tried if await _held(owner, goal) > before[goal]]
    try:
        await consumer_info(owner, STREAM, PROBES[1])
    except (BrokerError, DeniedError):
        passed.append("a call of the JetStream API: another's consumer is gone")
    return passed
