"""`tocsin hub run` with its console, as programs: pages answer while the hub reads, and the console ends with the hub."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.consoles import form_of
from tests.support.households import Household, world_of_now
from tests.support.waiting import eventually_sync

PASSWORD = "seven lamps over the quiet harbour"
HUB = "xa-hub"
NOWHERE = "nats://127.0.0.1:9"


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
