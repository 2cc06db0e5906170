"""`tocsin hub run` with its console, as programs: pages answer while the hub reads, and the console ends with the hub."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import Ca
from tests.support.consoles import form_of
from tests.support.households import Household, world_of_now
from tests.support.proxies import free_port, tls_proxy
from tests.support.waiting import eventually_sync

PASSWORD = "seven lamps over the quiet harbour"
HUB = "xa-hub"
NOWHERE = "nats://127.0.0.1:9"


DOCUMENT = Path(__file__).parents[2] / "docs" / "console.md"


@contextlib.contextmanager
def nginx(port: int, certificate: Path, key: Path) -> Iterator[int]:
    """Run nginx to a port of this machine, with the server that docs/console.md shows. Gives the port at which it listens."""
    folder, outer = certificate.parent, free_port()
    found = re.search(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    server = found[1]
    for old, new in (
        ("443 ssl", f"127.0.0.1:{outer} ssl"),
        ("server_name console.example;", "server_name localhost;"),
        ("127.0.0.1:8765", f"127.0.0.1:{port}"),
        ("/etc/ssl/console.pem", str(certificate)),
        ("/etc/ssl/private/console.key", str(key)),
    ):
        assert old in server
        server = server.replace(old, new)
    temporary = "".join(
        f"{each}_temp_path {folder}/{each};" for each in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    settings = folder / "nginx.conf"
    settings.write_text(
        f"daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log;"
        f"events {{}} http {{ access_log off; {temporary} {server} }}"
    )
    process = subprocess.Popen(["nginx", "-c", settings, "-p", folder], stderr=subprocess.DEVNULL)
    try:
        eventually_sync((folder / "nginx.pid").exists)
        yield outer
    finally:
        process.terminate()
        process.wait()


def address(house: Household, process: subprocess.Popen[bytes]) -> str:
    """Where the console answers, as the hub says in one line."""
    found: list[str] = []

    def is_said() -> bool:
        found[:] = re.findall(r"console: (http://127\.0\.0\.1:\d+/)", house.log(HUB).read_text())
        return bool(found) or process.poll() is not None

    eventually_sync(is_said, describe=lambda: house.log(HUB).read_text())
    return found[-1]


@pytest.mark.slow
def test_a_hub_serves_pages_and_takes_them_along(tmp_path: Path) -> None:
    """Without a broker too: the first person signs in and sees that nothing was heard; the hub's end is the console's."""
    house = Household(tmp_path, world_of_now(), NOWHERE, HUB)
    hub = house.start(HUB, "hub", "run", "--console", "127.0.0.1:0", env={"TOCSIN_CONSOLE": ""})
    try:
        place = address(house, hub)
        setup = (house.state(HUB) / "console-setup.txt").read_text().strip()
        with httpx.Client(base_url=place) as client:
            form = form_of(client.get(setup).text)
            token = setup.rpartition("=")[2]
            data = {"form": form, "token": token, "password": PASSWORD, "again": PASSWORD}
            assert client.post("/set-password", data=data).status_code == 303
            signed_in = client.post("/sign-in", data={"form": form, "name": "admin", "password": PASSWORD})
            assert signed_in.status_code == 303
            page = client.get("/")
            assert page.status_code == 200
            assert "This hub has heard nothing yet" in page.text
            assert client.get("/system.json").json()["held"] == 0
        children = Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
        told = b"".join(Path(f"/proc/{pid}/environ").read_bytes() for pid in children)
        assert children
        assert b"TOCSIN_" not in told
        os.kill(hub.pid, signal.SIGKILL)
        hub.wait()
        eventually_sync(lambda: not any(Path(f"/proc/{pid}").exists() for pid in children))
    finally:
        house.close()


@pytest.mark.slow
def test_a_hub_without_a_console_starts_none(tmp_path: Path) -> None:
    """`off` is said nowhere, and an address that others reach is refused before anything begins."""
    house = Household(tmp_path, world_of_now(), NOWHERE, HUB)
    refused = house.told(HUB, "hub", "run", "--console", "0.0.0.0:80")
    assert refused.code != 0
    assert "console-address" in house.told(HUB, "hub", "run", "--console", "0.0.0.0:80", "--json").err
    hub = house.start(HUB, "hub", "run", "--console", "off")
    try:
        eventually_sync((house.state(HUB) / "store.db").exists)
        eventually_sync(lambda: "nothing can be read" in house.log(HUB).read_text() or hub.poll() is not None)
        assert "console" not in house.log(HUB).read_text()
        assert not Path(f"/proc/{hub.pid}/task/{hub.pid}/children").read_text().split()
    finally:
        house.close()


PROXIES = {
    "a proxy of its own": tls_proxy,
    "nginx, by docs/console.md": nginx,
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", PROXIES)
def test_a_console_behind_a_proxy_with_tls(tmp_path: Path, kind: str) -> None:
    """A person signs in by the public address; cookies are of it alone; rates and record have the visitor, whatever the visitor says."""
    if kind.startswith("nginx") and shutil.which("nginx") is None:
        pytest.skip("nginx is not installed")
    house = Household(tmp_path, world_of_now(), NOWHERE, HUB)
    ca = Ca(tmp_path / "ca")
    inner = free_port()
    with PROXIES[kind](inner, *ca.issue("console", hosts=("localhost",))) as port:
        url = f"https://localhost:{port}/"
        options = ("--console", f"127.0.0.1:{inner}", "--console-url", url)
        hub = house.start(HUB, "hub", "run", *options, env={"TOCSIN_CONSOLE": ""})
        try:
            line = f"console: {url}, through a proxy that asks http://127.0.0.1:{inner}/"
            eventually_sync(
                lambda: line in house.log(HUB).read_text() or hub.poll() is not None,
                describe=lambda: house.log(HUB).read_text(),
            )
            setup = (house.state(HUB) / "console-setup.txt").read_text().strip()
            assert setup.startswith(f"{url}set-password?token=")
            trusted = ssl.create_default_context(cafile=str(ca.file))
            transport = httpx.HTTPTransport(verify=trusted, local_address="127.0.0.2")
            with httpx.Client(base_url=url, transport=transport) as client:
                client.headers["x-forwarded-for"] = "192.0.2.66"
                page = client.get(setup)
                assert "strict-transport-security" in page.headers
                data = {"form": form_of(page.text), "password": PASSWORD}
                known = {"token": setup.rpartition("=")[2], "again": PASSWORD}
                assert client.post("/set-password", data=data | known).status_code == 303
                signed_in = client.post("/sign-in", data=data | {"name": "admin"})
                assert signed_in.status_code == 303
                for cookie in signed_in.headers.get_list("set-cookie"):
                    assert cookie.startswith("__Host-")
                    assert {"Secure", "HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
                assert client.get("/").status_code == 200
            with httpx.Client() as direct:
                assert direct.get(f"http://127.0.0.1:{inner}/sign-in").status_code == 421
            sessions = house.told(HUB, "people", "sessions", "--json").json()
            assert [each["address"] for each in sessions] == ["127.0.0.2"]
        finally:
            house.close()
