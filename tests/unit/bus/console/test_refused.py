"""Quarantine says of every code that can stand there what it means, what to do, and gives the evidence as a file."""

from __future__ import annotations

import base64
from pathlib import Path

from bus.admission import REASONS
from bus.console.pages.quarantine import TO_DO, WORDS
from bus.policy import Clearance
from schemas.codec import digest
from schemas.envelope import SIG_HEADER
from schemas.vocab import Tlp
from tests.support.consoles import AUDIENCES, HUB, fill, night, signed_in

WAITS = "from-the-future"
"""What has this is not refused."""


def test_every_code_is_explained_and_no_other() -> None:
    """In words, and with what to do."""
    codes = {code.partition(":")[0] for code in REASONS} - {WAITS}
    assert set(WORDS) == codes
    assert set(TO_DO) == codes


async def test_evidence_is_a_file_for_who_may_read_all_that_the_hub_reads(tmp_path: Path) -> None:
    """It has the bytes as they came. With a lower ceiling or an audience less there is no file and no link to it."""
    path = tmp_path / "store.db"
    await fill(path, night())
    every = AUDIENCES | {HUB}
    async with signed_in(path, Clearance(ceiling=Tlp.RED, audiences=every)) as c:
        (refused,) = (await c.get("/quarantine.json")).json()["refused"]
        address = f"/quarantine/{refused['digest']}/evidence"
        assert f'href="{address}"' in (await c.get("/quarantine")).text
        answer = await c.get(address)
        assert answer.headers["content-disposition"].startswith('attachment; filename="refused-')
        assert answer.headers["content-type"] == "application/octet-stream"
        told = answer.json()
        payload = base64.urlsafe_b64decode(told["payload"] + "==")
        assert (told["reason"], digest(payload)) == (refused["reason"], refused["digest"])
        assert any(name == SIG_HEADER for name, _ in told["headers"])
        assert (await c.get("/quarantine/none/evidence")).status_code == 404
    for tlp, audiences in ((Tlp.GREEN, every), (Tlp.RED, every - {"eu-dsc"})):
        async with signed_in(path, Clearance(ceiling=tlp, audiences=audiences)) as c:
            assert "/evidence" not in (await c.get("/quarantine")).text
            assert [(await c.get(f"{address}{end}")).status_code for end in ("", ".json")] == [404, 404]
