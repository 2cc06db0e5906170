"""Templates: each value is escaped and shown, an unknown name is an error, and what a page needs of its frame is beside it."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import jinja2
import msgspec
from markupsafe import escape

from bus.console import codes, drawing, graph, sentences, texts
from bus.console.icons import ICONS
from bus.console.navigation import current
from bus.console.page import Failed
from bus.console.pages import (
    CHOICES,
    SNOOZE_ENDS,
    TO_DO,
    VERDICTS,
    Listed,
    how_many_stand,
    refused_in_a_day,
    title_of,
)
from bus.console.people import Viewer
from bus.console.voices import Voice, Voices, english
from bus.desk import Action
from bus.hub.picture import events
from bus.sheets import Sayings

if TYPE_CHECKING:
    from bus.console.asked import Asked

HERE = Path(__file__).parent
TEMPLATES, ASSETS = HERE / "templates", HERE / "assets"
PARTS = "parts.html"
"""The components. They are made once for each page, and templates call them as `c`; an import in each template would make them again."""
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What stands around every page.

    Attributes:
        hub: what the hub is called.
        now: the moment of the page.
        zone: local time at the hub.
        last: the last event, from which live ones go on.
        elections: what each election with a calendar is called, by its id.
        counts: by path, the number beside its name in the navigation, whether it is pressing, and what is counted.
        is_blind: whether nobody reads the bus into the store.
    """

    hub: str
    now: dt.datetime
    zone: dt.tzinfo
    last: int
    elections: dict[str, str]
    counts: dict[str, tuple[int, bool, str]]
    is_blind: bool


def frame_of(asked: Asked) -> Frame:
    """The frame of a page, from the snapshot that the page is made from."""
    db = asked.db
    refused = refused_in_a_day(asked)
    alarms = how_many_stand(asked)
    given = sum(each.is_granted for each in asked.waiting)
    counts = {
        "/publish": (given, given > 0, asked.say("to publish")),
        "/approvals": (len(asked.waiting) - given, True, asked.say("to approve")),
        "/channels": (alarms, False, asked.say.many("alarm", "alarms", alarms)),
        "/quarantine": (refused, False, asked.say("refused in a day")),
    }
    return Frame(
        hub=asked.name_of(asked.hub),
        now=asked.now,
        zone=asked.zone,
        last=events.newest(db),
        elections={each.election: title_of(asked, each) for each in asked.calendars},
        counts={path: count for path, count in counts.items() if count[0]},
        is_blind=asked.is_blind,
    )


@cache
def _templates() -> jinja2.Environment:
    """The templates, each read when it is first used, then kept: to compile one costs more than a page."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=texts.finalized,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        extensions=["jinja2.ext.i18n"],
    )
    templates.policies["ext.i18n.trimmed"] = True
    templates.filters["capital"] = texts.capital
    templates.newstyle_gettext = True  # type: ignore[attr-defined]
    templates.globals.update(
        gettext=sentences.said,
        ngettext=sentences.said_of,
        pgettext=sentences.said_within,
        forms=sentences.forms,
        icons=ICONS,
        drawing=drawing,
        graph=graph.graph,
        phase_mark=drawing.PHASE_MARK,
        shown=texts.shown,
        to_do=TO_DO,
        snooze_ends=tuple(SNOOZE_ENDS.items()),
        verdicts=tuple(VERDICTS.items()),
        gantt_rows=gantt_rows,
        current=current,
        choices=CHOICES,
        as_typed=escape,
        files=(),
    )
    return templates


class Renderer:
    """Makes pages from templates."""

    def __init__(self, voices: Voices | None = None) -> None:
        """In these languages."""
        self.voices = voices if voices is not None else Voices()

    def page(
        self,
        template: str,
        now: dt.datetime,
        zone: dt.tzinfo = dt.UTC,
        voice: Voice | None = None,
        *,
        viewer: Viewer | None = None,
        **values: object,
    ) -> str:
        """A page as HTML.

        Args:
            template: its name.
            now: the moment that it is made for.
            zone: local time.
            voice: the language of its reader.
            viewer: who looks; None for somebody who is not signed in.
            values: what the template shows.
        """
        spoken = voice if voice is not None else english()
        say = spoken.say
        shown: dict[str, object] = {
            "voice": spoken,
            "voices": self.voices,
            "say": say,
            "word": spoken.words.word,
            "code": partial(codes.in_words, say),
            "labelled": partial(codes.labelled, say),
            "label_says": partial(_label_says, spoken.words),
            "happened": partial(codes.happened, say),
            "now": now,
            "local": partial(texts.wall_time, zone),
            "stamp": texts.stamp,
            "both": partial(texts.both, say, zone),
            "span": partial(texts.span, say),
            "took": partial(texts.took, say),
            "day": partial(texts.day, say),
            "number": partial(texts.number, say),
            "left": lambda moment: texts.left(say, moment, now),
            "ago": lambda moment: texts.ago(say, moment, now),
            "urgency": lambda moment: texts.urgency(moment, now),
            "may": lambda action: viewer is not None and viewer.may(Action(action)),
            "viewer": viewer,
            "typed": partial(_typed, values.get("failed")),
            "failed": None,
            "once": None,
            **values,
        }
        templates = _templates()
        parts = templates.get_template(PARTS).make_module(shown)
        return templates.get_template(template).render(shown, c=parts)


def _label_says(words: Sayings, label: str) -> str:
    """The sentence of a label."""
    return words.say(f"label-{label}") if words.has(f"label-{label}") else label


def _typed(failed: object, form: str, name: str, default: str = "") -> str:
    """What a field of a form shows: what was typed where the form was refused, else what stands there before."""
    return failed.fields.get(name, "") if isinstance(failed, Failed) and failed.form == form else default


def gantt_rows(
    elections: Iterable[Listed],
) -> list[tuple[str, str, str, list[tuple[str, dt.datetime, dt.datetime]]]]:
    """Elections as `drawing.gantt` takes them."""
    return [
        (
            each.standing.election,
            each.standing.country,
            each.name,
            [(span.what, span.start, span.end) for span in each.spans],
        )
        for each in elections
    ]


class Asset(NamedTuple):
    """A file of the console: its bytes, its type, and whether they are packed by gzip."""

    body: bytes
    kind: str
    is_packed: bool


@cache
def _assets() -> dict[str, tuple[bytes, str]]:
    """Every file that pages use, by its name; what is no kind of such a file is none."""
    return {
        str(path.relative_to(ASSETS)): (path.read_bytes(), TYPES[path.suffix])
        for path in sorted(ASSETS.rglob("*"))
        if path.is_file() and path.suffix in TYPES
    }


@cache
def _packed(name: str) -> bytes:
    return gzip.compress(_assets()[name][0], mtime=0)


def asset(name: str, *, packed: bool = False) -> Asset | None:
    """A file of the console; None where there is none of that name.

    Args:
        name: its path below the folder of files.
        packed: whether it may come packed, where that makes it shorter.
    """
    found = _assets().get(name)
    if found is None:
        return None
    body, kind = found
    is_packed = packed and kind.startswith(("text/", "image/svg"))
    return Asset(_packed(name) if is_packed else body, kind, is_packed)
