"""Elections and readiness, as pure questions: whatever a calendar says is told, and keys are judged until the vote ends."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from bus.hub.elections import Calendar, calendars, present_phase, vote_end, windows
from bus.hub.picture.projection import Projection
from bus.hub.picture.readiness import Facts, assess
from bus.keys.signatures import FileSigner
from bus.subscribing.inbox import Inbox
from bus.subscribing.tables import Stored
from bus.trust.registry import VerifiedRegistry
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.registry import AuthorityRecord
from schemas.vocab import Phase, SealPolicy, Tlp
from tests.support import elections
from tests.support.hubs import take_in
from tests.support.world import NOW, Message, bulletin, draft, key_record, shared_world, sign
from tests.unit.schemas.shapes import struct

WORLD = shared_world()
DAY = dt.timedelta(days=1)


def calendar(phase: Phase, start: dt.timedelta, end: dt.timedelta) -> ElectionCalendar:
    """One window, from now on."""
    return ElectionCalendar(
        windows=(PhaseWindow(phase=phase, start=NOW + start, end=NOW + end),), tz="Europe/Vienna"
    )


def said(issuer: str, election: str, body: ElectionCalendar) -> Message:
    """A calendar as its issuer publishes it."""
    ref = elections.election(election, Phase.NONE)
    say = draft(election, body=body, election=ref, tlp=Tlp.CLEAR, audience="public", **elections.put_off())
    return sign(WORLD, bulletin(WORLD, issuer, say=say))


@settings(max_examples=40)
@given(struct(ElectionCalendar))
def test_whatever_times_a_calendar_has_they_can_be_told(body: ElectionCalendar) -> None:
    """The first and the last year, any zone, windows the wrong way round: every window is told, in order."""
    told = windows(body, NOW)
    assert len(told) == len(body.windows)
    assert [each.start for each in told] == sorted(each.start for each in body.windows)
    end = vote_end(body)
    assert end is None or end in [each.end for each in told]


async def test_a_country_has_the_gravest_phase_of_its_elections(tmp_path: Path) -> None:
    """Its own, not its neighbour's; the Union has that of any country."""
    await take_in(
        tmp_path / "store.db",
        WORLD,
        [
            said("xa-emb", "eu-ep-2029", calendar(Phase.CAMPAIGN, -DAY, DAY)),
            said("xb-emb", "eu-ep-2029", calendar(Phase.POLLING, -DAY, DAY)),
        ],
    )
    async with Inbox.open(tmp_path / "store.db", projector=Projection()) as store:
        for country, phase in (
            ("XA", Phase.CAMPAIGN),
            ("XB", Phase.POLLING),
            ("EU", Phase.POLLING),
            ("XC", Phase.NONE),
        ):
            assert await store.read(lambda db, c=country: present_phase(db, c, NOW)) is phase  # type: ignore[misc]


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Calendar:
    """XA votes tomorrow."""
    path = tmp_path_factory.mktemp("hub") / "store.db"

    async def work() -> Calendar:
        await take_in(path, WORLD, [said("xa-emb", "xa-parl-2027", calendar(Phase.POLLING, DAY, 2 * DAY))])
        async with Inbox.open(path, projector=Projection()) as store:
            (found,) = await store.read(calendars)
            assert isinstance(found.row, Stored)
            return found

    return asyncio.run(work())


def changed(authority: str = "xa-csirt", **fields: Any) -> VerifiedRegistry:
    """The world's registry, in which one authority's record is another."""
    document = WORLD.registry.document
    record = msgspec.structs.replace(document.authorities[authority], **fields)
    return registry(authorities={**document.authorities, authority: record})


def registry(**fields: Any) -> VerifiedRegistry:
    """The world's registry with other fields, with its beacon."""
    return VerifiedRegistry(
        document=msgspec.structs.replace(WORLD.registry.document, **fields),
        digest=WORLD.registry.digest,
        raw=WORLD.registry.raw,
        beacon=WORLD.registry.beacon,
    )


def verdicts(counted: Calendar, found: VerifiedRegistry, about: str = "xa-csirt") -> dict[str, str]:
    """The checks of one authority, and those of nobody in particular."""
    facts = Facts(registry=found, channels=(), contacts=None, drills={}, now=NOW)
    return {each.name: each.verdict for each in assess(counted, facts) if each.about in ("", about)}


def key(**fields: Any) -> dict[str, Any]:
    """xa-csirt's signing key, another one in some way."""
    record: AuthorityRecord = WORLD.registry.document.authorities["xa-csirt"]
    ((kid, found),) = record.keys.items()
    return {kid: msgspec.structs.replace(found, **fields)}


def test_a_registry_that_stands_passes(counted: Calendar) -> None:
    """Registry, roots, beacon and key are well; of what nobody knows nothing is said to be."""
    assert verdicts(counted, WORLD.registry) == {
        "calendar": "pass",
        "registry": "pass",
        "root-keys": "pass",
        "beacon-keys": "pass",
        "beacon": "pass",
        "drill": "fail",
        "channels": "unknown",
        "signing-key": "pass",
        "contacts": "unknown",
    }


SECOND = FileSigner.generate("ES256")
SIGNING: dict[str, dict[str, Any]] = {
    "a key that ends in the middle of the vote": {"keys": key(not_after=NOW + 1.5 * DAY)},
    "a key that has ended": {"keys": key(not_after=NOW - DAY)},
    "a key that begins after now": {"keys": key(not_before=NOW + DAY)},
    "a key that is revoked": {"keys": key(revoked_since=NOW - DAY)},
    "no key": {"keys": {}},
    "no valid key of an algorithm that is required": {
        "keys": key() | {SECOND.kid: key_record(SECOND, not_after=NOW - DAY)},
        "require": ("Ed25519", "ES256"),
    },
}


@pytest.mark.parametrize("fields", SIGNING.values(), ids=SIGNING)
def test_a_key_that_does_not_stand_until_the_vote_is_over_fails(
    counted: Calendar, fields: dict[str, Any]
) -> None:
    """The authority's check, and no other."""
    found = verdicts(counted, changed(**fields))
    assert found["signing-key"] == "fail"
    assert [name for name, verdict in found.items() if verdict == "fail"] == ["drill", "signing-key"]


def test_who_reads_what_is_sealed_needs_a_seal_key(counted: Calendar) -> None:
    """Asked only where the policy of an audience seals."""
    audiences = WORLD.registry.document.audiences
    sealed = msgspec.structs.replace(audiences["eu-csirts"], seal=SealPolicy.ALWAYS)
    found = registry(audiences={**audiences, "eu-csirts": sealed})
    assert verdicts(counted, found)["seal-key"] == "fail"
    assert "seal-key" not in verdicts(counted, found, "xa-dsc")


def test_a_threshold_of_roots_counts_not_one(counted: Calendar) -> None:
    """Two of three must stand: one may end before the vote, two may not."""
    root = WORLD.registry.document.root
    ends = NOW + 1.5 * DAY
    for count, verdict in ((1, "pass"), (2, "fail")):
        keys = {
            kid: msgspec.structs.replace(record, not_after=ends) if n < count else record
            for n, (kid, record) in enumerate(root.keys.items())
        }
        assert (
            verdicts(counted, registry(root=msgspec.structs.replace(root, keys=keys)))["root-keys"] == verdict
        )
