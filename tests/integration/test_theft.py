"""Theft and loss over a real broker: an outbox knows its own words from a thief's, and goes on."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.demo.federation import free_port
from bus.errors import OutboxError, PermitError
from bus.keys.files import load_signer
from bus.keys.nkeys import load_nkey
from bus.keys.signatures import FileSigner, sign_entry
from bus.publishing.outbox import Outbox
from bus.publishing.publisher import Publisher
from bus.publishing.reanchor import Anchor, Reanchoring
from bus.transport.connection import Endpoint
from bus.transport.jetstream import publish
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.system import Head, Reanchor
from schemas.bulletin import Bulletin, new_id, stamp
from schemas.codec import decode, digest, encode
from schemas.envelope import SIG_HEADER, format_header, hints
from schemas.subject import subject_for
from tests.support import clocks
from tests.support.office import Desk
from tests.support.places import ROOT
from tests.support.stage import Bus, connected, speaking
from tests.support.waiting import eventually, eventually_sync, longest
from tests.support.world import DEFAULTS, draft, key_record, signed_registry, within

GREEN = "actual.green.community"
FILE = "registry.tocsin.json"
DRAFT = str(ROOT / "examples" / "drafts" / "cyber.json")


class Clock(clocks.Clock):
    """A clock that is set by hand, and the registry as it stands by it."""

    def __init__(self, now: dt.datetime, registry: VerifiedRegistry) -> None:
        super().__init__(now)
        self.registry = registry


def with_new_key(bus: Bus, new: FileSigner, **ends: dt.datetime) -> VerifiedRegistry:
    """The registry with a second key, the first one ended as said."""
    document, old = bus.world.registry.document, bus.world.signers["xa-csirt"]
    record = document.authorities["xa-csirt"]
    keys = {old.kid: key_record(old, **ends), new.kid: key_record(new)}
    authorities = {**document.authorities, "xa-csirt": msgspec.structs.replace(record, keys=keys)}
    return VerifiedRegistry.open(
        signed_registry(msgspec.structs.replace(document, authorities=authorities), bus.world.roots)
    )


@asynccontextmanager
async def at_desk(
    bus: Bus, path: Path, signer: FileSigner, clock: Clock
) -> AsyncIterator[tuple[Publisher, Outbox]]:
    """The agency's publisher and its outbox, with a key and a registry that change."""
    async with speaking(bus, path, registry=lambda: clock.registry, clock=clock, signer=signer) as publisher:
        yield publisher, publisher.outbox


async def forge(
    endpoint: Endpoint,
    registry: VerifiedRegistry,
    signer: FileSigner,
    seq: int,
    prev: str | None,
    now: dt.datetime,
) -> Bulletin:
    """Somebody who has the keys of an authority says something in its name, past its outbox."""
    made = stamp(
        draft("a lie"),
        id=new_id(now, secrets.token_bytes(10)),
        seq=seq,
        prev=prev,
        issuer=registry.issuer(endpoint.authority_id),
        issued=now,
        defaults=DEFAULTS,
    )
    payload = encode(made)
    headers = {
        SIG_HEADER: format_header((sign_entry(signer, payload, within(domain=registry.domain)),)),
        **hints(digest(payload)),
    }
    async with connected(endpoint) as connection:
        await publish(connection, subject_for(made), payload, headers, longest())
    return made


async def is_ready(publisher: Publisher, *, behind: bool = False) -> bool:
    """Whether it has compared its outbox with the stream; or, with `behind`, refuses because it is behind."""
    try:
        return await publisher.ready(0.05) and not behind
    except OutboxError:
        return behind


async def test_a_lost_outbox_finds_what_a_key_out_of_use_has_signed(bus: Bus, tmp_path: Path) -> None:
    """After a rotation and the loss of the outbox no number is given twice."""
    old, new = bus.world.signers["xa-csirt"], FileSigner.generate()
    clock = Clock(bus.world.now, bus.world.registry)
    async with at_desk(bus, tmp_path / "first.db", old, clock) as (publisher, _):
        last = [await publisher.publish(draft(f"number {n}")) for n in range(3)][-1]
        assert await publisher.settled(last.digest, longest()) == "stored"
    clock.registry = with_new_key(bus, new, not_after=clock.now + dt.timedelta(minutes=1))
    clock.now += dt.timedelta(hours=1)
    async with at_desk(bus, tmp_path / "second.db", new, clock) as (publisher, _):
        with pytest.raises(OutboxError, match="outbox recover"):
            await publisher.ready(longest())
        assert (await publisher.recover()).adopted == 1
        goes_on = await publisher.publish(draft("goes on"))
        assert (goes_on.seq, await publisher.settled(goes_on.digest, longest())) == (4, "stored")


async def test_a_stranger_on_the_channel_stops_an_outbox_until_his_key_has_ended(
    bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A running publisher notices him, refuses, will not anchor before the revocation, and goes on after it."""
    monkeypatch.setattr("bus.publishing.sender.COMPARE_S", 0.2)
    old, new = bus.world.signers["xa-csirt"], FileSigner.generate()
    clock = Clock(bus.world.now, with_new_key(bus, new))
    async with at_desk(bus, tmp_path / "o.db", old, clock) as (publisher, outbox):
        first = await publisher.publish(draft("honest"))
        assert await publisher.settled(first.digest, longest()) == "stored"
        theft = dt.datetime.now(dt.UTC)  # the broker's clock says when his came
        lie = digest(
            encode(await forge(bus.endpoint("xa-csirt"), clock.registry, old, 2, first.digest, clock.now))
        )
        await eventually(lambda: is_ready(publisher, behind=True))
        with pytest.raises(OutboxError, match="tocsin key revoke, then tocsin outbox reanchor"):
            await publisher.ready(1)
        with pytest.raises(OutboxError):
            await publisher.publish(draft("refused"))
        with pytest.raises(PermitError, match="outbox reanchor"):
            await publisher.rehearse(
                draft(body=Reanchor(from_=Head(channel=GREEN, seq=1, digest=first.digest), reason="by hand"))
            )
        anchor = Anchor(
            from_=Head(channel=GREEN, seq=1, digest=first.digest),
            lost=(Head(channel=GREEN, seq=2, digest=lie),),
        )
        async with Reanchoring.open(publisher) as reanchoring:
            with pytest.raises(OutboxError) as refused:
                await reanchoring.reanchor(GREEN, anchor, reason="stolen")
        assert refused.value.reason == "anchor-contradicted"
        clock.registry = with_new_key(bus, new, revoked_since=theft)
        await eventually(lambda: is_ready(publisher))
        async with Reanchoring.open(publisher) as reanchoring:
            with pytest.raises(PermitError) as stopped:
                await reanchoring.reanchor(GREEN, anchor, reason="stolen")
        assert stopped.value.reason == "key-revoked"
        assert [each.seq for each in await outbox.rows()] == [1]
    bus.server.kill()
    async with at_desk(bus, tmp_path / "o.db", new, clock) as (publisher, outbox):
        waits = await publisher.publish(draft("kept while the bus is away"), once="a source's")
        assert waits.seq == 2
        await outbox.park(
            [row.n for row in await outbox.rows() if row.digest == waits.digest], "held for this test"
        )
        await bus.server.restart()
        async with Reanchoring.open(publisher) as reanchoring:
            assert set(await reanchoring.disowned()) == {GREEN}
            assert await reanchoring.proposal(GREEN) == anchor
            kept = await reanchoring.reanchor(GREEN, anchor, reason="stolen")
        assert (kept.seq, await publisher.settled(kept.digest, longest())) == (2, "stored")
        assert [(r.state, r.seq) for r in await outbox.rows()] == [
            ("stored", 2),
            ("superseded", 2),
            ("stored", 1),
        ]
        said = decode((await outbox.rows(limit=1))[0].payload)
        assert (said.prev, said.kind) == (first.digest, "reanchor")
        again = await publisher.publish(draft("kept while the bus is away"), once="a source's")
        assert (again.seq, await publisher.settled(again.digest, longest())) == (3, "stored")
        assert await publisher.ready(longest())


def test_the_officer_s_commands_bring_a_channel_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the refusal over `key revoke`, `registry accept` and `outbox reanchor` to the next bulletin."""
    office = Desk(tmp_path, monkeypatch)
    for name in ("root", "beacon", "xa-emb", "reserve"):
        office.key(name)
    nkey = office.run("key", "new", "--transport", "xa-emb.nk").strip()
    office.run(
        "registry", "init", FILE, "--domain", "nations", "--root", "root.jwk", "--threshold", "1", "--beacon", "beacon.jwk",
    )  # fmt: skip
    office.run(
        "registry", "add", FILE, "xa-emb", "--name", "EMB", "--kind", "emb", "--domain", "electoral", "--country", "XA",
        "--nkey", nkey, "--key", "xa-emb.jwk", "--key", "reserve.jwk",
    )  # fmt: skip
    office.run("registry", "grant", FILE, "xa-emb", "--publish", "green:community:cyber-incident")
    office.sign("root")
    found = json.loads(office.run("registry", "verify", FILE, "--json"))
    port = free_port()
    shared = (
        "--authority", "xa-emb", "--domain", "nations", "--pin", found["digest"], "--registry", FILE,
        "--server", f"nats://127.0.0.1:{port}", "--nkey", "xa-emb.nk", "--state", "state",
    )  # fmt: skip
    office.run(
        *["context", "add", "xa-emb", "--key", "xa-emb.pem", "--passphrase-file", "xa-emb.pass", "--use"],
        *shared,
    )
    office.run(
        "context", "add", "renewed", *shared, "--key", "reserve.pem", "--passphrase-file", "reserve.pass"
    )
    send = ("publish", DRAFT, "--again", "--tlp", "green", "--audience", "community", "--json")
    with office.serving(port):
        first = json.loads(office.run(*send))
        assert first["state"] == "stored"
        assert json.loads(office.run("outbox", "reanchor", "--json")) == {}
        said = dt.datetime.now(dt.UTC)
        eventually_sync(
            lambda: dt.datetime.now(dt.UTC).replace(microsecond=0) > said
        )  # `--since` is in seconds
        theft = dt.datetime.now(dt.UTC).replace(microsecond=0)
        registry = VerifiedRegistry.open((tmp_path / FILE).read_bytes())
        stolen = load_signer(tmp_path / "xa-emb.pem", (tmp_path / "xa-emb.pass").read_bytes().strip())
        endpoint = Endpoint(
            url=f"nats://127.0.0.1:{port}", authority_id="xa-emb", nkey_seed=load_nkey(tmp_path / "xa-emb.nk"), name="thief",
        )  # fmt: skip
        asyncio.run(forge(endpoint, registry, stolen, 2, first["digest"], dt.datetime.now(dt.UTC)))
        # Whether it hears of the thief before it signs or after: it says so, and nothing is sent.
        held_up = office.look(*send, "--timeout", "5")
        assert held_up.code in (1, 75), held_up
        assert "tocsin outbox reanchor" in held_up.err
        anchored = ("outbox", "reanchor", GREEN, "--reason", "stolen", "--yes", "--json")
        assert "anchor-contradicted" in office.run(*anchored, code=1)
        moment = f"{theft:%Y-%m-%dT%H:%M:%SZ}"
        office.run(
            "key", "revoke", "--kid", stolen.kid, "--since", moment, "--key", "reserve.pem", "--passphrase-file", "reserve.pass",
            "--out", "end.tocsin.json", "--yes",
        )  # fmt: skip
        office.run("registry", "accept", "end.tocsin.json")
        assert "key-revoked" in office.run(*anchored, code=5)
        new = ("--context", "renewed")
        assert list(json.loads(office.run(*new, "outbox", "reanchor", "--json"))) == [GREEN]
        assert GREEN in office.run(*new, "outbox", "reanchor")
        assert "give the reason" in office.run(*new, "outbox", "reanchor", GREEN, code=2)
        assert "unknown-anchor" in office.run(*new, *anchored, "--from", "A" * 43, code=1)
        made = json.loads(office.run(*new, *anchored))
        # What had waited has gone out meanwhile, and is then the last word, or it is set aside.
        aside = json.loads(office.run(*new, "outbox", "status", "--json"))["counts"]["superseded"]
        assert (made["seq"] + aside, made["state"]) == (3 if held_up.code == 75 else 2, "stored")
        goes_on = json.loads(office.run(*new, *send))
        assert (goes_on["seq"], goes_on["state"]) == (made["seq"] + 1, "stored")
