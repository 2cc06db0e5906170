"""The demonstration and the command line over it, as a newcomer meets them: a real process, real files.

The commands over it run in this process but for the first, which is an officer's: `make record` has all as processes.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.demo.countries import CAST
from bus.demo.founding import prepare
from tests.support.clocks import utc_now
from tests.support.office import Done, done_here
from tests.support.places import ROOT
from tests.support.waiting import COMMAND_PAUSE_S, eventually_sync, longest

TOCSIN = Path(sys.executable).parent / "tocsin"
DRAFTS = ROOT / "examples" / "drafts"
OF_STORY = {member.id for member in CAST}
FIRST_ROUND = (
    20  # bulletins of the first samples that the hub of XB may read; the next samples come a minute later
)


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A demonstration in its folder."""

    folder: Path
    process: subprocess.Popen[str]

    def run(self, *arguments: str, context: str = "xa-csirt", home: Path | None = None) -> Done:
        """One command over it, or over another home, in this process."""
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(ROOT)
            for name, value in self.env.items():
                patch.setenv(name, value)
            if home is not None:
                patch.setenv("TOCSIN_HOME", str(home))
            patch.setattr(sys, "stdin", io.StringIO())
            patch.setattr(
                sys, "argv", ["tocsin", "--context", context, *arguments]
            )  # how to say what cannot be read
            return done_here(["--context", context, *arguments])

    def run_alone(self, *arguments: str, context: str = "xa-csirt") -> Done:
        """One command over it, in a process of its own, as a newcomer runs it."""
        done = subprocess.run(
            [TOCSIN, "--context", context, *arguments],
            env={**os.environ, **self.env},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=longest(),
        )
        return Done(done.returncode, done.stdout, done.stderr)

    @property
    def env(self) -> dict[str, str]:
        """What the environment says beside what it says to these tests; its broker answers, however slow the machine is."""
        return {"TOCSIN_HOME": str(self.folder), "NO_COLOR": "1", "TOCSIN_TIMEOUT": str(longest())}

    def is_up(self) -> bool:
        """Whether its first round of samples has been admitted; it must be running."""
        assert self.process.poll() is None, (self.folder / "demo.log").read_text()
        if not (self.folder / "config.toml").exists():
            return False
        status = self.run("picture", "--json", context="xb-hub")
        return status.code == 0 and json.loads(status.out)["in_force"] >= FIRST_ROUND


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A running demonstration whose first round of samples has been admitted."""
    folder = tmp_path_factory.mktemp("demo")
    log = folder / "demo.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            [TOCSIN, "demo", "--dir", str(folder), "--json"], cwd=ROOT, stdout=out, stderr=out, text=True
        )
    running = Running(folder=folder, process=process)
    try:
        eventually_sync(running.is_up, describe=log.read_text, pause_s=COMMAND_PAUSE_S)
        yield running
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(longest())


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose keys and registry are there: the demonstration of the fixture above has founded its own."""
    folder = tmp_path_factory.mktemp("begun") / "demo"
    prepare(folder, now=utc_now())
    return folder


@pytest.fixture
def folder(begun: Path, tmp_path: Path) -> Path:
    """A copy of it, for one test."""
    return Path(shutil.copytree(begun, tmp_path / "d"))


def published(run: Callable[..., Done]) -> dict[str, Any]:
    """One more bulletin of the CSIRT of XA."""
    done = run("publish", str(DRAFTS / "cyber.json"), "--again", "--json")
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_publish_answers_stored(demo: Running) -> None:
    """An officer's bulletin is stored while the authority's adapter runs in another process."""
    found = published(demo.run_alone)
    assert set(found) == {"id", "channel", "seq", "digest", "subject", "state"}
    assert found["state"] == "stored"
    assert found["channel"] == "xa-csirt/actual.green.community"


def test_watch_shows_it_verified_and_verify_names_the_signer(demo: Running, tmp_path: Path) -> None:
    """What one country's officer says, the other country's hub shows; its file form verifies anywhere."""
    found = published(demo.run)
    held(demo, found["digest"])
    seen = demo.run("watch", "--topic", "cyber", "--since", "all", "--no-follow", "--json", context="xb-hub")
    rows = [json.loads(line) for line in seen.out.splitlines()]
    assert found["digest"] in {row["digest"] for row in rows}
    assert {"bulletin", "digest", "subject", "admitted_at", "late", "trust", "labels", "marks"} == set(
        rows[-1]
    )
    assert {row["trust"] for row in rows} == {"fresh"}
    raw = demo.run("bulletin", "show", found["id"], "--raw", context="xb-hub").out
    path = tmp_path / "b.tocsin.json"
    path.write_text(raw)
    good = demo.run("verify", str(path), "--json", context="xb-hub")
    assert good.code == 0
    assert json.loads(good.out)["issuer"] == "xa-csirt"
    file = json.loads(raw)
    payload = bytearray(base64.urlsafe_b64decode(file["payload"] + "==="))
    payload[100] ^= 1
    file["payload"] = base64.urlsafe_b64encode(bytes(payload)).rstrip(b"=").decode()
    path.write_text(json.dumps(file))
    bad = demo.run("verify", str(path), "--json", context="xb-hub")
    assert (bad.code, json.loads(bad.err)["error"]["reason"]) == (6, "bad-signature")


def test_an_authority_cannot_say_what_it_has_no_grant_for(demo: Running) -> None:
    """Refused before signing, with exit code 5, and nothing is kept."""
    refused = demo.run(
        "publish",
        str(DRAFTS / "electoral.toml"),
        "--again",
        "--tlp",
        "clear",
        "--audience",
        "public",
        "--json",
    )
    assert (refused.code, json.loads(refused.err)["error"]["reason"]) == (5, "not-permitted")
    path = demo.folder / "state" / "xa-csirt" / "outbox.db"
    with contextlib.closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as outbox:
        said = outbox.execute("SELECT channel, count(*) FROM outbox GROUP BY channel").fetchall()
    assert said
    assert "clear.public" not in str(said)


NETWORK = ("--tlp", "amber+strict", "--audience", "xa-election-network")
READERS = ("xa-emb", "xa-csirt", "xa-foreign", "xa-comms")


def test_a_deepfake_is_read_by_four_authorities_of_its_country(demo: Running) -> None:
    """At AMBER+STRICT to the national network: each reads it with one command, verified, and nobody abroad is a reader."""
    draft = str(DRAFTS / "digital.toml")
    readers = json.loads(demo.run("preview", draft, *NETWORK, "--json", context="xa-dsc").out)["readers"]
    assert {reader["country"] for reader in readers} == {"XA"}
    assert {reader["authority"] for reader in readers} >= set(READERS)
    done = demo.run("publish", draft, "--again", *NETWORK, "--json", context="xa-dsc")
    assert done.code == 0, done.err
    said = json.loads(done.out)
    for reader in READERS:
        # All that the coordinator says to this network are notices, so this one is among the first `seq` of them.
        watch = (
            "watch",
            "--topic",
            "content-notice",
            "--since",
            "all",
            "--count",
            str(said["seq"]),
            "--json",
        )
        seen = demo.run(*watch, context=reader)
        assert seen.code == 0, seen.err
        rows = {row["digest"]: row for row in map(json.loads, seen.out.splitlines())}
        assert rows[said["digest"]]["trust"] == "fresh"


def test_the_network_of_another_country_is_refused_in_a_sentence(demo: Running) -> None:
    """Before anything is signed, with whose network it is and where to write instead."""
    elsewhere = ("--tlp", "amber+strict", "--audience", "xb-election-network")
    done = demo.run("publish", str(DRAFTS / "digital.toml"), "--again", *elsewhere, context="xa-dsc")
    assert (done.code, done.out) == (5, "")
    told, words, brief = done.err.splitlines()
    assert told.endswith(
        "audience: xb-election-network is a national network of XB, and xa-dsc is of XA: only authorities of its own country "
        "publish there; at this marking it may publish to: eu-dsc, xa-election-network [not-permitted]"
    )
    assert "xa-election-network" in words
    assert brief.endswith("1 fault to correct [not-permitted]")


def test_an_authority_cannot_speak_as_another(demo: Running, tmp_path: Path) -> None:
    """With another's name over its own key it is refused before signing, with exit code 5."""
    home = tmp_path / "home"
    home.mkdir()
    for part in ("registry", "keys"):
        (home / part).symlink_to(demo.folder / part)
    settings = (demo.folder / "config.toml").read_text()
    (home / "config.toml").write_text(settings.replace("keys/xa-emb/signing", "keys/xa-csirt/signing"))
    done = demo.run(
        "publish", str(DRAFTS / "electoral.toml"), "--again", "--json", context="xa-emb", home=home
    )
    assert (done.code, json.loads(done.err)["error"]["reason"]) == (5, "not-your-key")


def test_trace_tells_both_halves_of_a_life(demo: Running) -> None:
    """The publisher's half and the reader's half of one bulletin."""
    found = published(demo.run)
    mine = json.loads(demo.run("trace", found["id"], "--json").out)
    # A hub may have verified it before its author knows that it is stored.
    steps = [step["what"] for step in mine["steps"] if step["what"] != "verified"]
    assert steps == ["accepted", "sent", "stored"]
    assert mine["ladder"]["state"] in ("stored", "received")
    theirs = demo.run("trace", found["id"], context="xb-hub")
    assert "admitted" in theirs.out


def receipts(demo: Running, digest: str, reached: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """Where one bulletin of the CSIRT of XA stands, once it has come so far."""
    found: dict[str, Any] = {}

    def climbed() -> bool:
        done = demo.run("outbox", "receipts", digest, "--json")
        assert done.code == 0, done.err
        found.update(json.loads(done.out))
        return reached(found)

    eventually_sync(climbed, describe=lambda: found, pause_s=COMMAND_PAUSE_S)
    return found


def test_the_ladder_is_climbed_to_its_end(demo: Running) -> None:
    """Received by both hubs, read when a person at each says so, withdrawn when both confirm it."""
    said = demo.run("publish", str(DRAFTS / "cyber.json"), "--again", "--wait", "received", "--json")
    found = json.loads(said.out)
    assert (said.code, found["state"]) == (0, "received"), said.err
    unread = demo.run("publish", str(DRAFTS / "cyber.json"), "--again", "--wait", "read=5", "--json")
    assert (unread.code, json.loads(unread.out)["state"] != "read") == (8, True)
    for hub in ("xa-hub", "xb-hub"):
        done = demo.run("bulletin", "ack", found["id"], "--note", "told the minister", "--json", context=hub)
        assert (done.code, json.loads(done.out)["state"]) == (0, "stored"), done.err
    assert "told the minister" in demo.run("audit", "show", context="xb-hub").out
    receipts(demo, found["digest"], lambda each: each["state"] == "read" and not each["missing"])
    assert demo.run("bulletin", "cancel", found["id"], "It was a load test.").code == 0
    gone = receipts(
        demo, found["digest"], lambda each: not each["unconfirmed"] and each["said"]["is_cancelled"]
    )
    assert all(each["withdrawn"] for each in gone["readers"])


@pytest.mark.parametrize(
    ("context", "wanted", "code"),
    [("xb-hub", "0196fe2f-9be0-7000-8000-000000000009", 3), ("xa-csirt", "anything", 3)],
)
def test_only_what_is_held_is_acknowledged(demo: Running, context: str, wanted: str, code: int) -> None:
    """One sentence, and nothing is said."""
    done = demo.run("bulletin", "ack", wanted, "--json", context=context)
    assert done.code == code
    assert json.loads(done.err.splitlines()[-1])["error"]["reason"] == "not-found"


def test_an_outbox_is_pruned_of_nothing_young(demo: Running) -> None:
    """A day's work stays."""

    def rows() -> int:
        return sum(json.loads(demo.run("outbox", "status", "--json").out)["counts"].values())

    before = rows()
    done = demo.run("outbox", "prune", "--json")
    assert (done.code, json.loads(done.out)) == (0, {"pruned": 0, "kept": {}, "talk": 0})
    assert rows() >= before  # the demonstration goes on speaking


def held(demo: Running, digest: str, context: str = "xb-hub") -> None:
    """Wait until a hub holds a bulletin."""
    eventually_sync(
        lambda: demo.run("bulletin", "show", digest, context=context).code == 0, pause_s=COMMAND_PAUSE_S
    )


def test_update_and_cancel_go_the_way_of_the_original(demo: Running) -> None:
    """Its channel, whatever the context's defaults are; readers see it superseded, then withdrawn, and the reason."""
    draft = (
        "publish",
        str(DRAFTS / "cyber.json"),
        "--again",
        "--tlp",
        "amber+strict",
        "--audience",
        "eu-csirts",
        "--json",
    )
    original = json.loads(demo.run(*draft).out)
    said = demo.run("bulletin", "update", original["id"], str(DRAFTS / "cyber.toml"), "--json")
    assert (said.code, json.loads(said.out)["channel"]) == (0, original["channel"]), said.err
    done = demo.run("bulletin", "cancel", original["digest"], "It was a load test.", "--json")
    cancelled = json.loads(done.out)
    assert (done.code, cancelled["channel"]) == (0, original["channel"])
    held(demo, cancelled["digest"])
    for exact, ends in (((), ["cancelled"]), (("--exact",), ["superseded", "withdrawn"])):
        life = json.loads(demo.run("trace", original["id"], *exact, "--json", context="xb-hub").out)
        assert [step["what"] for step in life["steps"]][2:] == ends
    shown = json.loads(demo.run("bulletin", "show", cancelled["id"], "--json", context="xb-hub").out)
    assert (shown["msg_type"], shown["info"][0]["summary"]) == ("cancel", "It was a load test.")
    picture = json.loads(demo.run("picture", "--json", context="xb-hub").out)
    assert not any("Withdrawn" in item["headline"] for item in picture["top"])


def test_a_headline_with_a_line_end_forges_no_line_of_the_picture(demo: Running, tmp_path: Path) -> None:
    """What an authority writes stands in its own line, escaped."""
    draft = json.loads((DRAFTS / "cyber.json").read_text())
    draft["info"][0]["headline"] = "x\n  p1 11-25 17:03 xa-emb    the vote is void \x1b[31m"
    path = tmp_path / "hostile.json"
    path.write_text(json.dumps(draft))
    done = demo.run("publish", str(path), "--again", "--json")
    if done.code == 5:
        return  # refused before it was signed: better still
    held(demo, json.loads(done.out)["digest"])
    for view in (("picture",), ("bulletin", "list"), ("watch", "--since", "all", "--no-follow")):
        out = demo.run(*view, context="xb-hub").out
        assert "\\u000a  p1" in out
        assert "\x1b" not in out
        assert not any(line.startswith("  p1 11-25") for line in out.splitlines())


def test_heartbeats_keep_every_channel_alive(demo: Running) -> None:
    """Each authority that the other country's hub may read is live, spoken or not; nothing is wrong with any of them.

    The offices of the story are left out, because the story has troubles of its own.
    """
    seen: list[Any] = []

    def are_live() -> bool:
        """Each author's first heartbeat comes in its own time after the start."""
        rows = json.loads(demo.run("channels", "--json", context="xb-hub").out)
        seen[:] = [
            row for row in rows if row["channel"].startswith("actual.") and row["authority"] not in OF_STORY
        ]
        return {row["state"] for row in seen} == {"live"}

    eventually_sync(are_live, describe=lambda: seen, pause_s=COMMAND_PAUSE_S)
    alarms = json.loads(demo.run("channels", "--alarms", "--json", context="xb-hub").out)
    assert [each for each in alarms if each["channel"].partition("/")[0] not in OF_STORY] == []
    # The demonstration leads, and this waits in vain for its turn.
    said = json.loads(demo.run("heartbeat", "once", "--timeout", "1", "--json").out)
    assert [each["channel"].split("/")[1] for each in said] == [
        "beat.amber-strict.eu-csirts",
        "beat.amber-strict.eu-dpas",
        "beat.amber-strict.xa-election-network",
        "beat.green.community",
    ]
    asked = json.loads(demo.run("outbox", "scrub", "--json").out)
    assert asked == {"offered_again": None, "stored": True}


def test_server_check_knows_the_demonstrations_broker(demo: Running) -> None:
    """Its free ports are found in the broker's folder, and every check passes."""
    done = demo.run("server", "check", str(demo.folder / "server"), "--json", context="xb-hub")
    assert done.code == 0, done.out + done.err


def test_a_busy_port_is_said_with_the_flag(demo: Running, folder: Path) -> None:
    """One sentence: choose another --port."""
    settings = (demo.folder / "config.toml").read_text()
    port = settings.partition("nats://127.0.0.1:")[2].partition('"')[0]
    done = demo.run("demo", "--dir", str(folder), "--port", port, "--for", "5", "--json")
    assert (done.code, json.loads(done.err.splitlines()[-1])["error"]["reason"]) == (1, "port-taken")


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (("--bogus",), 2, "usage"),
        (("publish", "nowhere.json"), 3, "file-missing"),
        (("publish", "README.md"), 5, "malformed-payload"),
        (("trace", "0196fe2f-9be0-7000-8000-000000000009"), 3, "not-found"),
        (("verify", "examples/drafts/cyber.json"), 6, "malformed-envelope"),
        (("watch", "--topic", "cybr"), 2, "usage"),
        (("key", "show", "README.md", "--passphrase-file", "README.md"), 6, "key-permissions"),
    ],
)
def test_each_error_is_one_sentence_with_its_exit_code(
    demo: Running, arguments: tuple[str, ...], code: int, reason: str
) -> None:
    """A wrong flag, a missing file, a bad file: what happened, in one object, with the documented code."""
    done = demo.run(*arguments, "--json")
    assert done.code == code, done.err
    assert json.loads(done.err.splitlines()[-1])["error"]["reason"] == reason
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "command", ["picture", "channels", "quarantine", "doctor", "context ls", "config show", "adapter list"]
)
def test_every_view_has_a_json_twin(demo: Running, command: str) -> None:
    """`--json` prints JSON and nothing else on standard output."""
    done = demo.run(*command.split(), "--json", context="xb-hub")
    assert done.code == 0, done.err
    for line in done.out.splitlines():
        json.loads(line)


def test_a_dead_bus_queues_with_exit_75(demo: Running, tmp_path: Path) -> None:
    """With no server there, the bulletin is safe on the disk and the exit code says so."""
    settings = (demo.folder / "config.toml").read_text()
    home = tmp_path / "home"
    home.mkdir()
    for part in ("registry", "keys"):
        (home / part).symlink_to(demo.folder / part)
    server = next(line for line in settings.splitlines() if line.startswith("server"))
    (home / "config.toml").write_text(settings.replace(server, 'server = "nats://127.0.0.1:9"'))
    said = ("publish", str(DRAFTS / "cyber.json"), "--again", "--wait", "stored=1", "--json")
    done = demo.run(*said, context="xb-csirt", home=home)
    assert done.code == 75, done.err
    assert json.loads(done.out)["state"] == "accepted"


@pytest.mark.short_faults
@pytest.mark.slow
def test_a_bounded_demo_ends_with_its_summary_and_goes_on_next_time(folder: Path) -> None:
    """Fourteen authorities, at least four kinds, nothing refused, nothing lost; twice in the same folder."""
    for _ in range(2):
        done = subprocess.run(
            [TOCSIN, "demo", "--dir", str(folder), "--for", "5", "--json"],
            cwd=ROOT, capture_output=True, text=True, timeout=longest(),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        tally = json.loads(done.stdout.splitlines()[-1])
        assert len(tally["authorities"]) == 14
        assert all(each["published"] == each["stored"] > 0 for each in tally["authorities"].values())
        assert len(tally["kinds"]) >= 4
        assert (tally["refused"], tally["lost"]) == (0, 0)
        # But for the four of eu-dpas, and two of XA's election network.
        assert tally["hubs"]["xb-hub"]["admitted"] == tally["published"] - 6


def test_a_demo_whose_reader_goes_ends_clean(folder: Path) -> None:
    """Behind a closed pipe: no traceback, exit 0, and no server is left."""
    with subprocess.Popen(
        [TOCSIN, "demo", "--dir", str(folder)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(longest()), "Traceback" in said) == (0, False), said
    assert not list((folder / "server").glob("*.ports"))


def test_a_demo_interrupted_while_it_starts_says_so(tmp_path: Path) -> None:
    """Exit 130 in a word, and the folder is good for the next start."""
    with subprocess.Popen(
        [TOCSIN, "demo", "--dir", str(tmp_path / "d")], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:  # fmt: skip
        assert process.stderr is not None
        assert process.stderr.readline().startswith("starting")
        eventually_sync((tmp_path / "d" / "demo.lock").exists)
        process.send_signal(signal.SIGINT)
        assert process.wait(longest()) == 130
        assert "interrupted" in process.stderr.read()
