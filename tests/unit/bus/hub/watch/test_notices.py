"""A hub's own word about dark channels: said once, taken back once, and only where its grants let it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.hub.watch.liveness import Silence
from bus.hub.watch.notices import A_DAY, Notices, audience_of
from bus.publishing.outbox import Outbox
from bus.trust import proposals
from bus.trust.registry import VerifiedRegistry
from schemas.bulletin import Bulletin, Defaults
from schemas.codec import decode
from schemas.registry import Audience, PublishGrant
from schemas.subject import channel_of
from schemas.vocab import MsgType, Pap, Scope, Status, Tlp
from tests.support.publishers import publishing
from tests.support.watching import ME
from tests.support.world import key_record, shared_world, signed_registry

WORLD = shared_world()
SIGNER = WORLD.signers["xb-hub"]
NATION = "xb-nation"


def grant(audience: str, *kinds: str, status: Status = Status.ACTUAL) -> PublishGrant:
    """A right to say at GREEN."""
    return PublishGrant(
        statuses=(status,), tlps=(Tlp.GREEN,), audiences=(audience,), kinds=kinds, areas=("*",)
    )


def speaking_hub(*grants: PublishGrant) -> VerifiedRegistry:
    """A registry in which the hub of XB has a key and these grants."""
    document = proposals.grant(WORLD.registry.document, "xb-hub", publish=grants)
    record = msgspec.structs.replace(document.authorities["xb-hub"], keys={SIGNER.kid: key_record(SIGNER)})
    document = msgspec.structs.replace(
        document,
        version=1,
        prev=None,
        authorities={**document.authorities, "xb-hub": record},
        audiences={
            **document.audiences,
            NATION: Audience(scope=Scope.NATIONAL, members=("xb-hub", "xb-emb")),
        },
    )
    return VerifiedRegistry.open(signed_registry(document, WORLD.roots[:2]))


GRANTS: dict[str, tuple[tuple[PublishGrant, ...], tuple[Tlp, str] | None]] = {
    "none": ((), None),
    "of another kind": ((grant("community", "feedback"),), None),
    "everything, which names nothing": ((grant("community", "*"),), None),
    "heartbeats alone": ((grant("community", "channel-status", status=Status.SYSTEM),), None),
    "to all": ((grant("community", "channel-status"),), (Tlp.GREEN, "community")),
    "to all and to the nation": (
        (grant("community", "channel-status"), grant(NATION, "channel-status")),
        (Tlp.GREEN, NATION),
    ),
}


@pytest.mark.parametrize("name", GRANTS)
def test_where_a_hub_says_it(name: str) -> None:
    """A notice goes where a grant names the kind, to a national audience before others."""
    grants, expected = GRANTS[name]
    assert audience_of(speaking_hub(*grants), "xb-hub") == expected


@asynccontextmanager
async def voice(path: Path, *grants: PublishGrant) -> AsyncIterator[tuple[Outbox, Notices]]:
    """The hub's announcer over its outbox."""
    registry = speaking_hub(*grants)
    async with publishing(
        path,
        WORLD,
        "xb-hub",
        registry=lambda: registry,
        signer=SIGNER,
        defaults=Defaults(pap=Pap.GREEN),
    ) as publisher:
        yield publisher.outbox, Notices(publisher)


async def said(outbox: Outbox) -> list[Bulletin]:
    """The published notices, in order."""
    return [decode(row.payload) for row in reversed(await outbox.rows())]


async def test_a_dark_channel_is_said_once_and_taken_back_once(tmp_path: Path) -> None:
    """With any repeats and restarts there is one notice for dark, one for back, then one for dark again."""
    dark = {ME: Silence("nothing was heard", 60)}
    found: list[Bulletin] = []
    looks: list[dict[str, Silence]] = [dark, dark, {}, {}, dark]
    for look in looks:
        async with voice(tmp_path / "outbox.db", grant(NATION, "channel-status")) as (outbox, announce):
            await announce(look)
            await announce(look)
            found = await said(outbox)
    assert [(b.msg_type, b.body.state) for b in found] == [  # type: ignore[union-attr]
        (MsgType.ALERT, "down"),
        (MsgType.UPDATE, "up"),
        (MsgType.UPDATE, "down"),
    ]
    assert {str(channel_of(b)) for b in found} == {f"xb-hub/actual.green.{NATION}"}
    assert [ref.id for b in found[1:] for ref in b.references] == [b.id for b in found[:-1]]
    assert ME in found[0].info[0].headline


async def test_a_channel_that_comes_and_goes_makes_a_hub_say_no_more_than_so_much_a_day(
    tmp_path: Path,
) -> None:
    """A notice beyond the bound is published the next day, if it is still true. One about another authority is published at once."""
    dark = {ME: Silence("nothing was heard", 60)}
    async with voice(tmp_path / "outbox.db", grant(NATION, "channel-status")) as (outbox, announce):
        is_all: list[bool] = []
        for _ in range(3 * A_DAY):
            is_all = [await announce(look) for look in (dark, {})]
        assert len(await said(outbox)) == A_DAY
        assert is_all == [False, True]
        assert await announce({"xa-emb/actual.green.community": dark[ME]})
        assert len(await said(outbox)) == A_DAY + 1


async def test_a_hub_without_that_grant_says_nothing(tmp_path: Path) -> None:
    """It shows it, and that is all."""
    async with voice(tmp_path / "outbox.db", grant(NATION, "feedback")) as (outbox, announce):
        await announce({ME: Silence("nothing was heard", 60)})
        assert await said(outbox) == []
