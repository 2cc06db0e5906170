"""What of a page's list stands in its other forms: from the struct of the page to items. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator
from urllib.parse import quote

from bus.console.forms import Item
from bus.console.pages import bulletins, channels, clocks, drills, elections, incidents, quarantine
from bus.console.rows import Row


def of_bulletins(content: bulletins.Bulletins) -> Iterator[Item]:
    """Each bulletin."""
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


def of_incidents(content: incidents.AllIncidents) -> Iterator[Item]:
    """Each incident."""
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


def of_clocks(content: clocks.Clocks) -> Iterator[Item]:
    """Each deadline; in a calendar it begins when it is due."""
    for group in content.groups:
        for each in group.clocks:
            who = ", ".join(each.who) or "nobody is named"
            law = f" The law takes it until {when(each.latest)}." if each.latest else ""
            met = f" Met {when(each.met)}." if each.met else ""
            yield Item(
                key=f"{each.id}/{each.rule}/{each.place}", bulletin=each.id, tlp=each.tlp, at=each.met or each.start,
                path=f"/b/{quote(each.id)}", title=f"{group.title if each.met or group.key == 'late' else 'Due'}: {each.what} ({each.about})",
                words=f"{each.about}. Owed by {who}, due {when(each.due)}.{law}{met}",
                tags=(each.rule, each.standing), start=each.due,
                cells=(
                    each.tlp, each.due, each.standing, each.what, each.rule, each.who, each.is_ours, each.about, each.start,
                    each.latest, each.met, each.id,
                ),
            )  # fmt: skip


def of_news(content: clocks.Clocks) -> list[Item]:
    """Each deadline, that which began or was met last first: a feed tells what is new, not what comes next."""
    return sorted(of_clocks(content), key=lambda each: each.at, reverse=True)


def of_channels(content: channels.Channels) -> Iterator[Item]:
    """Each channel of each authority."""
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


def of_alarms(content: channels.Channels) -> Iterator[Item]:
    """Each alarm, with its end where it has one."""
    for each in content.alarms:
        ended = f" It ended {when(each.ended)}." if each.ended else ""
        yield Item(
            key=f"{each.authority}/{each.channel}/{each.reason}/{each.began.isoformat()}", tlp=content.marking,
            at=each.ended or each.began, path="/channels?show=history",
            title=f"{'Over: ' if each.ended else ''}{each.words}",
            words=f"{each.channel}, since {when(each.began)}. {each.detail}{ended}",
            tags=(each.reason, each.authority),
        )  # fmt: skip


def of_elections(content: elections.Elections) -> Iterator[Item]:
    """Each election in each country, and where it stands."""
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


def of_windows(content: elections.Elections) -> Iterator[Item]:
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


def of_begun(content: elections.Elections) -> list[Item]:
    """The windows that have begun, the last first: a feed tells what is, a calendar what comes."""
    changes = {_of_election(each): each.standing.next_change for each in content.elections}
    begun = [
        each for each in of_windows(content) if (change := changes[each.path]) is None or each.at < change
    ]
    return sorted(begun, key=lambda each: each.at, reverse=True)


def of_drills(content: drills.Drills) -> Iterator[Item]:
    """Each exercise."""
    for each in content.exercises:
        yield Item(
            key=each.id, bulletin=each.first, tlp=content.marking, at=each.ended, path=f"/drills/{quote(each.id, safe='')}", title=each.title,
            words=f"{each.injects} bulletins, {each.answers} answers of {each.authorities} authorities.",
            cells=(
                "EXERCISE", content.marking, each.id, each.title, each.began, each.ended, each.injects, each.answers,
                each.authorities, each.median_s, each.met, each.expected,
            ),
        )  # fmt: skip


def of_refused(content: quarantine.Quarantine) -> Iterator[Item]:
    """Each refusal."""
    for each in content.refused:
        yield Item(
            key=f"{each.digest}/{each.reason}/{each.at.isoformat()}", tlp=content.marking, at=each.at, path="/quarantine",
            title=each.words, words=f"{each.reason}. It said that it was from {each.claimed}. {each.detail}",
            tags=(each.reason,),
            cells=(content.marking, each.at, each.reason, each.words, each.claimed, each.detail, each.digest),
        )  # fmt: skip


def when(moment: dt.datetime) -> str:
    """A moment, as notes and words of files have it."""
    return f"{moment:%-d %b %Y, %H:%M} UTC"
