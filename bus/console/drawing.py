"""Drawings, made by the server as SVG: no script, no style, fit to be printed, each mark a link, each with a table beside it. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape

from markupsafe import Markup

from bus.console import texts
from bus.console.rows import Row
from bus.console.texts import shown
from bus.languages import Language, marked

PHASE_MARK: Mapping[str, Markup] = {
    "before": Markup('<path d="M2.5 9.5h9"/><path d="M3.6 6.5 7 3l3.4 3.5"/>'),
    "during": Markup('<circle class="fill" cx="7" cy="7" r="4.6"/>'),
    "after": Markup('<path d="m2.8 7.4 2.8 2.8 5.6-6"/>'),
    "none": Markup(""),
}
_WIDTH, _LETTER = 1144, 6.9
_HIT = 24
"""The side of a target for a pointer, in units of a drawing that is shown at least as wide as it is."""


def markup_of(parts: Iterable[str]) -> Markup:
    """Parts of a drawing as one. Whatever others have written went through `said_of`."""
    return Markup("".join(parts))  # noqa: S704 (each text in it is escaped)


def said_of(words: str) -> str:
    """Words of others, shown and escaped."""
    return escape(shown(words), quote=True)


def text_of(x: float, y: float, words: str, cls: str = "", anchor: str = "") -> str:
    """Words at a place, escaped."""
    named = f' class="{cls}"' if cls else ""
    held = f' text-anchor="{anchor}"' if anchor else ""
    return f'<text x="{x:g}" y="{y:g}"{named}{held}>{said_of(words)}</text>'


def mark(x: float, y: float, priority: int, size: float = 6.5) -> str:
    """One bulletin; the shape says its priority, the colour repeats it."""
    s = size
    if priority == 1:
        return f'<path class="m1" d="M{x:g} {y - s - 2:g}l{s + 2:g} {s + 2:g}-{s + 2:g} {s + 2:g}-{s + 2:g}-{s + 2:g}z"/>'
    if priority == 2:
        return f'<path class="m2" d="M{x:g} {y - s:g}l{s + 1:g} {2 * s - 0.5:g}h-{2 * (s + 1):g}z"/>'
    if priority == 3:
        return f'<rect class="m3" x="{x - s + 1:g}" y="{y - s + 1:g}" width="{2 * s - 2:g}" height="{2 * s - 2:g}" rx="2"/>'
    return f'<circle class="m4" cx="{x:g}" cy="{y:g}" r="{s - 2:g}"/>'


def timeline(
    say: Language,
    rows: Sequence[Row],
    now: dt.datetime,
    lanes: Sequence[tuple[str, str]],
    band: tuple[dt.datetime, dt.datetime] | None = None,
    hours: int = 24,
) -> Markup:
    """What came when, in a lane for each dimension; a narrow screen shows the right end, so each lane is named there again.

    Args:
        say: the language.
        rows: the bulletins.
        now: the right end.
        lanes: key and name of each lane; a bulletin stands in each of its dimensions.
        band: a time to be tinted, such as that in which votes are cast.
        hours: how long the drawing is.
    """
    right, top, lane = 20, 26, 38
    left = max(188.0, 56 + _LETTER * max((len(name) for _, name in lanes), default=0))
    height = top + lane * len(lanes) + 10
    start, whole = now - dt.timedelta(hours=hours), dt.timedelta(hours=hours)
    across = _WIDTH - left - right

    def x_of(moment: dt.datetime) -> float:
        return left + across * ((moment - start) / whole)

    out = [
        (
            f'<svg class="draw draw-wide" viewBox="0 0 {_WIDTH} {height}" role="group" '
            f'aria-label="{said_of(say("Bulletins of the last %(hours)s hours by dimension", hours=hours))}">'
        )
    ]
    hour = start.replace(minute=0, second=0, microsecond=0) + dt.timedelta(hours=1)
    while hour <= now:
        if hour.hour % 3 == 0:
            x = x_of(hour)
            out.append(f'<path class="grid-line" d="M{x:.1f} {top}V{height - 10}"/>')
            label = f"{hour:%H:%M}" if hour.hour else texts.day(say, hour)
            out.append(text_of(round(x, 1), 15, label, "" if hour.hour else "strong", "middle"))
        hour += dt.timedelta(hours=1)
    if band is not None and (first := max(band[0], start)) < (last := min(band[1], now)):
        out.append(
            f'<rect class="band" x="{x_of(first):.1f}" y="{top}" width="{x_of(last) - x_of(first):.1f}" height="{height - top - 10}"/>'
        )
    for n, (key, name) in enumerate(lanes):
        y = top + lane * n + lane / 2 + 2
        mine = sorted((row for row in rows if key in row.dimensions), key=lambda row: row.at)
        out += [
            f'<path class="grid-line" d="M0 {top + lane * (n + 1):g}H{_WIDTH}"/>',
            text_of(16, y + 4, name, "mid"),
            text_of(left - 16, y + 4, str(len(mine) or ""), "strong", "end"),
            f'<g class="again" aria-hidden="true">{text_of(_WIDTH - right, top + lane * n + 11, name, "mid", "end")}</g>',
        ]
        out += _marks(say, mine, y, x_of, _WIDTH - right)
    return markup_of([*out, f'<path class="now" d="M{x_of(now):.1f} {top - 4}V{height - 10}"/></svg>'])


def _marks(
    say: Language, rows: Sequence[Row], y: float, x_of: Callable[[dt.datetime], float], most: float
) -> Iterator[str]:
    """The marks of one lane: never closer than one can point at; where there are too many, the last ones."""
    last = -99.0
    for row in rows:
        x = max(x_of(row.at), last + 15)
        if x > most + 8:
            return
        last = x
        label = said_of(
            say(
                "%(time)s, priority %(priority)s, %(headline)s",
                time=f"{row.at:%H:%M}",
                priority=row.priority,
                headline=row.headline,
            )
        )
        yield (
            f'<a href="{said_of(row.address)}" aria-label="{label}"><title>{label}</title>'
            f'<rect class="hit" x="{x - _HIT / 2:.1f}" y="{y - _HIT / 2:g}" width="{_HIT}" height="{_HIT}" rx="5"/>'
            f"{mark(round(x, 1), y, row.priority)}</a>"
        )


def histogram(
    say: Language,
    counts: Sequence[tuple[int, int]],
    now: dt.datetime,
    hours: int = 24,
    width: int = 900,
) -> Markup:
    """How many came in each part of the last hours: of each part the grave ones, and the rest.

    Args:
        say: the language.
        counts: from the oldest part to the newest.
        now: the right end.
        hours: how long the drawing is.
        width: of the drawing.
    """
    height, base = 58, 40
    step = width / max(1, len(counts))
    most = max((grave + rest for grave, rest in counts), default=0)
    unit = min(8.0, (base - 4) / max(1, most))
    about = say.many(
        "%(num)s bulletin in the last %(hours)s hours, at most %(most)s in one part of them; the first part holds what is older",
        "%(num)s bulletins in the last %(hours)s hours, at most %(most)s in one part of them; the first part holds what is older",
        sum(map(sum, counts)),
        hours=hours,
        most=most,
    )
    out = [
        (
            f'<svg class="draw draw-wide" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{said_of(about)}">'
        )
    ]
    for n, (grave, rest) in enumerate(counts):
        x, y = n * step + 1, float(base)
        for count, cls in ((rest, "m4b"), (grave, "m2")):
            if count:
                y -= count * unit
                out.append(
                    f'<rect class="{cls}" x="{x:.1f}" y="{y:.1f}" width="{step - 2:.1f}" height="{max(1.0, count * unit - 1):.1f}"/>'
                )
    out.append(f'<path class="axis" d="M0 {base + 0.5}H{width}"/>')
    for hour in range(0, hours + 1, hours // 8):
        moment = now - dt.timedelta(hours=hours - hour)
        anchor = "start" if hour == 0 else "end" if hour == hours else "middle"
        is_now = hour == hours
        words = say("now") if is_now else f"{moment:%H:%M}"
        out.append(text_of(hour / hours * width, height - 3, words, "now-label" if is_now else "", anchor))
    return markup_of([*out, "</svg>"])


def meter(share: float, cls: str = "") -> Markup:
    """A bar that is filled by a share between 0 and 1."""
    width = max(1.5, min(100.0, share * 100))
    return markup_of(
        f'<svg class="meter {escape(cls)}" aria-hidden="true" viewBox="0 0 100 6" preserveAspectRatio="none">'
        f'<rect width="100" height="6" rx="3"/><rect width="{width:.1f}" height="6" rx="3"/></svg>'
    )


def gantt(
    say: Language,
    elections: Sequence[tuple[str, str, str, Sequence[tuple[str, dt.datetime, dt.datetime]]]],
    now: dt.datetime,
) -> Markup:
    """Elections and their windows, from the month before to nine ahead.

    Args:
        say: the language.
        elections: id, country, name, and the windows: `before`, `during`, `vote` or `after`, start and end.
        now: marked as today.
    """
    left, top, row = 216, 40, 34
    height = top + row * len(elections) + 8
    start = (now - dt.timedelta(days=15)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    days, across = 300, _WIDTH - left - 16

    def x_of(moment: dt.datetime) -> float:
        return min(_WIDTH, max(left, left + across * ((moment - start) / dt.timedelta(days=days))))

    out = [
        (
            f'<svg class="draw draw-wide gantt" viewBox="0 0 {_WIDTH} {height}" role="group" '
            f'aria-label="{said_of(say("Elections and their phases"))}">'
        )
    ]
    month = start
    while month < start + dt.timedelta(days=days):
        x = x_of(month)
        out.append(f'<path class="grid-line" d="M{x:.1f} {top - 10}V{height - 8}"/>')
        out.append(text_of(round(x + 5, 1), 20, say.plain(texts.MONTHS[month.month - 1])))
        month = (month + dt.timedelta(days=32)).replace(day=1)
    for n, (id_, country, name, windows) in enumerate(elections):
        y = top + row * n
        out.append(f'<path class="grid-line" d="M0 {y:g}H{_WIDTH}"/>')
        out.append(
            f'<a href="/e/{said_of(id_)}"><title>{said_of(f"{name}, {country}")}</title>'
            f'<rect class="hit" x="1" y="{y + 1:g}" width="{left - 8}" height="{row - 2}" rx="5"/>'
            f"{text_of(14, y + 21, country, 'strong')}{text_of(44, y + 21, name[:24], 'mid')}</a>"
        )
        for kind, first, last in windows:
            x1, x2 = x_of(first), max(x_of(last), x_of(first) + 3)
            inset = {"before": 12, "during": 7, "vote": 5, "after": 14}.get(kind, 12)
            out.append(
                f'<rect class="w-{said_of(kind)}" x="{x1:.1f}" y="{y + inset:g}" width="{x2 - x1:.1f}" height="{row - 2 * inset:g}" rx="2">'
                f"<title>{said_of(_window(say, kind, first, last))}</title></rect>"
            )
    x = x_of(now)
    out.append(f'<path class="now" d="M{x:.1f} {top - 12}V{height - 8}"/>')
    out.append(text_of(round(x + 6, 1), 34, say("today"), "now-label") + "</svg>")
    return markup_of(out)


_WINDOWS = {
    "before": marked("before: %(first)s to %(last)s"),
    "during": marked("during: %(first)s to %(last)s"),
    "vote": marked("vote: %(first)s to %(last)s"),
    "after": marked("after: %(first)s to %(last)s"),
}


def _window(say: Language, kind: str, first: dt.datetime, last: dt.datetime) -> str:
    form = _WINDOWS.get(kind, _WINDOWS["before"])
    return say(form, first=texts.day(say, first, "long"), last=texts.day(say, last, "long"))


def answer(within: float, after: float | None, width: int = 300, whole: float = 1000.0) -> Markup:
    """Of a drill: how long an answer took, against how long it might have taken; in seconds."""
    scale = width / whole
    end = min(width - 1.0, within * scale)
    bits = [
        (
            f'<svg class="draw answer" viewBox="0 0 {width} 22" aria-hidden="true">'
            f'<rect class="limit" x="0" y="5" width="{end:.0f}" height="12" rx="2"/>'
        )
    ]
    if after is not None:
        took = min(width - 1.0, max(1.0, after * scale))
        bits.append(
            f'<rect class="{"met" if after <= within else "missed"}" x="0" y="8" width="{took:.0f}" height="6" rx="1"/>'
        )
    return markup_of([*bits, f'<path class="axis" d="M{end:.1f} 2v18"/></svg>'])
