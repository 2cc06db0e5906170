"""What a hub shows: the projection and the questions put to it."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.picture import (
        answers,
        index,
        owed,
        projection,
        questions,
        selected,
        summary,
        tallies,
        trace,
        versions,
    )
    from bus.hub.picture.answers import About, Said
    from bus.hub.picture.contacts import Contact, read_contacts
    from bus.hub.picture.projection import open_store
    from bus.hub.picture.questions import Question
    from bus.hub.picture.readiness import PASS, Facts, ReadinessCheck, assess
    from bus.hub.picture.summary import Item, Picture
    from bus.hub.picture.trace import TraceStep
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "PASS",
    "About",
    "Contact",
    "Facts",
    "Item",
    "Picture",
    "Question",
    "ReadinessCheck",
    "Said",
    "TraceStep",
    "answers",
    "assess",
    "index",
    "open_store",
    "owed",
    "projection",
    "questions",
    "read_contacts",
    "selected",
    "summary",
    "tallies",
    "trace",
    "versions",
]
