"""The selection of bulletins by options: topics, statuses, priority."""

from __future__ import annotations

from bus.cli.frame.options import must_be_known
from schemas.bodies import KINDS
from schemas.subject import Interest
from schemas.vocab import Domain, Status


def interest_of(**parts: tuple[str, ...] | str | None) -> Interest:
    """The interest that the options describe; topics are written as in the subject grammar."""
    topics = tuple(parts.get("topics") or ())
    known = {*KINDS, *(str(domain) for domain in Domain)}
    for topic in topics:
        must_be_known("topic", topic, sorted(known))
    statuses = tuple(Status(status) for status in parts.get("statuses") or ()) or (Status.ACTUAL,)
    return Interest(
        topics=topics,
        statuses=statuses,
        min_priority=str(parts["min_priority"]) if parts.get("min_priority") else "p4",
    )
