"""Every way out of a hub or a desk: what is told of a bulletin carries its marking and whether it is an exercise, or is refused."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bus.admission.steps import admit
from bus.admission.verdict import Judged, Message
from bus.cli.main import COMMANDS, program
from bus.hub.picture.projection import Projection
from bus.subscribing.inbox import Inbox
from bus.transport.cursor import Cursor
from schemas.bulletin import Draft
from schemas.codec import encode
from schemas.envelope import SIG_HEADER, parse_header, read_signed, write_signed
from schemas.vocab import Status, Tlp
from tests.support.office import Desk
from tests.support.world import World, bulletin, draft, make_world, sign, within

FILE = "registry.tocsin.json"
CASES: dict[str, tuple[Status, Tlp, str]] = {
    "actual in a network": (Status.ACTUAL, Tlp.AMBER_STRICT, "eu-csirts"),
    "actual for all": (Status.ACTUAL, Tlp.GREEN, "community"),
    "an exercise in a network": (Status.EXERCISE, Tlp.AMBER_STRICT, "eu-csirts"),
    "a test": (Status.TEST, Tlp.GREEN, "community"),
}
ALL = ("--since", "all", "--no-follow", "--status", "actual", "--status", "exercise", "--status", "test")

# Ways that tell what a bulletin says: by line, or the whole of what is printed about one ({id}, {file}, {draft}).
BY_LINE = {
    "watch": ("watch", *ALL),
    "bulletin list": ("bulletin", "list", "--status", "{status}"),
    "bulletin list --mine": ("bulletin", "list", "--mine", "--context", "desk", "--status", "{status}"),
    "picture": ("picture",),
    "trace": ("trace", "{id}"),
}
WHOLE = {
    "bulletin show": ("bulletin", "show", "{id}"),
    "verify": ("verify", "{file}"),
    "preview": ("preview", "{draft}", "--context", "desk"),
}
# Ways that give the signed bytes on: the labels are inside, under the signature.
SIGNED = {"bulletin show --raw": ("bulletin", "show", "{id}", "--raw")}
# All other commands, and why they need no label.
ELSEWHERE = {
    "its own tests": (
        *("demo", "bulletin seal", "bulletin open", "bulletin endorse", "bulletin proof"),
        *("bundle export", "bundle import", "bundle inspect", "drill run", "drill comcheck", "drill answer"),
        *("notify run", "notify check", "notify test", "notify log"),
        *("backup", "restore", "answers", "questions", "clocks", "incident list", "incident show", "incident suggested"),
        *("incident join", "incident reject", "incident split", "incident undo"),
    ),
    "numbers, names and reasons alone": (
        *("channels", "quarantine", "hub run", "hub status", "hub decide", "hub prune", "hub scrub", "hub rebuild", "doctor", "outbox status", "outbox retry"),
        *("outbox recover", "outbox reanchor", "outbox scrub", "outbox receipts", "outbox prune", "audit show", "audit verify", "audit head", "audit archive"),
        *("people", "election list", "election show", "heartbeat run", "heartbeat once"),
    ),
    "channel, number and digest of what was said, which name marking and status": (
        *("publish", "bulletin update", "bulletin cancel", "bulletin ack", "answer"),
    ),
    "drafts, which are nobody's word yet": ("bulletin new", "bulletin draft", "bulletin check", "adapter convert", "adapter run"),
    "nothing of a bulletin": (
        *("bench", "key", "registry", "server", "service", "context", "config", "completion", "help", "schema", "vocab", "adapter list"),
        *("audiences", "explain"),
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def world() -> World:
    """Two countries, as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, world: World) -> Iterator[Desk]:
    """xb-hub with each case in its store, xa-csirt with each in its outbox, and the signed files."""
    folder = tmp_path_factory.mktemp("egress")
    with pytest.MonkeyPatch.context() as patch:
        made = Desk(folder, patch)
        (folder / FILE).write_bytes(world.raw)
        made.hold("csirt", world.signers["xa-csirt"])
        shared = ("--domain", world.registry.domain, "--pin", world.pin, "--registry", FILE)
        made.run("context", "add", "hub", "--authority", "xb-hub", *shared, "--state", "hub", "--use")
        keys = ("--key", "csirt.pem", "--passphrase-file", "csirt.pass")
        made.run("context", "add", "desk", "--authority", "xa-csirt", *shared, *keys, "--state", "desk")
        asyncio.run(_fill(folder, world))
        drafts = [str(folder / f"{place}.draft.json") for place in range(len(CASES))]
        made.run("publish", *drafts, "--wait", "accepted", "--context", "desk")
        yield made


def said(case: str) -> Draft:
    """What is said in a case; its headline is the case's name."""
    status, tlp, audience = CASES[case]
    return draft(
        case,
        status=status,
        tlp=tlp,
        audience=audience,
        exercise_id="xa-drill-1" if status is Status.EXERCISE else None,
    )


async def _fill(folder: Path, world: World) -> None:
    judged = []
    for place, case in enumerate(CASES):
        found = sign(world, bulletin(world, say=said(case)))
        (folder / f"{place}.id").write_text(found.bulletin.id)
        entries = parse_header(dict(found.headers)[SIG_HEADER], within())
        (folder / f"{place}.tocsin.json").write_bytes(write_signed(found.payload, entries))
        (folder / f"{place}.draft.json").write_bytes(encode(said(case)))
        admitted = admit(found.subject, found.headers, found.payload, registry=world.registry, now=world.now)
        message = Message(
            subject=found.subject,
            headers=found.headers,
            payload=found.payload,
            stream="WORLD_ACTUAL",
            stream_seq=place + 1,
            digest=found.digest,
        )
        judged.append(Judged(message=message, admitted=admitted))
    async with Inbox.open(folder / "hub" / "store.db", projector=Projection()) as store:
        await store.settle(judged, "WORLD_ACTUAL", Cursor(seq=len(judged)), world.now)


def told(desk: Desk, arguments: tuple[str, ...], case: str) -> str:
    """What one way prints about one case."""
    place = list(CASES).index(case)
    folder = desk.folder
    names = {
        "id": (folder / f"{place}.id").read_text(),
        "file": str(folder / f"{place}.tocsin.json"),
        "draft": str(folder / f"{place}.draft.json"),
        "status": str(CASES[case][0]),
    }
    return desk.view(*(each.format(**names) for each in arguments))


def says_how(text: str, case: str) -> bool:
    """Whether words for a person carry marking, audience and what is not real."""
    status, tlp, audience = CASES[case]
    real = (
        f"[{status.upper()}]" in text
        or f"{status.upper()}: THIS IS NOT REAL" in text
        or f"status {status}" in text
        or f"{status}." in text
    )
    return f"TLP:{tlp.upper()}" in text and audience in text and (real or status is Status.ACTUAL)


def members(value: object) -> Iterator[tuple[str, object]]:
    """Every member of a JSON document, at whatever depth."""
    for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from members(each)
    if isinstance(value, dict):
        yield from value.items()


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", BY_LINE)
def test_every_line_that_tells_of_a_bulletin_carries_its_marking(desk: Desk, way: str, case: str) -> None:
    """For a person; what is not actual is said to be so, or, in the picture, is not there at all."""
    lines = [line for line in told(desk, BY_LINE[way], case).splitlines() if case in line]
    if way == "picture" and CASES[case][0] is not Status.ACTUAL:
        assert lines == []
        return
    assert lines
    assert all(says_how(line, case) for line in lines), lines


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", WHOLE)
def test_what_is_printed_of_one_bulletin_carries_its_marking(desk: Desk, way: str, case: str) -> None:
    """In words, or in the members of the bulletin itself."""
    text = told(desk, WHOLE[way], case)
    if text.startswith("{"):
        status, tlp, audience = CASES[case]
        assert {("status", str(status)), ("tlp", str(tlp)), ("audience", audience)} <= set(_words(text))
    else:
        assert says_how(text, case)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", [way for way in (*BY_LINE, *WHOLE) if way != "preview"])
def test_every_object_that_tells_of_a_bulletin_carries_its_marking(desk: Desk, way: str, case: str) -> None:
    """For a program, with --json: marking and status are members beside the words, not to be guessed from a subject."""
    status, tlp, audience = CASES[case]
    found = [
        line
        for line in told(desk, (*{**BY_LINE, **WHOLE}[way], "--json"), case).splitlines()
        if case in line or way == "verify"
    ]
    if way == "picture":
        items = [item for line in found for item in json.loads(line)["top"] if item["headline"] == case]
        assert len(items) == (status is Status.ACTUAL)
        found = [json.dumps(item) for item in items]
    elif way == "trace":
        assert all(says_how(line, case) for line in found)
        return
    for line in found:
        assert {("status", str(status)), ("tlp", str(tlp)), ("audience", audience)} <= set(_words(line)), line


def _words(line: str) -> Iterator[tuple[str, str]]:
    return ((name, each) for name, each in members(json.loads(line)) if isinstance(each, str))


def test_the_picture_is_marked_by_the_narrowest_of_what_it_was_made_from(desk: Desk) -> None:
    """Its counts tell of bulletins too."""
    assert json.loads(desk.view("picture", "--json"))["tlp"] == "amber+strict"
    assert "made from up to TLP:AMBER+STRICT" in desk.view("picture")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("way", SIGNED)
def test_a_signed_file_goes_out_byte_for_byte(desk: Desk, way: str, case: str) -> None:
    """Nothing can be weakened, because nothing can be changed: it verifies, and the payload is the one that came."""
    raw = told(desk, SIGNED[way], case).encode()
    there = (desk.folder / f"{list(CASES).index(case)}.tocsin.json").read_bytes()
    assert read_signed(raw, within()).payload == read_signed(there, within()).payload


@pytest.mark.parametrize(
    "arguments",
    [
        ("channels",),
        ("quarantine",),
        ("hub", "status"),
        ("audit", "show"),
        ("outbox", "status", "--context", "desk"),
    ],
    ids=" ".join,
)
def test_other_ways_tell_nothing_that_a_bulletin_says(desk: Desk, arguments: tuple[str, ...]) -> None:
    """Not a headline, in words or as JSON."""
    text = desk.view(*arguments) + desk.view(*arguments, "--json")
    assert not any(case in text for case in CASES)


def test_no_command_was_forgotten() -> None:
    """A new command is put in one of these tables, or this fails."""
    context = click.Context(program)
    known = {*(" ".join(way.split(" --")[0].split()) for way in (*BY_LINE, *WHOLE, *SIGNED))}
    known |= {each for names in ELSEWHERE.values() for each in names}
    leaves = set()
    for name in COMMANDS:
        found = program.get_command(context, name)
        parts = found.list_commands(context) if isinstance(found, click.Group) else ()
        leaves |= {f"{name} {part}" for part in parts} if parts and name not in known else {name}
    assert leaves == known


def test_what_is_not_held_is_refused(desk: Desk) -> None:
    """Nothing goes out in its place."""
    assert "[not-found]" in desk.run("bulletin", "show", "0" * 43, "--raw", code=3)
