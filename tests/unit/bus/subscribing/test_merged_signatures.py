"""A further copy of a bulletin adds its signatures to what a reader keeps, wherever that waits; it takes none away."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from bus.admission.verdict import decide
from bus.keys.signatures import FileSigner, sign_entry
from bus.subscribing.inbox import Inbox
from bus.transport.cursor import Cursor
from schemas.envelope import (
    MAX_SIGNATURES,
    SIG_HEADER,
    TYP_BULLETIN,
    Context,
    Entry,
    format_header,
    parse_header,
)
from tests.support.hubs import STREAM, judged
from tests.support.world import Message, bulletin, chain, shared_world, sign, within
from tests.transport_suite.test_rooms import listing

WORLD = shared_world()
DOMAIN = WORLD.registry.domain
NAMED = (WORLD.registry.issuer("xb-csirt"),)


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    """A store."""
    async with Inbox.open(tmp_path / "store.db") as opened:
        yield opened


def entry(by: str | FileSigner, payload: bytes) -> Entry:
    """A signature over a payload."""
    signer = WORLD.signers[by] if isinstance(by, str) else by
    return sign_entry(signer, payload, within(domain=DOMAIN))


def copy(message: Message, *by: str | FileSigner) -> Message:
    """A message with other signatures."""
    value = format_header(entry(each, message.payload) for each in by)
    return msgspec.structs.replace(
        message, headers=tuple({**dict(message.headers), SIG_HEADER: value}.items())
    )


async def kept(inbox: Inbox, seq: int = 1) -> tuple[set[str], list[str], list[str]]:
    """Key ids in the signature, endorsers and labels of what is admitted at a number."""
    (row,) = await inbox.query("SELECT signature, endorsers, labels FROM admitted WHERE seq = ?", seq)
    entries = parse_header(row["signature"], Context(TYP_BULLETIN, DOMAIN))
    labels = [each for each in msgspec.json.decode(row["labels"]) if "co-issuers" in each]
    return {each.header.kid for each in entries}, msgspec.json.decode(row["endorsers"]), labels


def kids(*names: str) -> set[str]:
    """The keys of authorities."""
    return {WORLD.signers[name].kid for name in names}


async def test_an_insiders_signature_keeps_out_no_other(inbox: Inbox) -> None:
    """Neither set is within the other: both are kept, and who is named has confirmed."""
    message = sign(WORLD, bulletin(WORLD, co_issuers=NAMED))
    for other in ("xb-hub", "xb-csirt"):
        await inbox.settle([judged(copy(message, "xa-csirt", other))], None, None, WORLD.now)
    assert await kept(inbox) == (
        kids("xa-csirt", "xb-hub", "xb-csirt"),
        ["xb-csirt", "xb-hub"],
        [],
    )


async def test_what_is_held_back_takes_over_signatures(inbox: Inbox) -> None:
    """A fuller copy that comes while its predecessor is missing is not lost."""
    first, second = chain(WORLD, 2, co_issuers=NAMED)[:2]
    before = chain(WORLD, 1)[0]
    await inbox.settle([judged(before)], None, None, WORLD.now)
    third = sign(WORLD, bulletin(WORLD, seq=3, prev="p" * 43, co_issuers=NAMED))
    del first, second
    for by in (("xa-csirt",), ("xa-csirt", "xb-csirt")):
        await inbox.settle([judged(copy(third, *by))], None, None, WORLD.now)
    await inbox.release(WORLD.now + dt.timedelta(days=1))
    assert await kept(inbox, 3) == (kids("xa-csirt", "xb-csirt"), ["xb-csirt"], [])


async def test_what_is_put_off_takes_over_signatures(inbox: Inbox) -> None:
    """A fuller copy of what is from the future is judged with all when its time comes."""
    later = WORLD.now + dt.timedelta(hours=1)
    message = sign(WORLD, bulletin(WORLD, issued=later, co_issuers=NAMED))
    for by in (("xa-csirt",), ("xa-csirt", "xb-csirt")):
        await inbox.settle([judged(copy(message, *by))], STREAM, Cursor(), WORLD.now)
    due = [decide(each, WORLD.registry, later) for each in await inbox.due_future(later)]
    await inbox.settle(due, None, None, later)
    assert await kept(inbox) == (kids("xa-csirt", "xb-csirt"), ["xb-csirt"], [])


@pytest.mark.parametrize("first", [0, 1], ids=["the fuller first", "the fuller last"])
async def test_no_second_signature_of_the_issuer_is_taken_away(inbox: Inbox, first: int) -> None:
    """A copy without it, with one more endorser, adds that and takes nothing."""
    second = FileSigner.generate()
    registry = listing(WORLD, "xa-csirt", second)
    message = sign(WORLD, bulletin(WORLD))
    copies = [copy(message, "xa-csirt", second), copy(message, "xa-csirt", "xb-hub")]
    for each in (copies[first], copies[1 - first]):
        await inbox.settle([judged(each, registry)], None, None, WORLD.now)
    assert (await kept(inbox))[0] == kids("xa-csirt", "xb-hub") | {second.kid}


async def test_who_is_named_goes_before_who_is_not(inbox: Inbox) -> None:
    """Where there are more signatures than a header takes, those of others make room."""
    others = [name for name in WORLD.signers if name not in ("xa-csirt", "xb-csirt")][: MAX_SIGNATURES - 1]
    message = sign(WORLD, bulletin(WORLD, co_issuers=NAMED))
    for by in (others, ["xb-csirt"]):
        await inbox.settle([judged(copy(message, "xa-csirt", *by))], None, None, WORLD.now)
    had, _, labels = await kept(inbox)
    assert kids("xa-csirt", "xb-csirt") <= had
    assert (len(had), labels) == (min(MAX_SIGNATURES, len(others) + 2), [])


async def test_what_does_not_hold_is_kept_out(inbox: Inbox) -> None:
    """A stranger's entry may stand under a key of the next version: it would spoil the bulletin then."""
    message = sign(WORLD, bulletin(WORLD))
    await inbox.settle([judged(copy(message, "xa-csirt", FileSigner.generate()))], None, None, WORLD.now)
    assert (await kept(inbox))[0] == kids("xa-csirt")


async def test_a_place_that_leads_to_another_bulletin_signs_none(inbox: Inbox) -> None:
    """After a flipped bit in the number of its row: a further copy of the one leaves the signature of the other as it is."""
    one, other = chain(WORLD, 2)
    await inbox.settle([judged(one), judged(other)], None, None, WORLD.now)
    await inbox.execute("UPDATE places SET row = 2 WHERE seq = 1")
    await inbox.settle([judged(copy(one, "xa-csirt", "xb-hub"))], None, None, WORLD.now)
    (row,) = await inbox.query("SELECT signature FROM admitted WHERE row = 2")
    assert row["signature"] == dict(other.headers)[SIG_HEADER]
