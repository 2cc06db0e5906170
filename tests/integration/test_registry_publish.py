"""`tocsin registry publish` and `server run`: the whole way of a change, by the commands a person uses."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from bus.server import find_binary
from bus.server.running import ports_of
from tests.support.office import Desk, Office, wait_for
from tests.support.waiting import eventually_sync

AUTHORITY = "xa-csirt"


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """A registry of one authority, signed 2 of 2, with a context for it and a copy of its own for the server's."""
    office = Desk(tmp_path, monkeypatch)
    for name in ("root-1", "root-2", "beacon", "csirt", "new"):
        office.key(name)
    nkey = json.loads(office.run("key", "new", "--transport", "csirt.nk", "--json"))["nkey"]
    office.run(
        *("registry", "init", "registry.tocsin.json", "--domain", "xa-test", "--threshold", "2"),
        *("--root", "root-1.jwk", "--root", "root-2.jwk", "--beacon", "beacon.jwk"),
    )
    office.run(
        *("registry", "add", "registry.tocsin.json", AUTHORITY, "--name", "XA CSIRT", "--kind", "csirt"),
        *("--domain", "cyber", "--country", "XA", "--key", "csirt.jwk", "--nkey", nkey),
        *("--member-of", "community"),
    )
    office.run(
        *("registry", "grant", "registry.tocsin.json", AUTHORITY),
        *("--publish", "green:community", "--read", "green:community"),
    )
    for root in ("root-1", "root-2"):
        office.sign(root)
    return office


def add_context(office: Office, name: str, url: str) -> Path:
    """A context over a registry folder of its own; that folder."""
    folder = office.folder / name
    folder.mkdir()
    first = (office.folder / "registry.tocsin.json").read_bytes()
    (folder / "registry.tocsin.json").write_bytes(first)
    pin = json.loads(office.run("registry", "verify", "registry.tocsin.json", "--json"))["digest"]
    office.run(
        *("context", "add", name, "--authority", AUTHORITY, "--server", url, "--pin", pin),
        *("--registry", str(folder / "registry.tocsin.json"), "--domain", "xa-test"),
        *("--key", "csirt.pem", "--passphrase-file", "csirt.pass", "--nkey", "csirt.nk"),
    )
    return folder


@pytest.mark.short_faults
def test_a_change_reaches_the_server_and_a_reader_by_two_commands(office: Office) -> None:
    """The registrar publishes version 2 and a beacon, the authority a statement: server and reader hold all of them."""
    number = free_port()
    url = f"nats://127.0.0.1:{number}"
    mine, theirs = add_context(office, "registrar", url), add_context(office, "reader", url)
    servers = add_context(office, "server", url)
    registrar = ("registry", "publish", "--context", "registrar")
    refuses_what_is_not_sound(office, number)
    with (
        office.serving(number, "--context", "server") as serving,
        office.running("watch", "--context", "reader"),
    ):
        office.run("registry", "rotate", "registry.tocsin.json", AUTHORITY, "--key", "new.jwk")

        # Nothing that does not stand is sent, nor a version without the provisioner's key.
        assert "no signature" in office.run(*registrar, "registry.tocsin.json", *provisioner(), code=6)
        for root in ("root-1", "root-2"):
            office.sign(root)
        assert "--provisioner" in office.run(*registrar, "registry.tocsin.json", code=2)
        office.run(
            *("registry", "beacon", "registry.tocsin.json", "--key", "beacon.pem"),
            *("--passphrase-file", "beacon.pass", "--out", "beacon.tocsin.json"),
        )
        office.run(*registrar, "registry.tocsin.json", "beacon.tocsin.json", *provisioner())
        office.run(*registrar, "registry.v1.tocsin.json", "registry.tocsin.json", *provisioner())  # again
        office.run(
            *("key", "revoke", "--context", "registrar", "--out", "end.tocsin.json", "--yes"),
            *("--kid", kid(office, "csirt")),
        )
        office.run(*registrar, "end.tocsin.json")

        def is_everywhere() -> bool:
            return all(
                (folder / "registry.v2.tocsin.json").is_file() and list(folder.glob("revocations/*.json"))
                for folder in (servers, theirs, mine)
            )

        eventually_sync(is_everywhere)
        assert [len(list(folder.glob("revocations/*.json"))) for folder in (servers, theirs, mine)] == [1] * 3
        conf = office.folder / "broker" / "nats-server.conf"
        wait_for(conf, "version 2;", serving)
        checks = json.loads(office.run("server", "check", "broker", "--context", "server", "--json"))
        assert [each for each in checks if each["hard"] and not each["ok"]] == []
    assert "does not answer" in office.run(
        *registrar, "registry.tocsin.json", *provisioner(), "--timeout", "0.5", code=7
    )


def refuses_what_is_not_sound(office: Office, port: int) -> None:
    """`server run` ends a nats-server again that does not take its configuration, and names what is wrong."""
    real = find_binary(None, os.environ)
    fake = office.folder / "bin" / "nats-server"
    fake.parent.mkdir()
    fake.write_text(
        f'#!/bin/sh\n[ "$1" = -c ] && sed -i \'s/sync_interval: always/sync_interval: "2m"/\' "$2"\nexec "{real}" "$@"\n'
    )
    fake.chmod(0o700)
    said = office.run(
        *("server", "run", "broker", "--context", "server", "--port", str(port), "--binary", str(fake)),
        code=1,
    )
    assert "[not-sound]" in said
    assert "sync_interval" in said
    assert ports_of(office.folder / "broker") is None


def provisioner() -> tuple[str, str]:
    """The option that names the provisioner's key."""
    return ("--provisioner", "broker/provisioner.nk")


def kid(office: Office, name: str) -> str:
    """The id of a key."""
    found: str = json.loads((office.folder / f"{name}.jwk").read_text())["kid"]
    return found
