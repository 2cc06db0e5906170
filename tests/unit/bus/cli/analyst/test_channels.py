"""`tocsin channels`, `bulletin proof` and `verify` over a store that holds a contradiction."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from bus.config import Context, save_context
from bus.hub.picture.projection import Projection
from bus.hub.watch import alarms
from bus.hub.watch.liveness import Alarm, Reason
from bus.subscribing.inbox import Inbox
from schemas.bodies.system import Head
from tests.support.hubs import beat, judged
from tests.support.office import Desk
from tests.support.world import NOW, bulletin, chain, draft, shared_world, sign

WORLD = shared_world()
FORKED = "xa-csirt/actual.green.community"
DENIED = "xa-dpa/actual.green.community"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The hub of XB with a store in which two authorities contradict themselves, and one alarm that has ended."""
    made = Desk(tmp_path, monkeypatch)
    (tmp_path / "registry.tocsin.json").write_bytes(WORLD.raw)
    context = Context(
        authority="xb-hub",
        domain="test",
        pin=WORLD.pin,
        registry=tmp_path / "registry.tocsin.json",
        state=tmp_path / "state",
    )
    save_context(tmp_path / "home", "xb-hub", context, current=True)
    (tmp_path / "state").mkdir()
    first, second = chain(WORLD, 2)
    other = sign(WORLD, bulletin(WORLD, seq=2, prev=first.digest, say=draft("the opposite")))
    strange = beat(Head(channel="actual.green.community", seq=1, digest="A" * 43))

    async def fill() -> None:
        async with Inbox.open(tmp_path / "state" / "store.db", projector=Projection()) as store:
            await store.settle([judged(each) for each in (first, second, other, strange)], None, None, NOW)
            gap = Alarm(channel=DENIED, reason=Reason.GAP, detail="2 missing")
            await store.write(lambda db: alarms.record_alarms(db, [gap], [], 10.0))
            await store.write(lambda db: alarms.record_alarms(db, [], [(DENIED, Reason.GAP)], 20.0))

    asyncio.run(fill())
    return made


def test_a_contradiction_becomes_a_file_that_verify_explains(desk: Desk) -> None:
    """From the store into a file, from the file to somebody else's screen; exit 6, code fork."""
    desk.run("bulletin", "proof", FORKED, "--seq", "2", "--out", "p.json")
    said = desk.run("verify", "p.json", code=6)
    assert "[fork]" in said
    raw = desk.run("bulletin", "proof", FORKED, "--seq", "1")  # what its heartbeat denies
    (desk.folder / "beat.json").write_text(raw)
    assert "[fork]" in desk.run("verify", "beat.json", code=6)
    assert "[malformed-envelope]" in _truncated(desk)


def _truncated(desk: Desk) -> str:
    path = desk.folder / "p.json"
    path.write_bytes(path.read_bytes()[:-40])
    return desk.run("verify", "p.json", code=6)


def test_a_proof_in_json_names_both(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """On standard output what is proved, on standard error the code."""
    from contextlib import redirect_stdout
    from io import StringIO

    from bus.cli.main import main

    desk.run("bulletin", "proof", FORKED, "--seq", "2", "--out", "p.json")
    out = StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main(["verify", "p.json", "--json"])
    found = json.loads(out.getvalue())
    assert (ended.value.code, found["issuer"], found["seq"], len(found["bulletins"])) == (6, "xa-csirt", 2, 2)
    assert json.loads(capsys.readouterr().err)["error"]["reason"] == "fork"


def test_where_nothing_contradicts_there_is_no_proof(desk: Desk) -> None:
    """Exit 3; no file is written over."""
    assert "[not-found]" in desk.run("bulletin", "proof", DENIED, code=3)
    assert "[not-found]" in desk.run("bulletin", "proof", FORKED, "--seq", "9", code=3)
    (desk.folder / "there").write_text("x")
    desk.run("bulletin", "proof", FORKED, "--out", "there", code=2)


def test_alarms_are_listed_with_when_and_why(desk: Desk) -> None:
    """Those that stand; with --all those that ended too; --all alone is a mistake."""
    assert json.loads(desk.view("channels", "--alarms", "--json")) == []
    (gap,) = json.loads(desk.view("channels", "--alarms", "--all", "--json"))
    assert (gap["channel"], gap["reason"], gap["ended"]) == (DENIED, "gap", "1970-01-01T00:00:20Z")
    assert desk.view("channels", "--alarms", "--all").count("\t") == 4
    desk.run("channels", "--all", code=2)


def test_channels_show_forks_and_uptime(desk: Desk) -> None:
    """In the table and in JSON; actual channels first."""
    rows = json.loads(desk.view("channels", "--json"))
    assert {row["channel"].split(".")[0] for row in rows[:-1]} == {"actual"}
    assert next(row for row in rows if row["authority"] == "xa-csirt")["forks"] == 0
    assert next(row for row in rows if f"{row['authority']}/{row['channel']}" == FORKED)["forks"] == 2
    assert all("uptime" in row for row in rows)
    assert len(desk.view("channels", "--uptime").splitlines()) == len(rows)


def test_a_person_decides_on_a_contradiction_once(desk: Desk) -> None:
    """The evidence stays; what a heartbeat alone denies is not to be decided before it came, and nothing twice."""
    asked = ("hub", "decide", FORKED, "--reason", "asked by telephone", "--yes")
    assert json.loads(desk.run(*asked, "--json")) == {"channel": FORKED, "decided": 1, "contested": False}
    rows = json.loads(desk.view("channels", "--json"))
    assert next(row for row in rows if f"{row['authority']}/{row['channel']}" == FORKED)["forks"] == 1
    assert '{"contradiction"' in desk.run("bulletin", "proof", FORKED)
    assert "fork-decided" in desk.run("audit", "show")
    for channel in (FORKED, DENIED, "xa-nobody/actual.green.community"):
        assert "there is nothing to decide" in desk.run(*asked[:2], channel, *asked[3:], code=3)
