"""`tocsin publish` with several files: one group, one line each, and one bulletin of it by itself."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from bus.cli.frame import sending
from bus.cli.frame.app import App
from bus.cli.frame.send_options import Sending
from bus.cli.frame.sending import NamedDraft, _publish
from bus.errors import PermitError
from bus.publishing.stamping import Accepted
from schemas.bulletin import Draft
from schemas.envelope import read_signed
from schemas.errors import TocsinError
from tests.support.hubs import hub_desk
from tests.support.office import Desk
from tests.support.world import World, draft, make_world, within


@pytest.fixture
def world() -> World:
    """Two countries as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World) -> Desk:
    """An officer of xa-csirt, and another of xb-csirt."""
    return hub_desk(tmp_path, monkeypatch, world, "xa-csirt", "xb-csirt")


def drafts(folder: Path, count: int) -> list[str]:
    """Drafts in files."""
    names = [f"{n}.json" for n in range(count)]
    for name in names:
        said = {
            "tlp": "green",
            "pap": "green",
            "audience": "community",
            "info": [{"lang": "en", "headline": name, "summary": "Sources in 192.0.2.0/24."}],
            "body": {"kind": "cyber-threat", "title": name},
        }
        (folder / name).write_text(json.dumps(said))
    return names


def publish(desk: Desk, *names: str, code: int = 0) -> list[dict[str, Any]]:
    """What `publish` prints of each."""
    words = ("publish", *names, "--wait", "accepted", "--json", "--context", "xa-csirt")
    done = desk._done(words)
    assert done.code == code, done
    return [json.loads(line) for line in done.out.splitlines()]


def test_files_are_one_group(desk: Desk) -> None:
    """One line for each in their order; each is shown and verified by itself, with its path."""
    said = publish(desk, *drafts(desk.folder, 5))
    assert [(each["seq"], each["state"]) for each in said] == [(n, "accepted") for n in range(1, 6)]
    raw = desk.run("bulletin", "show", said[3]["id"], "--raw", "--context", "xa-csirt")
    (desk.folder / "one.tocsin.json").write_text(raw)
    (entry,) = read_signed(raw.encode(), within()).entries
    assert entry.batch is not None
    assert (entry.batch.index, entry.batch.size) == (3, 5)
    checked = json.loads(desk.run("verify", "one.tocsin.json", "--json", "--context", "xb-csirt"))
    assert checked["digest"] == said[3]["digest"]


def test_a_file_that_is_refused_keeps_out_no_other(desk: Desk) -> None:
    """It is named, the others are told as far as they came, and the exit code says that some are refused."""
    names = drafts(desk.folder, 3)
    (desk.folder / names[1]).write_text("no draft")
    words = ("publish", *names, "absent.json", "--wait", "accepted", "--json", "--context", "xa-csirt")
    done = desk._done(words)
    assert done.code == 8
    assert [json.loads(line)["seq"] for line in done.out.splitlines()] == [1, 2]
    assert [name in done.err for name in (*names, "absent.json")] == [False, True, False, True]


def test_a_draft_that_cannot_be_stamped_is_on_the_audit_record(desk: Desk) -> None:
    """The publisher refuses it, as it refuses what breaks a rule; exit 5."""
    (name,) = drafts(desk.folder, 1)
    said = json.loads((desk.folder / name).read_text())
    del said["tlp"]
    (desk.folder / name).write_text(json.dumps(said))
    assert publish(desk, name, code=5) == []
    told = [
        json.loads(line) for line in desk.run("audit", "show", "--json", "--context", "xa-csirt").splitlines()
    ]
    assert [each["facts"] for each in told if each.get("event") == "refused"] == [
        {"reason": "schema", "path": "$.tlp"}
    ]


class Notes(App):
    """A command's context, of which only what it is told is of interest."""

    def __init__(self) -> None:
        self.noted: list[str] = []

    def note(self, text: str, **_: Any) -> None:
        """Hear it."""
        self.noted.append(text)


class Slow:
    """A publisher whose outbox is in use."""

    def __init__(self) -> None:
        self.is_asked, self.is_free = asyncio.Event(), asyncio.Event()
        self.groups: list[int] = []

    async def publish_many(self, drafts: Sequence[Draft]) -> list[Accepted | TocsinError]:
        """Accept all but the first, once the outbox is free."""
        self.groups.append(len(drafts))
        self.is_asked.set()
        await self.is_free.wait()
        accepted = [
            Accepted(id=str(n), channel="xa-csirt/c", seq=n, digest=str(n), subject="s")
            for n in range(1, len(drafts))
        ]
        return [PermitError("no"), *accepted]


async def test_who_interrupts_still_hears_what_was_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group on its way is brought to its end, and no further group is begun."""
    monkeypatch.setattr(
        sending, "_looked_at", lambda app, publisher, name, draft, how: draft
    )  # nothing in them is doubtful
    publisher, done, stop = Slow(), list[Accepted](), asyncio.Event()
    waiting: list[NamedDraft] = [(str(n), draft) for n in range(600)]
    work = asyncio.ensure_future(_publish(Notes(), publisher, waiting, Sending(), done, stop))  # type: ignore[arg-type]  # its one method
    await publisher.is_asked.wait()
    stop.set()
    publisher.is_free.set()
    tried, refused = await work
    assert publisher.groups == [512]
    assert [each.seq for each in done] == list(range(1, 512))
    assert (tried, str(refused)) == (512, "no")
