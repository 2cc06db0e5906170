"""Which list has which other forms, and what of its page stands in them. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from operator import attrgetter
from urllib.parse import quote

from bus.console.forms import Form, Item, calendar, feed, table
from bus.console.pages import bulletins, channels, clocks, drills, elections, incidents, quarantine
from bus.console.rows import Row
from bus.languages import marked

MOST_ROWS = 1000
"""Of a table that goes on at another address."""
Notes = tuple[str, ...]


def _bulletins(content: bulletins.Bulletins) -> Iterator[Item]:
    for group in content.groups:
        for row in group.rows:
            yield Item(
                key=row.named, id=row.id if row.named == row.id else "", bulletin=row.id, tlp=row.tlp, at=row.at, by=row.name, path=row.address,
                title=f"{row.ended.capitalize()}: {row.headline}" if row.ended else row.headline,
                words=f"{_said(row)}, to {row.audience}.", tags=(f"priority-{row.priority}", row.kind, *row.areas),
                cells=(
                    row.tlp, row.audience, row.priority, row.at, row.issuer, row.name, row.kind, row.headline, row.areas,
                    row.dimensions, row.election, row.incident, row.joined, row.ended or "in-force", row.expires, row.labels, row.id,
                ),
            )  # fmt: skip


def _said(row: Row) -> str:
    where = f" about {', '.join(row.areas)}" if row.areas else ""
    return f"Priority {row.priority}: {row.kind_name} of {row.name}{where}"


def _incidents(content: incidents.AllIncidents) -> Iterator[Item]:
    for each in content.incidents:
        of = ", ".join(each.issuers)
        yield Item(
            key=each.id, bulletin=each.id, tlp=each.tlp, at=each.last, path=f"/i/{quote(each.id)}", title=each.headline,
            words=f"{each.bulletins} bulletin{'' if each.bulletins == 1 else 's'} of {of}; {each.suggested} more suggested.",
            tags=(f"priority-{each.priority}", *each.countries),
            cells=(
                each.tlp, each.priority, each.headline, each.bulletins, each.suggested, each.issuers, each.countries,
                each.since, each.last, each.stands, each.id,
            ),
        )  # fmt: skip


def _clocks(content: clocks.Clocks) -> Iterator[Item]:
    for group in content.groups:
        for each in group.clocks:
            who = ", ".join(each.who) or "nobody is named"
            law = f" The law takes it until {_when(each.latest)}." if each.latest else ""
            met = f" Met {_when(each.met)}." if each.met else ""
            yield Item(
                key=f"{each.id}/{each.rule}/{each.place}", bulletin=each.id, tlp=each.tlp, at=each.met or each.start,
                path=f"/b/{quote(each.id)}", title=f"{group.title if each.met or group.key == 'late' else 'Due'}: {each.what} ({each.about})",
                words=f"{each.about}. Owed by {who}, due {_when(each.due)}.{law}{met}",
                tags=(each.rule, each.standing), start=each.due,
                cells=(
                    each.tlp, each.due, each.standing, each.what, each.rule, each.who, each.is_ours, each.about, each.start,
                    each.latest, each.met, each.id,
                ),
            )  # fmt: skip


def _channels(content: channels.Channels) -> Iterator[Item]:
    for country in content.countries:
        for speaker in country.speakers:
            for each in filter(None, speaker.cells):
                yield Item(
                    key=f"{speaker.id}/{each.tlp}/{each.audience}", tlp=content.marking, at=each.heard or _NEVER,
                    path="/channels", title=speaker.name,
                    cells=(
                        content.marking, country.code, speaker.id, speaker.name, each.tlp, each.audience, each.state,
                        each.heard, each.interval_s, each.trouble,
                    ),
                )  # fmt: skip


_NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)


def _alarms(content: channels.Channels) -> Iterator[Item]:
    for each in content.alarms:
        ended = f" It ended {_when(each.ended)}." if each.ended else ""
        yield Item(
            key=f"{each.authority}/{each.channel}/{each.reason}/{each.began.isoformat()}", tlp=content.marking,
            at=each.ended or each.began, path="/channels?show=history",
            title=f"{'Over: ' if each.ended else ''}{each.name} {each.words}",
            words=f"{each.channel}, since {_when(each.began)}. {each.detail}{ended}",
            tags=(each.reason, each.authority),
        )  # fmt: skip


def _elections(content: elections.Elections) -> Iterator[Item]:
    for each in content.elections:
        now = each.standing
        yield Item(
            key=f"{now.election}/{now.country}", bulletin=now.bulletin, tlp=content.marking, at=now.next_change or _NEVER,
            path=_of_election(each), title=each.name,
            cells=(
                content.marking, now.election, now.country, each.name, now.phase, now.next_change, each.polling,
                "ran-out" if now.expired else "confirmed" if now.confirmed else "not-confirmed", now.issuer, now.bulletin,
            ),
        )  # fmt: skip


def _windows(content: elections.Elections) -> Iterator[Item]:
    """Each window of each election; the n-th of its phase stays the same event when a calendar moves it."""
    for each in content.elections:
        now, count = each.standing, Counter[str]()
        standing = "confirmed" if now.confirmed else "not confirmed"
        for span in sorted(each.spans, key=lambda span: (span.start, span.end)):
            key = f"{span.phase}/{span.round}"
            count[key] += 1
            phase = span.phase.replace("-", " ").capitalize()
            nth = f", round {span.round}" if span.round > 1 else ""
            yield Item(
                key=f"{now.election}/{now.country}/{key}/{count[key]}", bulletin=now.bulletin, tlp=content.marking,
                at=span.start, path=_of_election(each), title=f"{phase}{nth}: {each.name}, {now.country}",
                words=f"{now.election}, by the calendar of {now.issuer}, {standing}.",
                tags=(span.phase, now.country), start=span.start, end=span.end,
            )  # fmt: skip


def _of_election(each: elections.Listed) -> str:
    return f"/e/{quote(each.standing.election)}?country={quote(each.standing.country)}"


def _drills(content: drills.Drills) -> Iterator[Item]:
    for each in content.exercises:
        yield Item(
            key=each.id, tlp=content.marking, at=each.ended, path=f"/drills/{quote(each.id, safe='')}", title=each.title,
            cells=(
                "EXERCISE", content.marking, each.id, each.title, each.began, each.ended, each.injects, each.answers,
                each.authorities, each.median_s,
            ),
        )  # fmt: skip


def _refused(content: quarantine.Quarantine) -> Iterator[Item]:
    for each in content.refused:
        yield Item(
            key=f"{each.digest}/{each.reason}/{each.at.isoformat()}", tlp=content.marking, at=each.at, path="/quarantine",
            title=each.words, words=f"{each.reason}. It said that it was from {each.claimed}. {each.detail}",
            tags=(each.reason,),
            cells=(content.marking, each.at, each.reason, each.words, each.claimed, each.detail, each.digest),
        )  # fmt: skip


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
    return (f"From what was known {_when(content.joined_at)}; newer is being worked out.", *_more(content))


def _more(content: incidents.AllIncidents | clocks.Clocks) -> Notes:
    return (f"{content.more} more are not in it; narrow what you ask for.",) if content.more else ()


def _hidden(content: quarantine.Quarantine) -> Notes:
    cut = (
        (f"The newest {len(content.refused)} are in it, and there are more.",) if content.is_cut_short else ()
    )
    return cut + (("Others are above your ceiling, and not in it.",) if content.hidden else ())


def _when(moment: dt.datetime) -> str:
    return f"{moment:%-d %b %Y, %H:%M} UTC"


def _heads(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_csv = partial(Form, ending="csv", kind=table.KIND, title=marked("CSV"), write=table.write)
_atom = partial(Form, ending="atom", kind=feed.KIND, title=marked("Atom feed"), write=feed.write)
_ics = partial(Form, ending="ics", kind=calendar.KIND, title=marked("Calendar"), write=calendar.write)

_BULLETINS = (
    _csv(
        name="bulletins",
        list=marked("Bulletins"),
        items=_bulletins,
        most=MOST_ROWS,
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
        items=_bulletins,
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
        items=_incidents,
        most=MOST_ROWS,
        notes=_of_when,
        columns=_heads(
            "marking priority headline bulletins suggested authorities countries since last in-force id"
        ),
    ),
    _atom(name="incidents", list=marked("Incidents"), items=_incidents, notes=_of_when, incidents="needed"),
)
_CLOCKS = (
    _csv(
        name="clocks",
        list=marked("Clocks"),
        items=_clocks,
        most=MOST_ROWS,
        notes=_more,
        columns=_heads("marking due standing what rule who ours about start latest met bulletin"),
    ),
    _ics(name="clocks", list=marked("Clocks"), items=_clocks, most=MOST_ROWS, notes=_more),
)
_CHANNELS = (
    _csv(
        name="channels",
        list=marked("Channels"),
        items=_channels,
        columns=_heads(
            "marking country issuer authority channel-tlp audience state heard interval-s trouble"
        ),
    ),
    _atom(name="alarms", list=marked("Alarms"), items=_alarms, always={"show": ("history",)}),
)
_ELECTIONS = (
    _csv(
        name="elections",
        list=marked("Elections"),
        items=_elections,
        columns=_heads("marking election country name phase changes polling calendar issuer bulletin"),
    ),
    _ics(name="elections", list=marked("Elections"), items=_windows),
)
_DRILLS = (
    _csv(
        name="drills",
        list=marked("Drills"),
        items=_drills,
        columns=_heads("status marking exercise title began ended injects answers authorities median-s"),
    ),
)
_QUARANTINE = (
    _csv(
        name="quarantine",
        list=marked("Quarantine"),
        items=_refused,
        most=MOST_ROWS,
        notes=_hidden,
        columns=_heads("marking at reason words said-to-be-from detail digest"),
    ),
    _atom(name="quarantine", list=marked("Quarantine"), items=_refused, notes=_hidden),
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
