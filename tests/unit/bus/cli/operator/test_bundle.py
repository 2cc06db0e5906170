"""The air gap: a hub that was offline comes to the same picture, and nothing leaves for somebody it is not for."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.bundle.file import Carried, Content, Opening, Statement, Version, read, write
from bus.hub.picture import summary
from bus.hub.picture.projection import Projection
from bus.hub.watch.channels import channel_rows
from bus.keys.signatures import FileSigner, sign_batch
from bus.subscribing.inbox import Inbox
from bus.trust import ceremony
from bus.trust.registry import VerifiedRegistry
from bus.trust.revocations import new_statement
from schemas.envelope import SIG_HEADER, b64u, file_form, format_header
from schemas.parts import Handling, Ref
from schemas.subject import Channel
from schemas.vocab import MsgType, RefRel, Status, Tlp
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.world import Message, World, bulletin, chain, draft, make_world, sign, signed_registry

DAY = dt.timedelta(days=1)


@cache
def world() -> World:
    """Two countries whose registry stands as of the real clock."""
    return make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))


def spoken(issuer: str, count: int, tlp: Tlp, audience: str, **changes: Any) -> list[Message]:
    """Some bulletins of one channel."""
    said: list[Message] = []
    for seq in range(1, count + 1):
        say = draft(f"{issuer} number {seq}", tlp=tlp, audience=audience)
        made = bulletin(world(), issuer, seq=seq, prev=said[-1].digest if said else None, say=say, **changes)
        said.append(sign(world(), made))
    return said


@cache
def history() -> list[Message]:
    """Two countries, a withdrawal, an exercise, one that breaks a rule in the middle of its chain."""
    csirt = chain(world(), 3)
    gone = bulletin(
        world(), seq=4, prev=csirt[-1].digest, say=draft("withdrawn"), msg_type=MsgType.CANCEL,
        references=(Ref(id=csirt[1].bulletin.id, rel=RefRel.CANCELS),),
    )  # fmt: skip
    wrong = bulletin(world(), "xb-dsc", expires=world().now, say=draft("ends as it begins"))
    broken = sign(world(), wrong)
    after = sign(world(), bulletin(world(), "xb-dsc", seq=2, prev=broken.digest, say=draft("goes on")))
    return [
        *csirt,
        sign(world(), gone),
        broken,
        after,
        *spoken("xb-csirt", 2, Tlp.AMBER_STRICT, "eu-csirts"),
        *spoken("xa-emb", 2, Tlp.CLEAR, "public"),
        *spoken("xa-dpa", 2, Tlp.GREEN, "community", status=Status.EXERCISE, exercise_id="xa-drill"),
    ]


@pytest.fixture(autouse=True)
def present() -> None:
    """Each test has a world of its own moment: what is live and late depends on the real clock."""
    world.cache_clear()
    history.cache_clear()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The desks of two hubs; only xa-hub has been on the bus."""
    made = hub_desk(tmp_path, monkeypatch, world(), "xa-hub", "xb-hub")
    asyncio.run(take_in(store_of(tmp_path, "xa-hub"), world(), history()))
    return made


def export(desk: Desk, *more: str, code: int = 0, out: str = "all.bundle") -> str:
    """`bundle export` as xa-hub."""
    return desk.run("bundle", "export", "--context", "xa-hub", "--out", out, "--yes", *more, code=code)


def bring(desk: Desk, file: str = "all.bundle", code: int = 0) -> dict[str, Any]:
    """`bundle import` as xb-hub."""
    said = desk.run("bundle", "import", file, "--context", "xb-hub", "--json", code=code)
    return json.loads(said) if not code else {"said": said}


async def pictured(path: Path) -> tuple[object, ...]:
    """What xb-hub sees in a store."""
    registry = VerifiedRegistry.open(world().raw)
    async with Inbox.open(path, projector=Projection()) as store:
        return await store.read(
            lambda db: (
                summary.picture(db, world().now, registry, "xb-hub"),
                channel_rows(db, world().now, registry, "xb-hub"),
                sorted(
                    tuple(r)
                    for r in db.execute("SELECT digest, labels, subject, signature, payload FROM admitted")
                ),
                sorted(tuple(r) for r in db.execute("SELECT channel, seq, digest, reason FROM links")),
                sorted(tuple(r) for r in db.execute("SELECT id, status, ended_how FROM exercise")),
            )
        )


def test_a_hub_that_was_offline_sees_what_one_on_the_bus_sees(desk: Desk) -> None:
    """Picture, channels, chains, labels and bytes are the same, and a second import changes nothing."""
    on_the_bus, held = desk.folder / "bus" / "store.db", history()
    asyncio.run(take_in(on_the_bus, world(), held))
    export(desk, "--to", "xb-hub")
    desk.run(
        "bundle", "import", "all.bundle", "--context", "xb-hub", code=8
    )  # one breaks a rule, here as there
    mine = store_of(desk.folder, "xb-hub")
    assert asyncio.run(pictured(mine)) == asyncio.run(pictured(on_the_bus))
    again = bring(desk)
    assert (again["admitted"], again["refused"], again["known"]) == (0, 0, len(held))
    assert asyncio.run(pictured(mine)) == asyncio.run(pictured(on_the_bus))


def test_parts_in_any_order_come_to_the_same_truth(desk: Desk) -> None:
    """One bundle for each channel, the last one first: all is there, nothing twice."""
    export(desk, "--channel", "xa-csirt/actual.green.community", out="a.bundle")
    export(desk, "--topic", "electoral", "--topic", "digital", out="b.bundle")
    export(desk, "--to", "xb-hub", out="c.bundle")
    assert bring(desk, "a.bundle")["admitted"] == 4
    assert desk.run("bundle", "import", "b.bundle", "--context", "xb-hub", "--json", code=8)
    found = bring(desk, "c.bundle")
    assert (found["admitted"], found["known"]) == (4, 8)
    assert bring(desk, "a.bundle")["known"] == 4
    mine = asyncio.run(pictured(store_of(desk.folder, "xb-hub")))
    theirs = asyncio.run(pictured(store_of(desk.folder, "xa-hub")))
    assert mine[:2] == theirs[:2]


def test_the_exact_bytes_travel(desk: Desk) -> None:
    """Payload, signature and subject in the file are those in the store; exports and imports are on record."""
    export(desk, "--to", "xb-hub")
    with (desk.folder / "all.bundle").open("rb") as file:
        lines = [line for line in read(file) if isinstance(line, Carried)]
    theirs = asyncio.run(pictured(store_of(desk.folder, "xa-hub")))[2]
    sent = {(line.subject, line.sig, line.payload_bytes()) for line in lines}
    assert {row[2:] for row in theirs} <= sent  # type: ignore[attr-defined]  # rows of the store
    desk.run("bundle", "import", "all.bundle", "--context", "xb-hub", code=8)
    inspected = json.loads(desk.run("bundle", "inspect", "all.bundle", "--json"))
    assert (inspected["by"], inspected["to"], inspected["bulletins"]) == ("xa-hub", "xb-hub", 12)
    for context, event in (("xa-hub", "bundle-exported"), ("xb-hub", "bundle-imported")):
        added, entry = map(json.loads, desk.run("audit", "show", "--context", context, "--json").splitlines())
        assert added["event"] == "context-added"
        assert (entry["event"], entry["facts"]["bundle"]) == (event, inspected["digest"])


STRICT = "xb-csirt/actual.amber-strict.eu-csirts"
LEAVING = {
    "strict, for nobody named": ((), "name its readers"),
    "strict, for somebody who may not read it": (("--to", "xa-dsc"), "xa-dsc may not read"),
    "for an audience some of whom may not": (("--to", "eu-csirts"), "may not read"),
    "green, for somebody who may not read it": (
        ("--to", "xa-emb", "--channel", "xa-csirt/actual.green.community"),
        "xa-emb may not read xa-csirt/actual.green.community",
    ),
    "for nobody there is": (("--to", "xz-hub"), "no audience and no authority xz-hub"),
    "strict alone": (("--channel", STRICT), "TLP:AMBER+STRICT"),
}


@pytest.mark.parametrize(("options", "said"), LEAVING.values(), ids=LEAVING)
def test_what_is_not_for_them_refuses_the_whole_bundle(
    desk: Desk, options: tuple[str, ...], said: str
) -> None:
    """Exit 5, one sentence, and no file: nothing is dropped in silence."""
    assert said in export(desk, *options, code=5)
    assert not (desk.folder / "all.bundle").exists()
    assert not list(desk.folder.glob(".all.bundle*"))


def held_world(desk: Desk, tlp: Tlp, audience: str, **handling: Any) -> str:
    """xa-hub holds one more bulletin, of the CSIRT of XB; its channel as an option."""
    say = draft("held", tlp=tlp, audience=audience, handling=Handling(**handling))
    made = bulletin(world(), "xb-csirt", say=say)
    asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world(), [sign(world(), made)]))
    return f"xb-csirt/actual.{tlp.replace('+', '-')}.{audience}"


def test_an_embargo_holds_it_from_whoever_gets_hold_of_the_file(desk: Desk) -> None:
    """Exit 5, the sentence and its reason, and no file; those who may read it are given it."""
    until = world().now + DAY
    of = ("--channel", held_world(desk, Tlp.GREEN, "community", embargo_until=until))
    said = json.loads(export(desk, *of, "--json", code=5))["error"]
    assert said["reason"] == "embargoed"
    assert (
        f"is under embargo until {until:%Y-%m-%d %H:%M} UTC; name readers who may all read it" in said["text"]
    )
    assert not (desk.folder / "all.bundle").exists()
    export(desk, *of, "--to", "xb-hub")
    assert bring(desk)["admitted"] == 1


def test_an_embargo_that_is_over_holds_nothing(desk: Desk) -> None:
    """From its moment on it leaves as any other."""
    until = world().now - dt.timedelta(seconds=1)
    export(desk, "--channel", held_world(desk, Tlp.GREEN, "community", embargo_until=until))


def test_what_is_public_leaves_before_its_time_for_its_readers_alone(desk: Desk) -> None:
    """TLP:CLEAR goes to anybody, but not under embargo to an authority that does not read it here."""
    of = held_world(desk, Tlp.CLEAR, "public", embargo_until=world().now + DAY)
    assert world().registry.may_read("xb-hub", Channel.parse(of))
    assert not world().registry.may_read("xa-emb", Channel.parse(of))
    assert "embargo" in export(desk, "--channel", of, "--to", "xa-emb", code=5)
    export(desk, "--channel", of, "--to", "xb-hub")


def test_what_is_for_some_countries_leaves_for_no_other(desk: Desk) -> None:
    """Nor for nobody in particular; the issuer's own country needs no naming."""
    of = ("--channel", held_world(desk, Tlp.GREEN, "community", releasable_to=("EU",)))
    for to in ((), ("--to", "xa-hub")):
        said = json.loads(export(desk, *of, *to, "--json", code=5))["error"]
        assert said["reason"] == "not-releasable"
        assert "is only for authorities of EU, XB" in said["text"]
    export(desk, *of, "--to", "xb-hub")


def test_what_leaves_is_said_and_asked_for(desk: Desk) -> None:
    """Without --yes and without a person nothing is written; an older file is not replaced."""
    asked = desk.run(
        "bundle", "export", "--context", "xa-hub", "--out", "x.bundle", "--topic", "electoral", code=2
    )
    assert "TLP:CLEAR" in asked
    assert "xa-emb/actual.clear.public" in asked
    assert "add --yes" in asked
    assert not (desk.folder / "x.bundle").exists()
    (desk.folder / "all.bundle").write_text("mine")
    assert "exists already" in export(desk, code=2)
    assert (desk.folder / "all.bundle").read_text() == "mine"


def test_a_span_takes_what_came_in_it(desk: Desk) -> None:
    """`now` is nothing but the registry; a day is everything that came in this test."""
    for span, count in (("now", 0), ("1d", 12)):
        export(desk, "--since", span, "--to", "xb-hub", out=f"{span}.bundle")
        assert json.loads(desk.run("bundle", "inspect", f"{span}.bundle", "--json"))["bulletins"] == count


def test_an_authority_carries_out_what_it_has_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an outbox and no store, as when its uplink is cut."""
    other = hub_desk(desk.folder / "office", monkeypatch, world(), "xa-csirt")
    say = msgspec.json.encode(draft("by hand", tlp=Tlp.GREEN, pap="green", audience="community"))
    (other.folder / "draft.json").write_bytes(say)
    other.run("publish", "draft.json", "--wait", "accepted")
    other.run("bundle", "export", "--out", "said.bundle", "--yes")
    monkeypatch.chdir(desk.folder)
    monkeypatch.setenv("TOCSIN_HOME", desk.env["TOCSIN_HOME"])
    assert bring(desk, str(other.folder / "said.bundle"))["admitted"] == 1


# -- the registry in a bundle -----------------------------------------------------------------------------------


def following(
    registry: VerifiedRegistry, roots: int = 2, signers: tuple[FileSigner, ...] | None = None
) -> bytes:
    """A next version, signed by some of the roots."""
    document = ceremony.next_version(registry.document, registry.digest, world().now, 90 * DAY)
    return signed_registry(document, (signers or world().roots)[:roots])


def bundle(desk: Desk, *trust: Content, said: Sequence[Message] = (), domain: str = "test") -> None:
    """A bundle by hand."""
    with (desk.folder / "all.bundle").open("wb") as out:
        carried = [
            Carried(subject=m.subject, sig=dict(m.headers)["Tocsin-Sig"], payload=b64u(m.payload))
            for m in said
        ]
        write(out, Opening(domain=domain, by="xa-hub", made=world().now), [*trust, *carried])


def ending(authority: str) -> bytes:
    """A statement by which an authority ends its own key since yesterday."""
    signer = world().signers[authority]
    return new_statement(
        domain="test",
        authority=authority,
        kids=(signer.kid,),
        since=world().now - DAY,
        reason="key-compromise",
        signer=signer,
        now=world().now,
    )


def test_a_statement_that_comes_later_withdraws_what_came_before(desk: Desk) -> None:
    """As on the bus: what a stolen key has said since it ended is taken out again, and refused from then on."""
    thief = chain(world(), 2, "xb-csirt")
    bundle(desk, said=[*chain(world(), 1), *thief])
    assert bring(desk)["admitted"] == 3
    bundle(desk, Statement(file=ending("xb-csirt").decode()))
    assert bring(desk)["statements"] == 1
    (left,) = desk.run("bulletin", "list", "--context", "xb-hub").splitlines()
    assert "xa-csirt" in left
    bundle(desk, said=chain(world(), 2, "xb-dsc") + chain(world(), 3, "xb-csirt"))
    desk.run("bundle", "import", "all.bundle", "--context", "xb-hub", code=8)
    assert "xb-csirt" not in desk.run("bulletin", "list", "--context", "xb-hub")


def test_a_reader_that_is_behind_follows_version_by_version(desk: Desk) -> None:
    """Versions 2 and 3, a statement and a beacon come in with the bulletins, and are kept."""
    home = desk.folder / "xa-hub"
    registry, held = VerifiedRegistry.open(world().raw), world()
    for _ in range(2):
        raw = following(registry)
        registry = registry.update(raw, held.now)
        (home / "next.tocsin.json").write_bytes(raw)
        desk.run("registry", "accept", "xa-hub/next.tocsin.json", "--context", "xa-hub")
    end = ending("xb-emb")
    beacon = ceremony.new_beacon(registry, held.beacon, held.now, DAY)
    for raw in (end, beacon):
        (home / "next.tocsin.json").write_bytes(raw)
        desk.run("registry", "accept", "xa-hub/next.tocsin.json", "--context", "xa-hub")
    export(desk, "--topic", "electoral")
    found = bring(desk)
    assert (found["version"], found["versions"], found["statements"], found["trust"]) == (3, 2, 1, "fresh")
    assert found["left_aside"] == []
    assert bring(desk)["versions"] == 0
    # The one that knows more takes nothing from one that knows less.
    desk.run("bundle", "export", "--context", "xb-hub", "--out", "back.bundle", "--yes")
    back = desk.run("bundle", "import", "back.bundle", "--context", "xa-hub", "--json")
    assert (json.loads(back)["version"], json.loads(back)["versions"]) == (3, 0)


def unfollowable() -> dict[str, tuple[tuple[bytes, ...], str, str]]:
    """Registries that xb-hub, which holds version 1, cannot follow to: versions, domain of the bundle, reason."""
    first = VerifiedRegistry.open(world().raw)
    second = following(first)
    third = following(first.update(second, world().now))
    stranger = make_world(world().now)
    return {
        "another federation": ((), "elsewhere", "domain"),
        "a version that skips": ((third,), "test", "skip"),
        "a version too few roots signed": ((following(first, roots=1),), "test", "threshold"),
        "another version 1, by nobody known here": ((stranger.raw,), "test", "threshold"),
        "another version 1, by the roots": (
            (signed_registry(msgspec.structs.replace(first.document, clocks={}), world().roots),),
            "test",
            "fork",
        ),
        "a version of other roots": (
            (following(stranger.registry, signers=stranger.roots),),
            "test",
            "threshold",
        ),
        "a version that is none": ((b"{}",), "test", "malformed-registry"),
        "a version without a number": ((signed_registry(first.document, ()),), "test", "malformed-registry"),
    }


def test_a_registry_that_cannot_be_followed_refuses_the_bundle(desk: Desk) -> None:
    """Exit 6 with its reason, and not one bulletin of it is taken in."""
    for name, (versions, domain, reason) in unfollowable().items():
        lines = [Version(file=raw.decode()) for raw in versions]
        bundle(desk, *lines, said=chain(world(), 2), domain=domain)
        said = bring(desk, code=6)["said"]
        assert json.loads(said)["error"]["reason"] == reason, (name, said)
    assert desk.run("bulletin", "list", "--context", "xb-hub") == ""
    record = desk.run("audit", "show", "--context", "xb-hub", "--json").splitlines()
    assert {json.loads(line)["event"] for line in record} == {"context-added", "bundle-refused"}


def edited() -> dict[str, Message]:
    """Bulletins that somebody has had in his hands, by the reason for which they are refused."""
    good, other = chain(world(), 1)[0], chain(world(), 1, "xb-csirt")[0]
    return {
        "bad-signature": msgspec.structs.replace(good, payload=good.payload.replace(b"number", b"NUMBER", 1)),
        "misaddressed": msgspec.structs.replace(good, subject=other.subject),
        "wrong-issuer": sign(world(), good.bulletin, by="xb-csirt"),
        "malformed-envelope": msgspec.structs.replace(good, headers=(("Tocsin-Sig", "x"),)),
        "empty": msgspec.structs.replace(good, payload=b""),
    }


def test_a_bundle_edited_with_care_is_refused_bulletin_by_bulletin(desk: Desk) -> None:
    """Its digest fits, so the file is whole; each bulletin is judged as from the bus and goes to quarantine."""
    bad = edited()
    bundle(desk, Version(file=world().raw.decode()), said=[*bad.values(), *chain(world(), 1, "xb-emb")])
    said = desk.run("bundle", "import", "all.bundle", "--context", "xb-hub", code=8)
    assert "quarantine" in said
    rows = [json.loads(line) for line in desk.run("quarantine", "--context", "xb-hub", "--json").splitlines()]
    assert {row["reason"] for row in rows} == set(bad)
    assert desk.run("bulletin", "list", "--context", "xb-hub").count("\n") == 1


NO_FILES: dict[str, tuple[str, int, str]] = {
    "nothing there": ("none.bundle", 3, "file-missing"),
    "a folder": (".", 2, "file-unreadable"),
    "a device": ("/dev/zero", 2, "file-unreadable"),
    "cut short": ("cut.bundle", 6, "bundle-truncated"),
    "damaged": ("bad.bundle", 6, "bundle-damaged"),
    "something else": ("home/config.toml", 6, "malformed-bundle"),
}


def test_a_file_that_is_no_whole_bundle_changes_nothing(desk: Desk) -> None:
    """Exit code and reason by what is wrong with it; no store is made."""
    export(desk, "--to", "xb-hub")
    raw = (desk.folder / "all.bundle").read_bytes()
    (desk.folder / "cut.bundle").write_bytes(raw[: len(raw) // 2])
    (desk.folder / "bad.bundle").write_bytes(raw.replace(b"cyber-threat", b"cyber-threas", 1))
    for name, (file, code, reason) in NO_FILES.items():
        said = bring(desk, file, code=code)["said"]
        assert json.loads(said)["error"]["reason"] == reason, (name, said)
    assert not store_of(desk.folder, "xb-hub").exists()


def test_a_batch_crosses_the_gap(desk: Desk) -> None:
    """Each of it has its path in the bundle, and stands on the other side; so does one that was cut out by hand."""
    said = spoken("xa-dsc", 3, Tlp.GREEN, "community")
    signed = sign_batch(
        (world().signers["xa-dsc"],), [each.payload for each in said], world().registry.domain
    )
    batch = [
        msgspec.structs.replace(
            each, headers=tuple({**dict(each.headers), SIG_HEADER: format_header(entries)}.items())
        )
        for each, entries in zip(said, signed, strict=True)
    ]
    asyncio.run(take_in(store_of(desk.folder, "xa-hub"), world(), batch))
    export(desk, "--channel", "xa-dsc/actual.green.community")
    with (desk.folder / "all.bundle").open("rb") as file:
        lines = [line for line in read(file) if isinstance(line, Carried)]
    assert [line.sig for line in lines] == [dict(each.headers)[SIG_HEADER] for each in batch]
    assert bring(desk)["admitted"] == 3
    (desk.folder / "one.tocsin.json").write_bytes(file_form(lines[1].payload_bytes(), lines[1].sig))
    found = json.loads(desk.run("verify", "one.tocsin.json", "--context", "xb-hub", "--json"))
    assert found["digest"] == batch[1].digest
