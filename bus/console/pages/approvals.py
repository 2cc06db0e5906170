"""Approvals: what waits for a second person, and exactly what would be signed: is this what we say?"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

from bus import desk
from bus.console.asked import Asked
from bus.console.doing import Doing
from bus.console.errors import NotHereError
from bus.console.page import Content, Present, Question
from bus.console.pages.foreseen import NOTHING, Said, narrowest_of, said_of
from bus.console.pages.hands import Hands, Request, of_draft
from bus.console.pages.publish import number
from bus.desk import Act, Action, four_eyes
from bus.hub.acting import Outcome, Preview
from bus.hub.acting import Request as Wanted
from bus.policy import MARKINGS, narrowest
from bus.storage import utc
from schemas.vocab import Tlp


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A request in the list; `is_mine` where the reader may not decide it, for having written or asked."""

    n: int
    draft: int
    title: str
    tlp: str
    audience: str
    is_mine: bool
    request: Request


class Approvals(Content, frozen=True, kw_only=True):
    """The page: requests that wait for an approver, the first that ends first.

    Attributes:
        waiting: those that the reader may see.
        may_approve: whether the reader has the role of an approver.
    """

    waiting: tuple[Listed, ...]
    may_approve: bool


class OneApproval(Content, frozen=True, kw_only=True):
    """The page of one request: exactly what would be signed.

    Attributes:
        draft: the number of the draft.
        title: what its writers call it.
        request: who asked, and what became of it.
        hands: who has a hand in the draft, and what the reader may do.
        digest: of the bytes.
        raw: the bytes as text.
        said: what the hub says of them.
    """

    draft: int
    title: str
    request: Request
    hands: Hands
    digest: str
    raw: str
    said: Said = NOTHING


class AtDesk(msgspec.Struct, frozen=True, kw_only=True):
    """What the desk tells of one request."""

    draft: desk.drafts.Draft
    request: Request
    hands: Hands


def of_list(place: Mapping[str, str]) -> Question:
    """What the list asks of the desk."""
    del place

    def question(db: sqlite3.Connection, act: Act) -> tuple[Listed, ...]:
        return tuple(
            listed
            for each in desk.approvals.waiting(db, act)[: four_eyes.MOST_WAITING]
            if (listed := _listed(db, act, each.draft, each.version, each.n)) is not None
        )

    return question


def _listed(db: sqlite3.Connection, act: Act, n: int, version: int, approval: int) -> Listed | None:
    found = of_draft(db, act, n, version)
    if found.hands.request is None or found.hands.request.n != approval:
        return None
    return Listed(
        n=approval,
        draft=n,
        title=found.draft.title,
        tlp=str(MARKINGS[found.draft.tlp]),
        audience=found.draft.audience,
        is_mine=found.hands.is_author,
        request=found.hands.request,
    )


def look(asked: Asked) -> Approvals:
    """The list."""
    found = asked.desk if isinstance(asked.desk, tuple) else ()
    return Approvals(
        marking=str(narrowest(Tlp(each.tlp) for each in found) or Tlp.GREEN),
        waiting=found,
        may_approve=asked.viewer.may(Action.APPROVE),
    )


def of_one(place: Mapping[str, str]) -> Question:
    """What the page of a request asks of the desk."""
    n = number(place["n"])

    def question(db: sqlite3.Connection, act: Act) -> AtDesk:
        approval = desk.approvals.get(db, act, n)
        found = of_draft(db, act, approval.draft, approval.version)
        request = found.hands.request
        if request is None or request.n != n:
            request = Request(
                n=n,
                state=str(approval.state),
                version=approval.version,
                digest=approval.digest,
                by=approval.by,
                at=utc(approval.at),
                until=utc(approval.until),
                decided_by=approval.decided_by or "",
                why=approval.why,
            )
        return AtDesk(draft=found.draft, request=request, hands=found.hands)

    return question


def look_at_one(asked: Asked) -> OneApproval:
    """Exactly what would be signed.

    Raises:
        NotHereError: there is no desk.
    """
    kept = asked.desk
    if not isinstance(kept, AtDesk):
        raise NotHereError("there is no such approval here")
    return OneApproval(
        marking=str(MARKINGS[kept.draft.tlp]),
        note=asked.say("This is not published yet. It is for those who approve it."),
        draft=kept.draft.n,
        title=kept.draft.title,
        request=kept.request,
        hands=kept.hands,
        digest=kept.draft.digest,
        raw=kept.draft.text.decode("utf-8", "replace"),
    )


def of_hub(content: Content) -> Wanted | None:
    """What the hub is asked: what it would sign."""
    return Preview(draft=content.raw.encode()) if isinstance(content, OneApproval) else None


def heard(content: Content, outcome: Outcome, present: Present) -> Content:
    """The page with what the hub has answered."""
    if not isinstance(content, OneApproval):
        return content
    said = said_of(outcome, present)
    marking = narrowest((Tlp(content.marking), *narrowest_of(said, ""))) or Tlp.GREEN
    return msgspec.structs.replace(content, said=said, marking=str(marking), is_exercise=said.is_exercise)


async def approve(doing: Doing) -> str:
    """Approve exactly what was shown, freshly signed in.

    Raises:
        DeedError: as the desk.
    """
    n, shown = number(doing.place["n"]), doing.field("digest")
    await doing.at_desk(lambda db, act: desk.approvals.approve(db, act, n, shown))
    return f"/approvals/{n}"


async def decline(doing: Doing) -> str:
    """Decline, or take back what one has approved, and say why.

    Raises:
        DeedError: as the desk.
    """
    n, why = number(doing.place["n"]), doing.field("why")
    await doing.at_desk(lambda db, act: desk.approvals.decline(db, act, n, why))
    return f"/approvals/{n}"
