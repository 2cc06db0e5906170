"""Re-anchoring: where a channel may go on from, decided on what the bus holds and what the outbox has sent."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from bus.admission.branches import ReceivedLink, standing
from bus.errors import OutboxError
from bus.publishing import reanchor
from bus.publishing.outbox import Outbox, Row
from bus.publishing.own_channels import Survey
from bus.publishing.publisher import Publisher
from bus.publishing.reanchor import Anchor, Reanchoring, check, propose
from bus.transport.connection import Endpoint
from bus.trust.revocations import Ending
from schemas.bodies.system import Head, Reanchor
from schemas.subject import Channel
from schemas.vocab import Status, Tlp
from tests.support.world import DEFAULTS, shared_world

NAME = "actual.green.community"
NOON = dt.datetime(2027, 5, 23, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
OLD, NEW = "the stolen key", "the new key"


def link(digest: str, seq: int, prev: str | None, kid: str = OLD, hours: float = 0) -> ReceivedLink:
    """A bulletin on the bus, so many hours after noon."""
    return ReceivedLink(
        channel=NAME, seq=seq, digest=digest, prev=prev, kid=kid, received_at=NOON + hours * HOUR, issued=NOON
    )


def row(digest: str, seq: int, prev: str | None, state: str = "stored") -> Row:
    """One of the outbox's own."""
    blank = dict.fromkeys(
        ("attempted_at", "stored_at", "stream", "stream_seq", "problem", "once", "origin"), None
    )
    fields = {
        **blank,
        "n": seq, "status": "actual", "channel": NAME, "seq": seq, "id": digest, "digest": digest, "prev": prev,
        "subject": "", "headers": "{}", "payload": b"", "kept_at": 0.0, "state": state,
    }  # fmt: skip
    return msgspec.convert(fields, Row)


# Two honest ones, a theft an hour after noon, two of the thief's, and an honest third that came second.
HONEST = [link("h1", 1, None), link("h2", 2, "h1")]
THIEF = [link("t3", 3, "h2", hours=1.5), link("t4", 4, "t3", hours=1.6)]
THIRD = link("h3", 3, "h2", hours=2)
MINE = [row("h1", 1, None), row("h2", 2, "h1"), row("h3", 3, "h2")]


def found(*links: ReceivedLink, since: dt.datetime | None = NOON + HOUR) -> Survey:
    """The content of the bus, with the key revoked since the theft, since another moment, or not at all."""
    revoked = {} if since is None else {OLD: Ending(since=since)}
    return Survey(links=links, stands=standing(links, revoked).stands, cursors={})


def head(digest: str | None, seq: int, channel: str = NAME) -> Head:
    """A place."""
    return Head(channel=channel, seq=seq, digest=digest)


EVENING = found(*HONEST, *THIEF, THIRD)


def test_the_last_that_the_outbox_sent_is_proposed() -> None:
    """And the thief's branch is named by its end, not by each of its bulletins."""
    anchor = propose(NAME, EVENING, MINE)
    assert anchor == Anchor(from_=head("h3", 3), lost=(head("t4", 4),))
    check(NAME, anchor, EVENING, MINE)


def test_without_an_outbox_what_stands_is_proposed() -> None:
    """The last before the theft; the honest third cannot be told from the thief's, and can be named by who knows it."""
    anchor = propose(NAME, EVENING, [])
    assert anchor == Anchor(from_=head("h2", 2), lost=(head("t4", 4), head("h3", 3)))
    check(NAME, anchor, EVENING, [])
    named = propose(NAME, EVENING, [], "h3")
    assert named == Anchor(from_=head("h3", 3), lost=(head("t4", 4),))
    check(NAME, named, EVENING, [])


def test_a_channel_on_which_only_the_thief_spoke_begins_anew() -> None:
    """Nothing there is the authority's."""
    alone = found(link("t1", 1, None, hours=2))
    anchor = propose(NAME, alone, [])
    assert anchor == Anchor(from_=head(None, 0), lost=(head("t1", 1),))
    check(NAME, anchor, alone, [])


def test_a_trimmed_or_lost_part_of_the_bus_is_not_disowned() -> None:
    """What the outbox has sent and the bus no longer holds is bridged by the outbox's own rows."""
    anchor = propose(NAME, found(*HONEST, *THIEF), MINE)
    assert anchor == Anchor(from_=head("h3", 3), lost=(head("t4", 4),))


def test_unsent_rows_are_no_anchor() -> None:
    """Nobody else has them."""
    assert propose(NAME, EVENING, [*MINE[:2], row("h3", 3, "h2", "kept")]).from_ == head("h2", 2)


@pytest.mark.parametrize(
    ("name", "anchor", "survey", "mine", "reason"),
    [
        ("the key is not revoked", head("h3", 3), found(*HONEST, *THIEF, THIRD, since=None), MINE, "anchor-contradicted"),
        ("revoked too late", head("h3", 3), found(*HONEST, *THIEF, THIRD, since=NOON + 1.55 * HOUR), MINE, "anchor-contradicted"),
        ("on the thief's branch", head("t4", 4), found(*HONEST, *THIEF, link("n3", 3, "h2", NEW)), [], "anchor-contradicted"),
        ("before one by a good key", head("h2", 2), found(*HONEST, link("n3", 3, "h2", NEW)), [], "anchor-contradicted"),
        ("of nowhere", head("x9", 9), EVENING, MINE, "unknown-anchor"),
        ("the right digest at a wrong number", head("h2", 3), EVENING, MINE, "unknown-anchor"),
        ("before what the outbox has sent", head("h2", 2), EVENING, MINE, "bad-anchor"),
        ("of another channel", head("h3", 3, "test.green.community"), EVENING, MINE, "bad-anchor"),
        ("a number without a digest", head(None, 3), EVENING, MINE, "bad-anchor"),
        ("a digest without a number", head("h3", 0), EVENING, MINE, "bad-anchor"),
    ],
)  # fmt: skip
def test_an_anchor_that_readers_would_contradict_is_refused(
    name: str, anchor: Head, survey: Survey, mine: list[Row], reason: str
) -> None:
    """Before anything is signed, with its reason."""
    with pytest.raises(OutboxError) as refused:
        check(NAME, Anchor(from_=anchor, lost=()), survey, mine)
    assert refused.value.reason == reason, name


def test_an_own_bulletin_may_be_given_up_by_name() -> None:
    """If the thief used this outbox, its owner may disown the bulletin."""
    check(NAME, Anchor(from_=head("h2", 2), lost=(head("h3", 3),)), EVENING, MINE)
    with pytest.raises(OutboxError, match="is not a bulletin"):
        propose(NAME, EVENING, MINE, "nowhere")


def test_the_words_fit_at_their_longest() -> None:
    """A long reason and many branches break no bound of the vocabulary."""
    channel = Channel(
        issuer="xa-" + "o" * 24 + "-" + "u" * 12, status=Status.ACTUAL, tlp=Tlp.GREEN, audience="community"
    )
    anchor = Anchor(from_=head("A" * 43, 2**53 - 1), lost=(head("B" * 43, 4),) * reanchor.MAX_LOST)
    said = reanchor.draft(channel, anchor, "r" * 500, None)
    assert isinstance(said.body, Reanchor)
    assert len(said.info[0].headline) <= 160
    assert len(said.info[0].summary) <= 2000


def test_the_words_name_how_many_branches_are_disowned() -> None:
    """None, one, or several."""
    told = [
        reanchor.draft(
            Channel.parse(f"xa-csirt/{NAME}"), Anchor(from_=head("h2", 2), lost=lost), "A theft.", None
        )
        .info[0]
        .summary
        for lost in ((), (head("B" * 43, 3),), (head("B" * 43, 3), head("C" * 43, 3)))
    ]
    assert "branch" not in told[0]
    assert "What another branch says under its name is not its word." in told[1]
    assert "What 2 other branches say under its name is not its word." in told[2]


@asynccontextmanager
async def desk(path: Path, *, has_bus: bool) -> AsyncIterator[Publisher]:
    """A publisher without a bus, or at one that never answers."""
    world = shared_world()
    seed, _ = world.nkeys["xa-csirt"]
    nowhere = Endpoint(url="nats://127.0.0.1:1", authority_id="xa-csirt", nkey_seed=seed, name="test")
    async with (
        Outbox.open(path) as outbox,
        Publisher.open(
            authority_id="xa-csirt",
            outbox=outbox,
            registry=lambda: world.registry,
            signers=(world.signers["xa-csirt"],),
            endpoint=nowhere if has_bus else None,
            defaults=DEFAULTS,
            clock=lambda: world.now,
            rng=secrets.token_bytes,
        ) as publisher,
    ):
        yield publisher


async def opened(publisher: Publisher) -> str:
    """Why channels cannot be re-anchored here; empty when they can."""
    try:
        async with Reanchoring.open(publisher):
            return ""
    except OutboxError as exc:
        return exc.reason


async def test_what_only_keeps_re_anchors_nothing(tmp_path: Path) -> None:
    """Which bulletin was the last honest one is read from the bus."""
    async with desk(tmp_path / "o.db", has_bus=False) as publisher:
        assert await opened(publisher) == "no-bus"


async def test_sending_is_held_until_the_decision_is_made(tmp_path: Path) -> None:
    """During a re-anchor no other process sends from the outbox; afterwards it may."""
    async with desk(tmp_path / "o.db", has_bus=True) as first:
        async with Reanchoring.open(first), desk(tmp_path / "o.db", has_bus=True) as second:
            assert await opened(second) == "lease-held"
        assert await opened(first) == ""
