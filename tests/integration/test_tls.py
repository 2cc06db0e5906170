"""TLS between client and broker, against a real nats-server: who is let in, and in which words others are not."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bus.cli.frame.exit_codes import NOT_AUTHORISED, UNREACHABLE, exit_code
from bus.demo.federation import free_port
from bus.errors import ConfigError, DeniedError, KeyFileError, UnreachableError
from bus.keys import nkeys
from bus.server import NatsServer, ServerSettings, ServerTls, provision, render_conf
from bus.server.binary import ServerError
from bus.server.checks import check
from bus.server.findings import Check
from bus.transport.connection import Connection, Endpoint
from bus.transport.tls import Tls
from tests.support.certificates import Ca
from tests.support.office import Desk
from tests.support.stage import connected, send
from tests.support.waiting import eventually, longest
from tests.support.world import World, chain, make_world, shared_world

UNTRIED = "not connected yet"


class Secured:
    """A broker with TLS, its CA, and a client's certificate."""

    def __init__(self, folder: Path) -> None:
        self.world: World = shared_world()
        self.folder = folder
        self.ca = Ca(folder / "ca")
        self.client = self.tls(self.ca, *self.ca.issue("xa-csirt", client=True))
        self.seed, self.public = nkeys.generate()
        self.url = ""
        self.monitor_url = ""

    @staticmethod
    def tls(ca: Ca, cert: Path | None = None, key: Path | None = None) -> Tls:
        """A client that trusts `ca`."""
        return Tls(ca=ca.file, cert=cert, key=key)

    @asynccontextmanager
    async def serving(
        self, *, days: float = 60, hosts: tuple[str, ...] = ("127.0.0.1",)
    ) -> AsyncIterator[None]:
        """The broker with a certificate for `hosts` that stands for `days`."""
        self._certify(days, hosts)
        settings = ServerSettings(tls=ServerTls.in_folder(self.folder / "server"))
        conf = render_conf(self.world.registry, settings=settings, provisioner_nkey=self.public)
        async with NatsServer(self.folder / "server", conf) as server:
            self.server, self.url, self.monitor_url = server, server.url, server.monitor_url
            yield

    def _certify(self, days: float, hosts: tuple[str, ...], *cas: Ca) -> None:
        """Lay a new certificate down in the broker's folder, and the CAs whose clients it accepts."""
        place = self.folder / "server" / "tls"
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
        cert, key = self.ca.issue("broker", hosts=hosts, days=days)
        for source, name in ((cert, "server.pem"), (key, "server.key")):
            shutil.copy(source, place / name)
        (place / "ca.pem").write_bytes(b"".join(each.file.read_bytes() for each in cas or (self.ca,)))

    async def renew(self, days: float, *cas: Ca) -> None:
        """Another certificate, while it runs."""
        self._certify(days, ("127.0.0.1",), *cas)
        await self.server.reload(self.server.conf)

    def endpoint(self, tls: Tls | None, url: str = "") -> Endpoint:
        """xa-csirt's place on it."""
        return Endpoint(
            url=url or self.url,
            authority_id="xa-csirt",
            nkey_seed=self.world.nkeys["xa-csirt"][0],
            name="test",
            tls=tls,
        )

    async def reach(self, tls: Tls | None, url: str = "") -> None:
        """Connect, or raise why the first try failed."""
        async with Connection.open(self.endpoint(tls, url)) as connection:
            await eventually(lambda: connection.problem != UNTRIED or connection.connected)
            await connection.until_connected(0)


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    """Not serving yet."""
    return Secured(tmp_path)


async def test_a_bulletin_crosses_a_broker_with_tls(secured: Secured) -> None:
    """Provisioned, published and acknowledged over TLS 1.3; checks say so; a plain client and an older TLS are not served."""
    async with secured.serving():
        await provision(secured.url, secured.seed, secured.world.registry, tls=secured.client)
        async with connected(secured.endpoint(secured.client)) as speaker:
            (message,) = chain(secured.world, 1)
            ack = await send(speaker, message)
            assert (ack.seq, ack.duplicate) == (1, False)
        found = {each.name: each for each in await checks(secured, secured.client)}
        assert found["TLS"] == Check(name="TLS", ok=True, hard=True, detail="with client certificates")
        assert found["TLS 1.3"].ok
        assert (found["certificate"].ok, found["certificate"].detail) == (True, "60 days left")
        assert all(each.ok for each in found.values() if each.hard), found
        with pytest.raises(UnreachableError, match="wants TLS"):
            await secured.reach(None)


async def checks(secured: Secured, tls: Tls) -> list[Check]:
    """What `server check` finds."""
    return await check(
        url=secured.url,
        monitor_url=secured.monitor_url,
        provisioner_seed=secured.seed,
        registry=secured.world.registry,
        tls=tls,
    )


async def test_a_client_that_is_not_certified_is_refused(secured: Secured) -> None:
    """None, another CA's, an expired one: exit 4, one sentence that says which."""
    other = Ca(secured.folder / "other", "CA of XB")
    refused = {
        "name tls_cert and tls_key": secured.tls(secured.ca),
        "does not accept the client certificate .*stranger": secured.tls(
            secured.ca, *other.issue("stranger", client=True)
        ),
        "does not accept the client certificate .*past": secured.tls(
            secured.ca, *secured.ca.issue("past", client=True, days=-1)
        ),
        "does not accept the client certificate .*server-only": secured.tls(
            secured.ca, *secured.ca.issue("server-only")
        ),
    }
    async with secured.serving():
        for words, tls in refused.items():
            with pytest.raises(DeniedError, match=words) as caught:
                await secured.reach(tls)
            assert exit_code(caught.value) == NOT_AUTHORISED


async def test_a_broker_that_is_not_the_one_is_not_spoken_to(secured: Secured) -> None:
    """Of another CA, for another name: exit 7, and not one byte of a login."""
    other = Ca(secured.folder / "other", "CA of XB")
    async with secured.serving(hosts=("127.0.0.1", "bus.example")):
        with pytest.raises(UnreachableError, match=r"is not signed by .*other") as caught:
            await secured.reach(Tls(ca=other.file, cert=secured.client.cert, key=secured.client.key))
        assert exit_code(caught.value) == UNREACHABLE
        named = Tls(ca=secured.ca.file, cert=secured.client.cert, key=secured.client.key, host="bus.example")
        await secured.reach(named)
        wrong = Tls(ca=secured.ca.file, cert=secured.client.cert, key=secured.client.key, host="hub.example")
        with pytest.raises(UnreachableError, match="for another host name"):
            await secured.reach(wrong)
        with pytest.raises(UnreachableError, match="is not signed by an authority that this machine knows"):
            await secured.reach(Tls(cert=secured.client.cert, key=secured.client.key))


async def test_an_expired_certificate_of_the_broker_is_said(secured: Secured) -> None:
    """Exit 7, and what to do."""
    async with secured.serving(days=-1):
        with pytest.raises(UnreachableError, match="certificate has expired; its operator must renew it"):
            await secured.reach(secured.client)


async def test_a_certificate_is_exchanged_while_clients_are_connected(secured: Secured) -> None:
    """Who is connected stays so and publishes; who comes is shown the new one, and may be of a CA that came with it."""
    other = Ca(secured.folder / "other", "CA of XB")
    newcomer = Tls(ca=secured.ca.file, cert=(pair := other.issue("newcomer", client=True))[0], key=pair[1])
    async with secured.serving(days=60):
        await provision(secured.url, secured.seed, secured.world.registry, tls=secured.client)
        async with connected(secured.endpoint(secured.client)) as speaker:
            with pytest.raises(DeniedError, match="newcomer"):
                await secured.reach(newcomer)
            await secured.renew(80, secured.ca, other)
            (message,) = chain(secured.world, 1)
            await send(speaker, message)
            assert (speaker.connected, speaker.epoch) == (True, 1)
        await secured.reach(newcomer)
        (found,) = [each for each in await checks(secured, secured.client) if each.name == "certificate"]
        assert found.detail == "80 days left"


async def test_a_certificate_that_has_ended_is_renewed_and_nobody_starts_anew(secured: Secured) -> None:
    """The broker's, then the client's: each is said while it lasts, and with another on the disk the same program connects."""
    cert, key = secured.ca.issue("speaker", client=True, days=-1)
    async with (
        secured.serving(days=-1),
        Connection.open(secured.endpoint(secured.tls(secured.ca, cert, key))) as speaker,
    ):
        await eventually(lambda: "has expired; its operator must renew it" in speaker.problem)
        assert not speaker.denied
        await secured.renew(60)
        await eventually(
            lambda: speaker.denied and "does not accept the client certificate" in speaker.problem
        )
        secured.ca.issue("speaker", client=True)
        await speaker.until_connected(longest())


async def test_a_certificate_that_soon_ends_is_warned_of(secured: Secured) -> None:
    """`server check` counts the days."""
    async with secured.serving(days=10):
        await provision(secured.url, secured.seed, secured.world.registry, tls=secured.client)
        (found,) = [each for each in await checks(secured, secured.client) if each.name == "certificate"]
        assert (found.ok, found.hard, found.detail) == (False, False, "10 days left")


async def test_a_context_that_demands_tls_never_speaks_in_clear(secured: Secured) -> None:
    """A broker without TLS, or whoever answers in its place, gets a handshake and nothing else."""
    conf = render_conf(secured.world.registry, settings=ServerSettings(), provisioner_nkey=secured.public)
    async with NatsServer(secured.folder / "plain", conf) as server:
        with pytest.raises(UnreachableError, match="does not begin with TLS, which this context requires"):
            await secured.reach(secured.client, server.url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        url = f"nats://127.0.0.1:{listener.getsockname()[1]}"
        async with Connection.open(secured.endpoint(secured.client, url)) as connection:
            with pytest.raises(UnreachableError):
                await connection.until_connected(0.5)
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(5)
                assert sock.recv(3)[:2] == b"\x16\x03"  # a handshake record, not CONNECT


def test_files_that_are_not_what_they_should_be_are_named(tmp_path: Path) -> None:
    """Missing, not PEM, exposed, another's key, encrypted: one sentence each, before anything is sent."""
    ca = Ca(tmp_path)
    cert, key = ca.issue("client", client=True)
    _, another = ca.issue("another", client=True)
    rubbish = tmp_path / "rubbish.pem"
    rubbish.write_text("rubbish")
    for tls, words in (
        (Tls(ca=tmp_path / "none.pem"), "is missing"),
        (Tls(ca=rubbish), "no certificate authority"),
        (Tls(ca=ca.file, cert=rubbish, key=key), "not a certificate with the private key"),
        (Tls(ca=ca.file, cert=cert, key=another), "not a certificate with the private key"),
        (Tls(ca=ca.file, cert=cert, key=tmp_path / "none.key"), "cannot read"),
    ):
        with pytest.raises(ConfigError, match=words) as caught:
            tls.context()
        assert caught.value.reason == "tls-file"
    key.chmod(0o640)
    with pytest.raises(KeyFileError, match="chmod 600"):
        Tls(ca=ca.file, cert=cert, key=key).context()


def test_a_brokers_folder_has_all_three_files_or_none(tmp_path: Path) -> None:
    """Half of them is an error, never a broker in clear."""
    assert ServerTls.in_folder(tmp_path) is None
    (tmp_path / "tls").mkdir()
    with pytest.raises(ServerError, match=r"server\.pem is missing"):
        ServerTls.in_folder(tmp_path)


@pytest.mark.short_faults
def test_an_operator_turns_tls_on_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`server run` with the files in its folder, a context with the client's: the checks pass; without them, exit 7 or 2."""
    office = Desk(tmp_path, monkeypatch)
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    (tmp_path / "registry.tocsin.json").write_bytes(world.raw)
    nkeys.save_nkey(tmp_path / "hub.nk", world.nkeys["xa-hub"][0])
    ca = Ca(tmp_path / "ca")
    port = free_port()
    shared = (
        "--authority", "xa-hub", "--domain", world.registry.domain, "--pin", world.pin, "--registry", "registry.tocsin.json",
        "--nkey", "hub.nk", "--state", "state", "--server", f"tls://localhost:{port}",
    )  # fmt: skip
    client = ca.issue("client", client=True)
    mine = ("--tls-cert", str(client[0]), "--tls-key", str(client[1]))
    assert "go together" in office.run("context", "add", "xa-hub", *shared, *mine[:2], code=2)
    office.run("context", "add", "xa-hub", *shared, "--tls-ca", str(ca.file), *mine, "--use")
    assert "both the context and the broker have TLS, or neither" in office.run(
        "server", "run", "broker", code=2
    )
    place = tmp_path / "broker" / "tls"
    place.mkdir(parents=True)
    cert, key = ca.issue("broker", hosts=("localhost",))
    for source, name in ((cert, "server.pem"), (key, "server.key"), (ca.file, "ca.pem")):
        shutil.copy(source, place / name)
    assert 'min_version: "1.3"' in office.run("server", "conf", "broker", "--port", str(port), "--stdout")
    with office.serving(port):
        found = {each["name"]: each for each in json.loads(office.run("server", "check", "broker", "--json"))}
        assert all(each["ok"] for each in found.values() if each["hard"]), found
        assert {"TLS", "TLS 1.3", "certificate"} <= found.keys()
        plain = [part.replace("tls:", "nats:") for part in shared]
        office.run("context", "add", "plain", *plain)
        said = office.run("--context", "plain", "server", "check", "broker", code=7)
        assert "if it wants TLS, name tls_ca" in said
        office.run("context", "add", "bare", *shared, "--tls-ca", str(ca.file))
        assert "name tls_cert and tls_key" in office.run(
            "--context", "bare", "server", "check", "broker", code=4
        )
