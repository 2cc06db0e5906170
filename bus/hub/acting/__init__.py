"""What people do at a hub's console that must be signed: asked for in messages, decided and done by the hub."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.acting import messages
    from bus.hub.acting.acting import Acting
    from bus.hub.acting.answering import SECTIONS, WITHDRAWN, parts_of, standing
    from bus.hub.acting.messages import (
        Acknowledge,
        Answer,
        Doubt,
        Foreseen,
        Found,
        Held,
        Outcome,
        Preview,
        Publish,
        Request,
        TakeBack,
        Way,
        is_key,
    )
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "SECTIONS",
    "WITHDRAWN",
    "Acknowledge",
    "Acting",
    "Answer",
    "Doubt",
    "Foreseen",
    "Found",
    "Held",
    "Outcome",
    "Preview",
    "Publish",
    "Request",
    "TakeBack",
    "Way",
    "is_key",
    "messages",
    "parts_of",
    "standing",
]
