"""Which list has which other forms, and what is said of what they leave out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from operator import attrgetter

from bus.console.forms import Form, calendar, feed, table
from bus.console.pages import bulletins, clocks, incidents, list_items, quarantine
from bus.languages import marked

MOST_ROWS, MOST_BULLETINS = 1000, 500
"""Of a file; a table of bulletins goes on at another address, so that no file keeps other readers waiting."""
Notes = tuple[str, ...]


def _problem(content: bulletins.Bulletins) -> Notes:
    return (
        (f"The filter cannot be read, so everything is here: {content.problem}.",) if content.problem else ()
    )


def _of_table(content: bulletins.Bulletins) -> Notes:
    if content.joined_at is not None:
        return _problem(content)
    return (*_problem(content), "Bulletins are being joined: nothing is said yet of what belongs together.")


def _of_when(content: incidents.AllIncidents) -> Notes:
    if not content.is_stale or content.joined_at is None:
        return _more(content)
    return (
        f"From what was known {list_items.when(content.joined_at)}; newer is being worked out.",
        *_more(content),
    )


def _more(content: incidents.AllIncidents | clocks.Clocks) -> Notes:
    return (f"{content.more} more are not in it; narrow what you ask for.",) if content.more else ()


def _hidden(content: quarantine.Quarantine) -> Notes:
    cut = (
        (f"The newest {len(content.refused)} are in it, and there are more.",) if content.is_cut_short else ()
    )
    return cut + (("Others are above your ceiling, and not in it.",) if content.hidden else ())


def _heads(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_csv = partial(Form, ending="csv", kind=table.KIND, title=marked("CSV"), write=table.write)
_atom = partial(Form, ending="atom", kind=feed.KIND, title=marked("Atom feed"), write=feed.write)
_ics = partial(Form, ending="ics", kind=calendar.KIND, title=marked("Calendar"), write=calendar.write)

_BULLETINS = (
    _csv(
        name="bulletins",
        list=marked("Bulletins"),
        items=list_items.of_bulletins,
        most=MOST_BULLETINS,
        next=attrgetter("next"),
        notes=_of_table,
        incidents="besides",
        columns=_heads(
            "marking audience priority issued issuer authority kind headline areas dimensions election incident joined state expires labels id"
        ),
    ),
    _atom(
        name="bulletins",
        list=marked("Bulletins"),
        items=list_items.of_bulletins,
        next=attrgetter("next"),
        notes=_problem,
        always={"order": ("time",), "ended": ("1",)},
    ),
)
_INCIDENTS = (
    _csv(
        incidents="needed",
        name="incidents",
        list=marked("Incidents"),
        items=list_items.of_incidents,
        most=MOST_ROWS,
        notes=_of_when,
        columns=_heads(
            "marking priority headline bulletins suggested authorities countries since last in-force id"
        ),
    ),
    _atom(
        name="incidents",
        list=marked("Incidents"),
        items=list_items.of_incidents,
        notes=_of_when,
        incidents="needed",
    ),
)
_CLOCKS = (
    _csv(
        name="clocks",
        list=marked("Clocks"),
        items=list_items.of_clocks,
        most=MOST_ROWS,
        notes=_more,
        columns=_heads("marking due standing what rule who ours about start latest met bulletin"),
    ),
    _atom(name="clocks", list=marked("Clocks"), items=list_items.of_news, notes=_more),
    _ics(name="clocks", list=marked("Clocks"), items=list_items.of_clocks, most=MOST_ROWS, notes=_more),
)
_CHANNELS = (
    _csv(
        name="channels",
        list=marked("Channels"),
        items=list_items.of_channels,
        columns=_heads(
            "marking country issuer authority channel-tlp audience state heard interval-s trouble"
        ),
    ),
    _atom(name="alarms", list=marked("Alarms"), items=list_items.of_alarms, always={"show": ("history",)}),
)
_ELECTIONS = (
    _csv(
        name="elections",
        list=marked("Elections"),
        items=list_items.of_elections,
        columns=_heads("marking election country name phase changes polling calendar issuer bulletin"),
    ),
    _atom(name="elections", list=marked("Elections"), items=list_items.of_begun),
    _ics(name="elections", list=marked("Elections"), items=list_items.of_windows),
)
_DRILLS = (
    _csv(
        name="drills",
        list=marked("Drills"),
        items=list_items.of_drills,
        columns=_heads(
            "status marking exercise title began ended injects answers authorities median-s met expected"
        ),
    ),
    _atom(name="drills", list=marked("Drills"), items=list_items.of_drills),
)
_QUARANTINE = (
    _csv(
        name="quarantine",
        list=marked("Quarantine"),
        items=list_items.of_refused,
        most=MOST_ROWS,
        notes=_hidden,
        columns=_heads("marking at reason words said-to-be-from detail digest"),
    ),
    _atom(name="quarantine", list=marked("Quarantine"), items=list_items.of_refused, notes=_hidden),
)

FORMS: Mapping[str, tuple[Form, ...]] = {
    "/b": _BULLETINS,
    "/i": _INCIDENTS,
    "/clocks": _CLOCKS,
    "/channels": _CHANNELS,
    "/e": _ELECTIONS,
    "/drills": _DRILLS,
    "/quarantine": _QUARANTINE,
}
"""By the path of a page, the other forms of its list."""
FEEDS: Mapping[str, Form] = {
    f"{path}.{form.ending}": form for path, forms in FORMS.items() for form in forms if form.ending != "csv"
}
"""What a program may read by a feed address, by its path."""
