"""A hub that holds a seal key opens what it shows, and only then: what is on its disk stays sealed."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.admission import verdict
from bus.admission.steps import admit
from bus.admission.verdict import Judged
from bus.hub.picture.projection import Projection
from bus.keys.files import save_opening_key
from bus.sealing.sections import recipients, seal_section
from bus.subscribing.inbox import Inbox
from bus.transport.cursor import Cursor
from schemas.bulletin import Bulletin
from schemas.parts import Info, Observable
from schemas.registry import Registry
from schemas.sections import SectionDraft
from schemas.vocab import PersonalFlag, SealPolicy, Severity, Urgency
from tests.support.office import Desk
from tests.support.sealed import (
    HUB,
    ISSUER,
    READERS,
    inner_bulletin,
    opening_key,
    outer_of,
    with_parts,
    with_seal_keys,
    world_with,
)
from tests.support.world import DOMAIN, World, draft, make_world, sign

SECRETS = ("Flood in Harbour", "192.0.2.77", "Where it comes from")
PASSPHRASE = b"correct horse"
TECH = SectionDraft(
    label="indicators",
    audience="eu-tech",
    info=(Info(lang="en", headline=SECRETS[2], summary="One provider."),),
    observables=(Observable(type="ip-address", personal=PersonalFlag.NONE, value=SECRETS[1]),),
)
DATA = msgspec.structs.replace(TECH, label="personal-data", audience="eu-data")
KEYED = (ISSUER, *READERS, HUB)


def world_now(keys: tuple[str, ...] = KEYED) -> World:
    """The world with sections as of the real clock; the hub has a seal key too."""
    world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
    document = with_parts(
        with_seal_keys(world.registry.document, policy=SealPolicy.NEVER, keys=keys, now=world.now)
    )
    return world_with(document, world)


def sealed_bulletin(world: World, names: tuple[str, ...] = (*READERS, HUB)) -> Bulletin:
    """A bulletin sealed as a whole, of the highest priority."""
    inner = inner_bulletin(world, say=draft(SECRETS[0]), severity=Severity.EXTREME, urgency=Urgency.IMMEDIATE)
    return outer_of(world, inner, names=names)


def bulletin_with_sections(world: World, *sections: SectionDraft, after: str) -> Bulletin:
    """The next one on the channel, open but for its sections."""
    base = inner_bulletin(world, seq=2, prev=after, say=draft("Open part"))
    parts = tuple(
        seal_section(
            base, each, n, recipients(base, each, world.registry, world.now), DOMAIN, secrets.token_bytes
        )
        for n, each in enumerate(sections)
    )
    return msgspec.structs.replace(base, sections=parts)


def held(world: World, folder: Path, made: Sequence[Bulletin]) -> list[str]:
    """Let bulletins into a hub's store, as its subscriber would; their digests."""
    found = []
    for place, each in enumerate(made, 1):
        message = sign(world, each)
        kept = verdict.Message(
            subject=message.subject, headers=message.headers, payload=message.payload, stream="WORLD_ACTUAL",
            stream_seq=place, digest=message.digest,
        )  # fmt: skip
        admitted = admit(
            message.subject, message.headers, message.payload, registry=world.registry, now=world.now
        )
        found.append(Judged(message=kept, admitted=admitted))

    async def work() -> None:
        async with Inbox.open(folder / "store.db", projector=Projection()) as store:
            await store.settle(found, "WORLD_ACTUAL", Cursor(seq=len(found), digest="x"), world.now)

    folder.mkdir(exist_ok=True)
    asyncio.run(work())
    return [each.message.digest for each in found]


class Hub(Desk):
    """A hub's desk: its registry, its store, and a seal key or none."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, world: World, *, key: bool = True) -> None:
        super().__init__(folder, patch)
        (folder / "registry.tocsin.json").write_bytes(world.raw)
        if key:
            (folder / "seal").mkdir()
            save_opening_key(folder / "seal" / "one.pem", opening_key(HUB), PASSPHRASE)
            (folder / "seal.pass").write_bytes(PASSPHRASE)
            (folder / "seal.pass").chmod(0o600)
        self.run(
            "context", "add", HUB, "--authority", HUB, "--domain", world.registry.domain, "--pin", world.pin,
            "--registry", "registry.tocsin.json", "--state", "state", "--use",
            *(("--seal-keys", "seal", "--passphrase-file", "seal.pass") if key else ()),
        )  # fmt: skip

    def watched(self) -> list[dict[str, Any]]:
        """What `watch` shows of all that is held."""
        shown = self.view("watch", "--since", "all", "--no-follow", "--json")
        return [json.loads(line) for line in shown.splitlines()]

    def on_disk(self) -> bytes:
        """Every byte in the state folder."""
        return b"".join(path.read_bytes() for path in (self.folder / "state").rglob("*") if path.is_file())

    def recorded(self) -> list[tuple[str, object]]:
        """Openings in the audit record, and what was opened or why not."""
        lines = self.run("audit", "show", "--json").splitlines()
        found = [each for line in lines if (each := json.loads(line))["event"] != "context-added"]
        return [(each["event"], each["facts"].get("parts") or each["facts"].get("reason")) for each in found]


def scene(folder: Path, patch: pytest.MonkeyPatch, *, key: bool = True, in_registry: bool = True) -> Hub:
    """A hub that holds a sealed bulletin and one with two sections, one of which is not for it to open."""
    world = world_now(KEYED if in_registry else KEYED[:-1])
    hub = Hub(folder, patch, world, key=key)
    whole = sealed_bulletin(world, (*READERS, HUB) if in_registry else READERS)
    (first,) = held(world, folder / "state", [whole])
    parts = bulletin_with_sections(world, TECH, after=first)
    if in_registry:
        alone = msgspec.structs.replace(DATA, audience="eu-data")
        base = msgspec.structs.replace(parts, sections=())
        to = [each for each in recipients(base, alone, world.registry, world.now) if each.authority_id != HUB]
        other = seal_section(base, alone, 1, to, DOMAIN, secrets.token_bytes)
        parts = msgspec.structs.replace(parts, sections=(*parts.sections, other))
    held(world, folder / "state", [parts])
    return hub


def test_what_is_sealed_to_a_hub_is_opened_as_it_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By watch, picture and show, each section by itself; nothing of it is ever on the disk, and each opening is on record."""
    hub = scene(tmp_path, monkeypatch)
    whole, parts = hub.watched()
    assert whole["inside"]["bulletin"]["info"][0]["headline"] == SECRETS[0]
    assert whole["bulletin"]["body"]["kind"] == "sealed"
    tech, data = parts["sections"]
    assert tech["content"]["observables"][0]["value"] == SECRETS[1]
    assert (data["reason"], data["recipients"]) == ("not-a-recipient", [ISSUER, READERS[1]])
    text = hub.view("watch", "--since", "all", "--no-follow")
    assert f"{SECRETS[0]} (opened)" in text
    assert (
        f"Open part (section indicators opened, section personal-data sealed to {ISSUER} {READERS[1]}" in text
    )
    top = json.loads(hub.view("picture", "--json"))["top"]
    assert {item["headline"]: item["sealed"][0] for item in top} == {
        SECRETS[0]: "opened",
        "Open part": "section indicators opened",
    }
    assert "cyber-threat" in {item["kind"] for item in top}
    shown = hub.run("bulletin", "show", "--", parts["digest"])
    assert SECRETS[1] in shown
    assert "ciphertext" not in shown
    assert SECRETS[2] in json.dumps(
        json.loads(hub.run("bulletin", "open", "--json", "--", parts["digest"]))["sections"]
    )
    hub.run("hub", "rebuild")
    kept = hub.on_disk()
    assert not [word for word in SECRETS if word.encode() in kept]
    assert hub.recorded()[:2] == [("opened", ["bulletin"]), ("opened", ["indicators"])]


def test_a_hub_without_a_key_shows_the_cover(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To whom it is sealed, and why it is closed here; it is kept and listed like any other."""
    hub = scene(tmp_path, monkeypatch, key=False, in_registry=False)
    whole, parts = hub.watched()
    assert whole["inside"] == {"reason": "not-a-recipient"}
    assert parts["sections"][0]["reason"] == "not-a-recipient"
    cover = f"Sealed to {', '.join(READERS)}"
    for shown in (
        hub.view("watch", "--since", "all", "--no-follow"),
        hub.view("picture"),
        hub.run("bulletin", "list"),
    ):
        assert cover in shown
        assert SECRETS[0] not in shown
    assert "[no-seal-key]" in hub.run("bulletin", "open", "--", whole["digest"], code=2)
    assert hub.run("bulletin", "show", "--raw", "--", whole["digest"])
    assert hub.recorded() == [("exported", None)]


def _another(folder: Path) -> None:
    (folder / "seal" / "one.pem").unlink()
    save_opening_key(folder / "seal" / "two.pem", opening_key("another"), PASSPHRASE)


def _unwritable(folder: Path) -> None:
    (folder / "state" / "audit.jsonl").unlink()
    (folder / "state" / "audit.jsonl").mkdir()


def _forgotten(folder: Path) -> None:
    settings = folder / "home" / "config.toml"
    kept = [line for line in settings.read_text().splitlines() if not line.startswith("passphrase_file")]
    settings.write_text("\n".join(kept))


TROUBLES: dict[str, tuple[Callable[[Path], object], str]] = {
    "the key is deleted": (lambda f: (f / "seal" / "one.pem").unlink(), "no-seal-key"),
    "another key took its place": (_another, "seal-key-gone"),
    "its passphrase is another": (
        lambda f: (f / "seal.pass").write_bytes(b"wrong horse"),
        "wrong-passphrase",
    ),
    "its passphrase is not there": (_forgotten, "passphrase-needed"),
    "the audit record cannot be written": (_unwritable, "not-recorded"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_what_cannot_be_opened_stays_listed_as_sealed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    """With the reason, and what else there is to show is shown."""
    hub = scene(tmp_path, monkeypatch)
    work, reason = TROUBLES[trouble]
    work(tmp_path)
    whole, parts = hub.watched()
    assert whole["inside"] == {"reason": reason}
    assert [each["reason"] for each in parts["sections"]] == [reason, "not-a-recipient"]


def ended(document: Registry, **changes: Any) -> Registry:
    """The document in which the hub's seal key has ended."""
    record = document.authorities[HUB]
    keys = {kid: msgspec.structs.replace(each, **changes) for kid, each in record.seal_keys.items()}
    changed = msgspec.structs.replace(record, seal_keys=keys)
    return msgspec.structs.replace(document, authorities={**document.authorities, HUB: changed})


def test_a_key_that_has_ended_still_opens_what_was_sealed_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its window says how long others seal to it; whoever keeps the private half reads on."""
    world = world_now()
    now = world.now
    made = [sealed_bulletin(world)]
    later = world_with(ended(world.registry.document, revoked_since=now), world)
    hub = Hub(tmp_path, monkeypatch, later)
    held(world, tmp_path / "state", made)
    (whole,) = hub.watched()
    assert whole["inside"]["bulletin"]["info"][0]["headline"] == SECRETS[0]


def test_a_hub_that_may_no_longer_read_does_not_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it once received stays in its store; the registry as it stands decides what it opens."""
    world = world_now()
    document = world.registry.document
    record = msgspec.structs.replace(document.authorities[HUB], read=())
    later = world_with(
        msgspec.structs.replace(document, authorities={**document.authorities, HUB: record}), world
    )
    hub = Hub(tmp_path, monkeypatch, later)
    held(world, tmp_path / "state", [sealed_bulletin(world)])
    (whole,) = hub.watched()
    assert whole["inside"] == {"reason": "not-permitted"}


def test_what_was_said_with_a_signing_key_that_has_ended_since_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The outside stands in the store, and names what is inside."""
    world = world_now()
    document = world.registry.document
    issuer = document.authorities[ISSUER]
    keys = {
        kid: msgspec.structs.replace(each, revoked_since=world.now + dt.timedelta(seconds=1))
        for kid, each in issuer.keys.items()
    }
    later = msgspec.structs.replace(
        document, authorities={**document.authorities, ISSUER: msgspec.structs.replace(issuer, keys=keys)}
    )
    hub = Hub(tmp_path, monkeypatch, world_with(later, world))
    held(world, tmp_path / "state", [sealed_bulletin(world)])
    (whole,) = hub.watched()
    assert whole["inside"]["bulletin"]["info"][0]["headline"] == SECRETS[0]
    assert (
        json.loads(hub.run("bulletin", "open", "--json", "--", whole["digest"]))["digest"]
        == whole["inside"]["digest"]
    )
