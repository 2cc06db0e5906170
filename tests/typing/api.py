"""What a user's code looks like to a type checker; checked, never run."""

from __future__ import annotations

import datetime as dt
from typing import assert_type

import bus
from adapters.sdk import AuthorityAdapter, Format, ReadContext, ReadResult
from bus.admission.steps import Admitted, admit
from bus.api import Life, Participant, Seen
from bus.publishing.publisher import Accepted, Publisher
from bus.trust.registry import TrustState, VerifiedRegistry
from schemas.bulletin import Bulletin, Draft
from schemas.codec import decode
from schemas.errors import TocsinError
from schemas.parts import Info
from schemas.subject import Channel, channel_of, subject_for
from schemas.vocab import FeedbackKind
from tests.support.waiting import longest


async def program(draft: Draft) -> None:
    """A program of one identity."""
    async with bus.connect("xa-csirt") as me:
        assert_type(await me.publish(draft), Accepted)
        assert_type(await me.publish({"kind": "cyber-threat"}), Accepted)
        assert_type(await me.publish_many([draft]), list[Accepted | TocsinError])
        assert_type(await me.get("id"), Seen | None)
        assert_type(await me.trace("id"), Life)
        assert_type(await me.answer("id", FeedbackKind.SIGHTING), Accepted)
        async for seen in me.watch("domain:cyber"):
            assert_type(seen, Seen)
        participant: Participant = me
        assert_type(await participant.get("id"), Seen | None)


async def publish(publisher: Publisher, draft: Draft) -> None:
    """An officer's program."""
    accepted = await publisher.publish(draft)
    assert_type(accepted, Accepted)
    assert_type(await publisher.settled(accepted.digest, longest()), str)
    assert_type(await publisher.publish_many([draft, draft]), list[Accepted | TocsinError])


def read(
    subject: str, headers: dict[str, str], payload: bytes, registry: VerifiedRegistry, now: dt.datetime
) -> None:
    """A reader's program."""
    admitted = admit(subject, headers, payload, registry=registry, now=now)
    assert_type(admitted, Admitted)
    assert_type(admitted.bulletin, Bulletin)
    assert_type(admitted.bulletin.info, tuple[Info, ...])
    assert_type(admitted.trust, TrustState)
    assert_type(channel_of(decode(payload)), Channel)
    assert_type(subject_for(admitted.bulletin), str)


def my_reader(data: bytes, context: ReadContext) -> ReadResult:
    """An adapter author's format."""
    return ReadResult(drafts=())


ADAPTER = AuthorityAdapter(__file__, (Format(id="x", title="X", media_types=(), sniff=bool, read=my_reader),))
