"""`tocsin bulletin update` and `cancel` act on the newest version, and refuse what is withdrawn."""

from __future__ import annotations

import datetime as dt
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bus.publishing.learned import Heard, learn
from bus.publishing.versions import Revision
from bus.threads.joining import Key, Said
from tests.support.hubs import hub_desk
from tests.support.office import Desk
from tests.support.world import make_world

SAID = {
    "tlp": "green",
    "pap": "green",
    "audience": "community",
    "info": [{"lang": "en", "headline": "Flood", "summary": "Sources in 192.0.2.0/24."}],
    "body": {"kind": "cyber-threat", "title": "Flood"},
}


class Done(NamedTuple):
    """What a command has said: what is accepted, and the lines on standard error."""

    accepted: list[dict[str, Any]]
    err: list[str]

    @property
    def id(self) -> str:
        """Of the first that is accepted."""
        return str(self.accepted[0]["id"])


class Office:
    """An officer of xa-csirt without a bus."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        (desk.folder / "draft.json").write_text(json.dumps(SAID))

    def do(self, *words: str, code: int = 0) -> Done:
        """Run a command that publishes."""
        done = self.desk._done((*words, "--wait", "accepted", "--json", "--context", "xa-csirt"))
        assert done.code == code, done
        return Done([json.loads(line) for line in done.out.splitlines()], done.err.splitlines())

    def publish(self, *words: str) -> str:
        """The id of one more bulletin."""
        return self.do("publish", "draft.json", "--again", *words).id


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    """As of the real clock."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    return Office(hub_desk(tmp_path, monkeypatch, world, "xa-csirt"))


def test_any_version_leads_to_the_newest_and_a_withdrawal_is_the_end(office: Office) -> None:
    """By the id of the first, or its beginning; the line says so, and the newest needs none."""
    first = office.publish()
    second = office.do("bulletin", "update", first, "draft.json")
    assert second.err == []
    third = office.do("bulletin", "update", first[:-2], "draft.json")
    assert third.err == [f"acting on version 2, {second.id}"]
    assert office.do("bulletin", "update", third.id, "draft.json", "--dry-run").err == []
    withdrawn = office.do("bulletin", "cancel", first, "It was a load test.")
    assert withdrawn.err == [f"acting on version 3, {third.id}"]
    for words in (
        ("update", first, "draft.json"),
        ("cancel", third.id, "Again."),
        ("cancel", withdrawn.id, "Again."),
    ):
        refused = office.do("bulletin", *words, code=5)
        assert (refused.accepted, len(refused.err)) == ([], 1)
        assert all(word in refused.err[0] for word in ("already-withdrawn", withdrawn.id, third.id))


def test_a_draft_that_names_an_old_version_itself_is_refused(office: Office) -> None:
    """By `publish`, and by its rehearsal, with the living version named."""
    first = office.publish()
    second = office.do("bulletin", "update", first, "draft.json").id
    revising = SAID | {"msg_type": "cancel", "references": [{"id": first, "rel": "cancels"}]}
    (office.desk.folder / "old.json").write_text(json.dumps(revising))
    for words in ((), ("--dry-run",)):
        (refused,) = office.do("publish", "old.json", *words, code=5).err
        assert "already-superseded" in refused
        assert f"{second}, version 2" in refused


def test_a_version_that_only_the_bus_has_is_acted_on(office: Office) -> None:
    """After a recovery, by the id of one that is held: it is named, and its channel is gone on with."""
    first = office.publish()
    lost = "0197a1b0-0000-7000-8000-000000000002"
    key = Key(lost, "", "actual")
    said = Revision(Said(key, dt.datetime.now(dt.UTC).timestamp() + 60, 2, is_cancel=False), (first,))
    (path,) = office.desk.folder.rglob("outbox.db")
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        learn(db, [Heard(digest="", channel="actual.amber-strict.eu-csirts", said=said)])
        db.commit()
    third = office.do("bulletin", "update", first, "draft.json")
    assert third.err == [f"acting on version 2, {lost}"]
    assert third.accepted[0]["channel"] == "xa-csirt/actual.amber-strict.eu-csirts"
    shown = office.desk.run("bulletin", "show", third.id, "--json", "--context", "xa-csirt")
    assert json.loads(shown)["references"] == [{"id": lost, "rel": "supersedes"}]


def test_what_is_known_by_its_id_alone_is_drafted_by_hand(office: Office) -> None:
    """Of a thread of which nothing is held the newest version is named."""
    gone = office.publish()
    lost, older = (f"0197a1b0-0000-7000-8000-00000000000{n}" for n in (3, 2))
    said = Revision(Said(Key(lost, "", "actual"), 1.0, 2, is_cancel=False), (older,))
    (path,) = office.desk.folder.rglob("outbox.db")
    with closing(sqlite3.connect(path)) as db:
        db.row_factory = sqlite3.Row
        learn(db, [Heard(digest="", channel="actual.green.community", said=said)])
        db.commit()
    (line,) = office.do("bulletin", "update", older, "draft.json", code=3).err[-1:]
    assert lost in line
    assert gone not in line


def test_a_withdrawal_reaches_the_readers_of_each_version(office: Office) -> None:
    """One bulletin on each channel on which a version stands; each names the version there and the newest."""
    first = office.publish()
    second = office.do(
        "bulletin", "update", first, "draft.json", "--tlp", "amber+strict", "--audience", "eu-csirts"
    ).id
    done = office.do("bulletin", "cancel", first, "It was a load test.")
    assert [each["channel"].partition("/")[2] for each in done.accepted] == [
        "actual.amber-strict.eu-csirts",
        "actual.green.community",
    ]
    named = [
        [
            ref["id"]
            for ref in json.loads(
                office.desk.run("bulletin", "show", each["id"], "--json", "--context", "xa-csirt")
            )["references"]
        ]
        for each in done.accepted
    ]
    assert named == [[second], [first, second]]
    office.do("bulletin", "cancel", first, "Again.", code=5)


def test_a_beginning_that_several_threads_have_is_refused(office: Office) -> None:
    """With the candidates, as a usage error; what is too short, or unknown, is not found."""
    first, other = office.publish(), office.publish()
    (refused,) = office.do("bulletin", "cancel", first[:4], "Wrong.", code=2).err
    assert all(word in refused for word in ("ambiguous-id", first, other))
    office.do("bulletin", "cancel", first[:3], "Wrong.", code=3)
    office.do("bulletin", "cancel", "ffff", "Wrong.", code=3)


def test_show_and_trace_take_the_newest_unless_told_otherwise(office: Office) -> None:
    """With `--exact` the version that is named, and what has become of its thread."""
    first = office.publish()
    second = office.do("bulletin", "update", first, "draft.json").id
    for words, of in ((("bulletin", "show"), None), (("trace",), "id")):
        newest, exact = (
            office.desk._done((*words, first, *more, "--json", "--context", "xa-csirt"))
            for more in ((), ("--exact",))
        )
        assert [json.loads(each.out)[of or "id"] for each in (newest, exact)] == [second, first]
        assert f"acting on version 2, {second}" in newest.err
        assert f"the newest is version 2, {second}" in exact.err


def test_what_the_outbox_does_not_hold_any_more_is_said(office: Office) -> None:
    """The thread is known by another member, and its newest version is gone."""
    first = office.publish()
    office.do("bulletin", "update", first, "draft.json")
    with sqlite3.connect(next(office.desk.folder.rglob("outbox.db"))) as db:
        db.execute("DELETE FROM bulletins WHERE seq = 2")
    db.close()
    found = office.desk._done(("bulletin", "show", first, "--context", "xa-csirt"))
    assert found.code == 3
