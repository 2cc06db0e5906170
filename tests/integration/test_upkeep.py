"""What must be renewed is renewed, and what a supervisor must know is said: by the programs that a person starts."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec
import pytest

from bus.demo.federation import free_port
from schemas.envelope import read_claims
from schemas.registry import MAX_BEACON_BYTES, Beacon
from tests.support.office import TOCSIN, Desk
from tests.support.supervisor import Supervisor
from tests.support.waiting import eventually_sync, longest

AUTHORITY, HUB = "xa-csirt", "xa-hub"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """An authority and a hub."""
    return found(tmp_path, monkeypatch)


def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A registry of an authority and a hub, signed 2 of 2."""
    office = Desk(tmp_path, monkeypatch)
    for name in ("root-1", "root-2", "beacon", "csirt"):
        office.key(name)
    office.run(
        *("registry", "init", "registry.tocsin.json", "--domain", "xa-test", "--threshold", "2"),
        *("--root", "root-1.jwk", "--root", "root-2.jwk", "--beacon", "beacon.jwk"),
    )
    add = ("registry", "add", "registry.tocsin.json")
    for name, more in (
        (AUTHORITY, ("--kind", "csirt", "--domain", "cyber", "--key", "csirt.jwk")),
        (HUB, ("--kind", "hub", "--domain", "coord")),
    ):
        nkey = json.loads(office.run("key", "new", "--transport", f"{name}.nk", "--json"))["nkey"]
        who = ("--name", name, "--country", "XA", "--nkey", nkey, "--member-of", "community")
        office.run(*add, name, *who, *more)
    grant = ("registry", "grant", "registry.tocsin.json")
    office.run(*grant, AUTHORITY, "--publish", "green:community")
    office.run(*grant, HUB, "--read", "green:community")
    sign(office)
    return office


@pytest.fixture
def supervise(office: Desk) -> Iterator[Callable[[str], Supervisor]]:
    """Makes supervisors by name; each waits for beats."""
    with ExitStack() as stack:

        def make(name: str) -> Supervisor:
            made = Supervisor.at(office.folder / f"{name}.notify", waits_s=0.3)
            stack.callback(made.close)
            return made

        yield make


def sign(office: Desk) -> None:
    """Both root keepers sign."""
    for root in ("root-1", "root-2"):
        office.sign(root)


def add_context(office: Desk, name: str, url: str, authority: str = AUTHORITY) -> Path:
    """A context over a registry folder of its own; that folder."""
    folder = office.folder / name
    folder.mkdir()
    (folder / "registry.tocsin.json").write_bytes((office.folder / "registry.tocsin.json").read_bytes())
    pin = json.loads(office.run("registry", "verify", "registry.tocsin.json", "--json"))["digest"]
    key = ("--key", "csirt.pem", "--passphrase-file", "csirt.pass") if authority == AUTHORITY else ()
    office.run(
        *("context", "add", name, "--authority", authority, "--server", url, "--pin", pin),
        *("--registry", str(folder / "registry.tocsin.json"), "--domain", "xa-test"),
        *("--beacon", str(folder / "beacon.tocsin.json"), "--nkey", f"{authority}.nk", *key),
    )
    return folder


KEEP = (
    *("registry", "keep", "--key", "beacon.pem", "--passphrase-file", "beacon.pass"),
    *("--provisioner", "broker/provisioner.nk", "--context"),
)


def beacon_in(folder: Path) -> Beacon | None:
    """The beacon that a context holds."""
    file = folder / "beacon.tocsin.json"
    if not file.exists():
        return None
    return msgspec.json.decode(
        read_claims(file.read_bytes(), max_bytes=MAX_BEACON_BYTES).payload, type=Beacon
    )


@contextmanager
def supervised(
    office: Desk, supervisor: Supervisor, name: str, *arguments: str
) -> Iterator[subprocess.Popen[bytes]]:
    """A command as a unit starts it; ended as systemd ends it."""
    log = office.folder / f"{name}.log"
    with log.open("ab") as out:
        process = subprocess.Popen(
            [TOCSIN, *arguments],
            cwd=office.folder,
            env={**office.env, **supervisor.environment},
            stdout=out,
            stderr=out,
        )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(longest())


def says(supervisor: Supervisor, word: str, log: Path) -> None:
    """Wait until a supervisor has heard a word."""
    eventually_sync(lambda: word in supervisor.heard(), describe=log.read_text)


@pytest.mark.short_faults
@pytest.mark.slow
def test_the_keeper_keeps_a_reader_fresh(office: Desk, supervise: Callable[[str], Supervisor]) -> None:
    """Its beacon reaches who reads the bus; a new version is named at once; after a kill nothing is made twice."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    mine, theirs = add_context(office, "registrar", url), add_context(office, "reader", url)
    add_context(office, "server", url)
    supervisor = supervise("keeper")
    log = office.folder / "keeper.log"
    with (
        office.serving(port, "--context", "server"),
        office.running("heartbeat", "run", "--context", "reader"),
    ):
        with supervised(office, supervisor, "keeper", *KEEP, "registrar") as keeper:
            says(supervisor, "READY=1", log)
            eventually_sync(lambda: beacon_in(theirs) is not None, describe=log.read_text)
            first = beacon_in(mine)
            assert first is not None
            assert (first.version, beacon_in(theirs)) == (1, first)
            keeper.send_signal(signal.SIGKILL)
            keeper.wait(longest())
        with supervised(office, supervisor, "keeper", *KEEP, "registrar"):
            office.run("registry", "renew", "registry.tocsin.json")
            sign(office)
            office.run(
                *("registry", "publish", "--context", "registrar", "registry.tocsin.json"),
                *("--provisioner", "broker/provisioner.nk"),
            )
            eventually_sync(lambda: (one := beacon_in(theirs)) and one.version == 2, describe=log.read_text)
        told = office.run(*KEEP, "registrar", "--once", "--json")
        assert {term["what"] for term in json.loads(told)} >= {"beacon", "registry", "signing-key"}
        said = (office.folder / "keeper.log").read_text()
        assert (said.count("beacon for version 1"), said.count("beacon for version 2")) == (1, 1)
    assert "STOPPING=1" in supervisor.close()
    assert "does not answer" in office.run(*KEEP, "registrar", "--once", "--timeout", "0.5", code=7)


def test_a_keeper_waits_for_the_key_that_the_server_makes(
    office: Desk, supervise: Callable[[str], Supervisor]
) -> None:
    """A service manager may start it before the server has ever run: it says for what it waits, and goes on."""
    add_context(office, "registrar", "nats://127.0.0.1:1")
    (office.folder / "broker").mkdir()
    supervisor, log = supervise("keeper"), office.folder / "keeper.log"
    with supervised(office, supervisor, "keeper", *KEEP, "registrar"):
        eventually_sync(
            lambda: "waiting for broker/provisioner.nk" in log.read_text(), describe=log.read_text
        )
        office.run("key", "new", "--transport", "broker/provisioner.nk")
        says(supervisor, "READY=1", log)
    assert "STOPPING=1" in supervisor.close()


def test_a_keeper_without_the_role_is_refused(office: Desk) -> None:
    """An authority's own key is none of the beacon role: exit 6, nothing is written."""
    folder = add_context(office, "registrar", "nats://127.0.0.1:1")
    (office.folder / "broker").mkdir()
    office.run("key", "new", "--transport", "broker/provisioner.nk")
    arguments = [part.replace("beacon.", "csirt.") for part in KEEP]
    assert "[no-beacon-role]" in office.run(*arguments, "registrar", code=6)
    assert beacon_in(folder) is None


def test_every_long_running_program_speaks_to_its_supervisor(
    office: Desk, supervise: Callable[[str], Supervisor]
) -> None:
    """Ready when it works, alive while it does, stopping when it ends: broker, hub and heartbeat."""
    port = free_port()
    url = f"nats://127.0.0.1:{port}"
    for name, authority in (("server", AUTHORITY), ("hub", HUB), ("reader", AUTHORITY)):
        add_context(office, name, url, authority)
    programs = {
        "server": ("server", "run", "broker", "--port", str(port)),
        "hub": ("hub", "run"),
        "reader": ("heartbeat", "run"),
    }
    supervisors = {name: supervise(name) for name in programs}

    @contextmanager
    def standing(name: str) -> Iterator[None]:
        log = office.folder / f"{name}.log"
        command = (*programs[name], "--context", name)
        with supervised(office, supervisors[name], name, *command):
            says(supervisors[name], "READY=1", log)
            if name == "server":
                eventually_sync(lambda: "serving" in log.read_text(), describe=log.read_text)
            before = supervisors[name].heard().count("WATCHDOG=1")
            eventually_sync(lambda: supervisors[name].heard().count("WATCHDOG=1") > before + 2)
            yield

    with standing("server"), standing("hub"), standing("reader"):
        pass
    assert {name: "STOPPING=1" in one.close() for name, one in supervisors.items()} == dict.fromkeys(
        programs, True
    )
