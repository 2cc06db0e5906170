"""The console's process: told no key, ended with the hub, started anew when it dies, missed by nobody when its extra is."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from bus.console import NOBODY, Child, Place, address_of
from bus.console import child as module
from bus.console.child import decoded, encoded, without_secrets
from bus.errors import ConfigError
from tests.support.consoles import HUB, WORLD, Speaker, fill, form_of
from tests.support.sign_on import sign_on
from tests.support.waiting import eventually

PASSWORD = "seven lamps over the quiet harbour"


def place(folder: Path, **of: object) -> Place:
    """A console of the tests' world, at any free port."""
    registry = folder / "registry.tocsin.json"
    registry.write_bytes(WORLD.raw)
    told = {
        "host": "127.0.0.1", "port": 0, "else_any": True, "authority": HUB, "store": folder / "store.db",
        "desk": folder / "desk.db", "registry": registry, "pin": WORLD.pin, "domain": WORLD.registry.domain,
    }  # fmt: skip
    return Place(**{**told, **of})  # type: ignore[arg-type]


def test_a_console_listens_on_this_machine_alone() -> None:
    """Addresses that another machine reaches, names and ports that are none are refused; `off` is none."""
    assert address_of("off") is None
    assert address_of("127.0.0.1:8765") == ("127.0.0.1", 8765)
    assert address_of("localhost:0") == ("127.0.0.1", 0)
    assert address_of("[::1]:80") == ("::1", 80)
    for text in (
        "0.0.0.0:80",
        "192.0.2.1:80",
        "console.example:80",
        "127.0.0.1",
        "127.0.0.1:x",
        "127.0.0.1:99999",
        "",
        "[::]:1",
    ):
        with pytest.raises(ConfigError) as refused:
            address_of(text)
        assert refused.value.reason == "console-address"


def test_it_is_told_no_key_and_no_secret() -> None:
    """Neither its settings nor its environment name one."""
    names = set(Place.__struct_fields__)
    assert not names & {"key", "passphrase_file", "nkey", "tls_key", "seal_keys", "certificate"}
    given = {
        "PATH": "/bin",
        "TOCSIN_CONTEXT": "x",
        "MY_PASSPHRASE": "x",
        "db_password": "x",
        "GITHUB_TOKEN": "x",
        "NATS_CREDS": "/etc/x.creds",
        "SSH_AUTH_SOCK": "/run/agent",
        "AWS_ACCESS_KEY_ID": "x",
        "NOTIFY_SOCKET": "/run/notify",
        "LANG": "C",
    }
    assert without_secrets(given) == {"PATH": "/bin", "LANG": "C"}


def test_nothing_is_imported_from_where_the_hub_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file beside the hub that is called as a package is no part of it."""
    (tmp_path / "uvicorn.py").write_text("raise SystemExit(99)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    async def work(child: Child, said: list[str]) -> None:
        assert child.starts == 1

    over(tmp_path, work)


def test_settings_are_read_as_they_were_written(tmp_path: Path) -> None:
    """Paths too."""
    told = place(tmp_path, contacts=tmp_path / "contacts.toml")
    assert decoded(encoded(told)) == told


def test_without_the_extra_the_hub_runs_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so in one sentence, names what to install, and starts nothing."""
    monkeypatch.setattr(module, "missing_packages", lambda: ("starlette",))
    said: list[str] = []
    child = Child(place(tmp_path), said.append, NOBODY.ask)
    asyncio.run(child.run())
    assert child.starts == 0
    assert len(said) == 1
    assert "pip install 'tocsin[hub]'" in said[0]


def over(folder: Path, work: Callable[[Child, list[str]], object], **of: object) -> None:
    """Do something while a console runs, then end it."""

    async def go() -> int:
        await fill(folder / "store.db", [Speaker("xa-csirt").say("One", 50)])
        said: list[str] = []
        child = Child(place(folder, **of), said.append, NOBODY.ask)
        running = asyncio.create_task(child.run())
        try:
            await eventually(lambda: child.address or running.done(), describe=lambda: said)
            await work(child, said)  # type: ignore[misc]
            pid = child.pid
            assert pid is not None
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
        return pid

    pid = asyncio.run(go())
    assert not Path(f"/proc/{pid}").exists()


def test_a_single_sign_on_that_does_not_stand_keeps_nobody_out(tmp_path: Path) -> None:
    """The hub says what is wrong, without a secret; the page says that it does not work, and takes passwords."""
    (tmp_path / "oidc.toml").write_text('issuer = "https://id.example"\nclient = "a"\nsecret_file = "none"\n')

    async def work(child: Child, said: list[str]) -> None:
        assert any(
            "no single sign-on" in line and "secret" in line and "mend oidc.toml" in line for line in said
        ), said
        async with httpx.AsyncClient(base_url=child.address) as c:
            page = (await c.get("/sign-in")).text
            assert "The single sign-on does not work now." in page
            assert str(tmp_path) not in page
            assert 'name="password"' in page

    over(tmp_path, work, oidc=tmp_path / "oidc.toml")


def test_a_single_sign_on_is_offered_and_leads_there(tmp_path: Path) -> None:
    """By the process of a hub, from its settings."""
    (tmp_path / "on").mkdir()
    with sign_on(tmp_path / "on") as house:

        async def work(child: Child, said: list[str]) -> None:
            del said
            async with httpx.AsyncClient(base_url=child.address) as c:
                assert "Sign in with localhost" in (await c.get("/sign-in")).text
                sent = await c.get("/sign-in/oidc")
                assert sent.headers["location"].startswith(f"{house.url}/authorize?"), sent.text

        over(tmp_path, work, oidc=house.settings())


def test_the_first_person_sets_a_password_and_looks(tmp_path: Path) -> None:
    """Nobody looks without one; the address to set it stands in a file of the hub's user, and is good once."""

    async def work(child: Child, said: list[str]) -> None:
        file = tmp_path / "console-setup.txt"
        assert said[-1] == f"console: {child.address}"
        assert str(file) in said[0]
        assert file.stat().st_mode & 0o777 == 0o600
        async with httpx.AsyncClient(base_url=child.address) as c:
            assert (await c.get("/b.json")).status_code == 401
            setup = file.read_text().strip()
            token = setup.rpartition("=")[2]
            form = form_of((await c.get(setup)).text)
            data = {"form": form, "token": token, "password": PASSWORD, "again": PASSWORD}
            differ = await c.post("/set-password", data={**data, "again": "another"})
            assert (differ.status_code, "differ" in differ.text) == (403, True)
            assert (await c.post("/set-password", data=data)).status_code == 303
            assert (await c.post("/set-password", data=data)).status_code == 403
            wrong = await c.post("/sign-in", data={"form": form, "name": "admin", "password": "wrong"})
            assert (wrong.status_code, "sign-in-refused" in wrong.text) == (403, True)
            right = await c.post("/sign-in", data={"form": form, "name": "admin", "password": PASSWORD})
            assert right.status_code == 303
            assert "First administrator" in (await c.get("/")).text

    over(tmp_path, work)


def test_one_that_dies_is_started_again_at_its_place(tmp_path: Path) -> None:
    """The hub is told, links hold, and nothing of the hub ends."""

    async def work(child: Child, said: list[str]) -> None:
        first, pid = child.address, child.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await eventually(lambda: child.starts == 2 and child.address, describe=lambda: said)
        assert child.address == first
        assert any("started again" in line for line in said)

    over(tmp_path, work, demonstration=True)


def test_it_ends_when_its_hub_is_gone(tmp_path: Path) -> None:
    """However that went: it ends when its standard input ends."""

    async def work(child: Child, _: list[str]) -> None:
        process, pid = child._process, child.pid
        assert process is not None
        assert process.stdin is not None
        process.stdin.close()
        await eventually(lambda: child.pid != pid)
        await eventually(lambda: child.address)

    over(tmp_path, work, demonstration=True)
