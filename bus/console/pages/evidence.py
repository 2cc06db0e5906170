"""Evidence: a refused message as it came, as a file for an authority or a person who investigates it.

Neither its content nor its marking was believed, so only a person who may read all that the hub reads can take it.
"""

from __future__ import annotations

import msgspec

from bus.console.asked import Asked, clearance_of_hub
from bus.console.errors import NotHereError
from bus.console.page import Bytes, Content
from bus.console.people import Looked
from bus.storage import utc
from schemas.envelope import b64u


class Evidence(Bytes, frozen=True, kw_only=True):
    """A refused message: its file is a document in JSON, with the bytes in base64url."""

    digest: str


def may_take(asked: Asked) -> bool:
    """Whether the reader may take evidence: only a person who may read all that the hub itself reads."""
    return asked.clearance.covers(clearance_of_hub(asked.registry, asked.hub))


def look(asked: Asked) -> Evidence:
    """The file.

    Raises:
        NotHereError: nothing with this digest was refused, its time is over, or the reader may not take it.
    """
    digest = asked.place["digest"]
    sql = "SELECT * FROM quarantine WHERE digest = ? AND length(payload) > 0 ORDER BY n DESC LIMIT 1"
    row = asked.db.execute(sql, (digest,)).fetchone() if may_take(asked) else None
    if row is None:
        raise NotHereError("there is no evidence with this digest that you may take")
    told = {
        "refused_by": asked.hub,
        "at": utc(row["at"]),
        "reason": row["reason"],
        "detail": row["detail"],
        "subject": row["subject"],
        "stream": row["stream"],
        "stream_seq": row["stream_seq"],
        "digest": row["digest"],
        "headers": msgspec.Raw(row["headers"].encode()),
        "payload": b64u(row["payload"]),
    }
    return Evidence(
        marking=str(asked.clearance.ceiling),
        note=asked.say("What stands here was refused. None of it is shown anywhere else as if it were true."),
        payload=b64u(msgspec.json.format(msgspec.json.encode(told), indent=2)),
        file=f"refused-{digest}.json",
        digest=digest,
    )


def taken(content: Content) -> Looked | None:
    """That somebody has taken it."""
    if not isinstance(content, Evidence):
        return None
    return Looked(how="exported", words=f"evidence {content.digest}")
