"""What a hub shows: the projection and the questions put to it."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.hub.picture import (
        answers,
        clocked,
        events,
        figures,
        index,
        lists,
        noise,
        owed,
        projection,
        questions,
        refused,
        ringing,
        selected,
        summary,
        tallies,
        together,
        trace,
        versions,
    )
    from bus.hub.picture.answers import About, Said
    from bus.hub.picture.clocked import Law
    from bus.hub.picture.contacts import Contact, read_contacts
    from bus.hub.picture.dossier import Admission, Dossier, Lineage, Observed, answers_of, one_bulletin
    from bus.hub.picture.events import Event, Told, events_after
    from bus.hub.picture.figures import Arrivals, Bar, Facet, Totals, Value
    from bus.hub.picture.lines import Key, Line, Page, of_id, of_rows, priorities
    from bus.hub.picture.owed import Owed, owed_as_of, owed_by, owed_within
    from bus.hub.picture.projection import open_store
    from bus.hub.picture.questions import Question
    from bus.hub.picture.readiness import PASS, Facts, ReadinessCheck, assess, channel_in_words
    from bus.hub.picture.searching import Found, search
    from bus.hub.picture.summary import Item, Picture
    from bus.hub.picture.together import Member, Together
    from bus.hub.picture.trace import TraceStep
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "PASS",
    "About",
    "Admission",
    "Arrivals",
    "Bar",
    "Contact",
    "Dossier",
    "Event",
    "Facet",
    "Facts",
    "Found",
    "Item",
    "Key",
    "Law",
    "Line",
    "Lineage",
    "Member",
    "Observed",
    "Owed",
    "Page",
    "Picture",
    "Question",
    "ReadinessCheck",
    "Said",
    "Together",
    "Told",
    "Totals",
    "TraceStep",
    "Value",
    "answers",
    "answers_of",
    "assess",
    "channel_in_words",
    "clocked",
    "events",
    "events_after",
    "figures",
    "index",
    "lists",
    "noise",
    "of_id",
    "of_rows",
    "one_bulletin",
    "open_store",
    "owed",
    "owed_as_of",
    "owed_by",
    "owed_within",
    "priorities",
    "projection",
    "questions",
    "read_contacts",
    "refused",
    "ringing",
    "search",
    "selected",
    "summary",
    "tallies",
    "together",
    "trace",
    "versions",
]
