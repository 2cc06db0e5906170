"""What a hub says of a draft before it is signed, and its publication: asked by its console, over the pair of sockets, without a bus."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bus.hub.acting import Acknowledge, Acting, Outcome, Preview, Publish, Way, speaking
from bus.hub.acting import acting as module
from bus.hub.acting.messages import MOST, answering, asking, request_of, told
from bus.hub.picture.projection import open_store
from bus.policy import RateLimit
from bus.publishing.outbox import Outbox
from schemas.codec import decode, digest
from tests.support.signing import Recorded, signing
from tests.support.world import shared_world

OFFICE = "xa-csirt"
KEY = "0123456789abcdef" * 2
DRAFT = {
    "tlp": "green",
    "audience": "community",
    "info": [{"lang": "en", "headline": "Flood", "summary": "Sources in 192.0.2.0/24."}],
    "body": {"kind": "cyber-threat", "title": "Flood"},
}


def raw(**of: Any) -> bytes:
    """A draft."""
    return json.dumps({**DRAFT, **of}).encode()


def publication(draft: bytes, **of: str) -> Publish:
    """A draft to publish."""
    fields: dict[str, Any] = {"key": KEY, "draft": draft, "digest": digest(draft), "by": "Mara", **of}
    return Publish(**fields)


@pytest.fixture(autouse=True)
def _no_bus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for a bus that is not there."""
    monkeypatch.setattr(speaking, "STORED_S", 0.0)


async def held(folder: Path) -> list[Any]:
    """The bulletins in the outbox."""
    async with Outbox.open(folder / "outbox.db") as outbox:
        return [decode(row.payload) for row in await outbox.rows()]


async def test_a_preview_signs_nothing_and_says_what_would_become(tmp_path: Path) -> None:
    """The bulletin as it would be stamped, who reads it by the registry, and nothing in the outbox or on record."""
    world = shared_world()
    recorded: Recorded = []
    async with signing(tmp_path, world, OFFICE, recorded) as line:
        seen = (await line.ask(Preview(draft=raw()))).foreseen
        assert seen is not None
        assert seen.digest == digest(raw())
        bulletin = decode(seen.payload)
        assert (bulletin.issuer.id, bulletin.headline, bulletin.seq) == (OFFICE, "Flood", 1)
        assert seen.egress is not None
        names = [each.authority for each in seen.egress.readers]
        assert names == ["xa-hub", "xb-hub"]
        assert [(each.country, each.is_home, each.hubs) for each in seen.egress.borders] == [
            ("XA", True, ("xa-hub",)), ("XB", False, ("xb-hub",)),
        ]  # fmt: skip
        assert seen.findings == ()
    assert await held(tmp_path) == []
    assert recorded == []


@pytest.mark.parametrize(
    ("draft", "rule"),
    [
        (b"", "empty"),
        (b"{", "malformed-payload"),
        (b"\xff\xfe", "malformed-payload"),
        (b"[1, 2]", "schema"),
        (raw(info=[]), "schema"),
        (raw(tlp="red"), "not-permitted"),
        (raw(expires="2001-01-01T00:00:00Z"), "R5"),
        (raw(references=[{"id": "0199", "rel": "supersedes"}], msg_type="update"), "schema"),
    ],
)
async def test_any_bytes_have_an_answer(tmp_path: Path, draft: bytes, rule: str) -> None:
    """Each fault with its place; a publication of the same is refused, and leaves nothing."""
    recorded: Recorded = []
    async with signing(tmp_path, shared_world(), OFFICE, recorded) as line:
        seen = (await line.ask(Preview(draft=draft))).foreseen
        assert seen is not None
        found = [each.rule for each in seen.findings if each.grade == "error"]
        assert rule in found
        refused = await line.ask(publication(draft))
        assert (refused.state, refused.id) == ("refused", "")
        assert refused.reason.removeprefix("rule:") in found
        assert refused.notes
    assert await held(tmp_path) == []
    assert [event for event, _ in recorded] == []


async def test_a_readers_country_that_is_left_out_is_told(tmp_path: Path) -> None:
    """Its authorities would read it by their grants: that is a doubt, and stands at its border."""
    async with signing(tmp_path, shared_world(), OFFICE) as line:
        seen = (await line.ask(Preview(draft=raw(handling={"releasable_to": ["XA"]})))).foreseen
        assert seen is not None
        assert seen.egress is not None
        assert [each.country for each in seen.egress.borders if each.is_left_out] == ["XB"]
        assert "releasable-to" in [each.rule for each in seen.findings if each.grade == "doubt"]


async def test_only_the_bytes_that_were_approved_are_published_and_once(tmp_path: Path) -> None:
    """Other bytes are refused; the same key publishes once, whatever comes with it later; both people are on record first."""
    recorded: Recorded = []
    async with signing(tmp_path, shared_world(), OFFICE, recorded) as line:
        other = await line.ask(publication(raw(severity="extreme"), digest=digest(raw())))
        assert (other.state, other.reason) == ("refused", "digest-differs")
        first = await line.ask(publication(raw(), approved_by="Jonas"))
        again = await line.ask(publication(raw(), approved_by="Jonas"))
        assert (first.state, again.state, again.id) == ("accepted", "accepted", first.id)
        assert (await line.ask(Way(bulletin=first.id))).state == "accepted"
        double = await line.ask(Preview(draft=raw()))
        assert first.id in double.notes[0]
    assert [each.id for each in await held(tmp_path)] == [first.id]
    assert [(event, facts["by"], facts["approved_by"]) for event, facts in recorded] == [
        ("published", "Mara", "Jonas")
    ]


async def test_what_is_not_on_record_is_not_signed(tmp_path: Path) -> None:
    """An audit record that cannot be written refuses the deed."""

    def full(event: str, facts: object) -> None:
        raise OSError("no space")

    from tests.support.publishers import publishing

    async with (
        open_store(tmp_path / "store.db") as store,
        publishing(tmp_path / "outbox.db", shared_world(), OFFICE) as publisher,
    ):
        refused = await Acting(store, publisher, full).do(publication(raw()))
        assert (refused.state, refused.reason) == ("refused", "store-failed")
        assert await publisher.outbox.rows() == []
        unknown = await Acting(store, publisher, full).do(Way(bulletin="0199-none"))
        assert unknown.reason == "not-there"
        deaf = await Acting(store, None, full).do(Preview(draft=raw()))
        assert deaf.reason == "no-key"


async def test_previews_and_signatures_have_bounds_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who types for long does not use up what is signed."""
    monkeypatch.setattr(module, "LOOKING", RateLimit(burst=2, per_s=0.001))
    async with signing(tmp_path, shared_world(), OFFICE) as line:
        states = [(await line.ask(Preview(draft=raw()))).reason for _ in range(3)]
        assert states == ["", "", "too-many-requests"]
        assert (await line.ask(publication(raw()))).state == "accepted"


def test_the_longest_draft_fits_into_a_line() -> None:
    """As a request; what is longer is no request."""
    longest = publication(bytes(131_072))
    line = asking(1, longest)
    assert len(line) < MOST
    assert request_of(msgspec.json.decode(line, type=_numbered())) == longest
    with pytest.raises(msgspec.ValidationError):
        request_of(msgspec.json.decode(asking(1, publication(bytes(131_073))), type=_numbered()))
    assert told(answering(1, Outcome(state="stored"))).outcome.state == "stored"


def _numbered() -> Any:
    from bus.hub.acting.messages import Numbered

    return Numbered


async def test_what_is_over_is_told_of_and_not_published(tmp_path: Path) -> None:
    """A publication whose approval is over: what it became, where it was published in time; else a refusal, and nothing is signed."""
    async with signing(tmp_path, shared_world(), OFFICE) as line:
        late = msgspec.structs.replace(publication(raw()), is_over=True)
        told = await line.ask(late)
        assert (told.state, told.reason) == ("refused", "approval-over")
        assert await held(tmp_path) == []
        done = await line.ask(publication(raw()))
        assert (await line.ask(late)).id == done.id
    assert len(await held(tmp_path)) == 1


async def test_one_person_uses_up_nothing_of_colleagues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sends hundreds of forms is refused, and the next person is not."""
    monkeypatch.setattr(module, "OF_ONE", RateLimit(burst=3, per_s=0.001))
    async with signing(tmp_path, shared_world(), OFFICE) as line:
        for who, reasons in (("eve", ["not-there"] * 3 + ["too-many-requests"] * 5), ("ann", ["not-there"])):
            told = [await line.ask(Acknowledge(bulletin="none", by=who)) for _ in reasons]
            assert [each.reason for each in told] == reasons


async def test_a_large_draft_costs_more_of_what_a_hub_looks_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One who sends the largest again and again does not keep the hub from its bus; small ones are looked at as they are typed."""
    monkeypatch.setattr(module, "LOOKING", RateLimit(burst=20, per_s=0.001))
    large = b"#" * 131_072
    async with signing(tmp_path, shared_world(), OFFICE) as line:
        assert [(await line.ask(Preview(draft=large))).state for _ in range(2)] == ["previewed", "refused"]
        assert [(await line.ask(Preview(draft=b"{"))).state for _ in range(4)] == ["previewed"] * 3 + [
            "refused"
        ]
