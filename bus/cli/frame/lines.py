"""One bulletin in a line or two: time, priority, issuer, kind, marking, audience, trust, and headline."""

from __future__ import annotations

import re
import shutil
import textwrap
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from bus.cli.frame.app import App, Part
from bus.cli.frame.text import on_terminal, safe
from schemas import review
from schemas.passing_on import marks
from schemas.subject import priority

if TYPE_CHECKING:
    import datetime as dt

    from schemas.bulletin import Bulletin

WIDE = 120
_INDENT = 9
URGENT = {"p1": "red", "p2": "yellow"}
# Finds priority and marking in the lines of lists, `watch` in a pipe and the picture; they stand before all text of an author.
_TOLD = re.compile(
    r"((?:[0-9a-f-]{36}  )?(?:\w+ +)?(?:\d\d-\d\d \d\d:\d\d:\d\d )|  )(p[1-4])( (?:\d\d-\d\d \d\d:\d\d )?\S+ +\S+ +)"
    r"(TLP:[A-Z+]+)(.*)",
    re.DOTALL,
)
MARKING = {"red": "red", "amber+strict": "yellow", "amber": "yellow", "green": "green"}


class BulletinLines(NamedTuple):
    """A bulletin as one line in a pipe, two lines on a narrow terminal, and one with an indented headline on a wide one.

    Attributes:
        bulletin: the admitted bulletin.
        labels: facts that a reader must know, such as `late`.
        trust: the state of the registry at its admission.
        remark: added to the headline.
        standing: its state here; for an own bulletin, its step of the ladder.
        piped: the line in a pipe, if it differs.
        id: of the bulletin, if it is shown.
        name: the beginning of the id, for a terminal.
    """

    bulletin: Bulletin
    labels: Collection[str] = ()
    trust: str = "fresh"
    remark: str = ""
    standing: str = "verified"
    piped: str = ""
    id: str = ""
    name: str = ""

    def draw(self, app: App) -> None:
        """Print it."""
        known = {*self.labels, *(() if self.trust == "fresh" else (f"trust {self.trust}",))}
        flags = (*marks(self.bulletin, app.now()), *review.labels(self.bulletin), *sorted(known))
        id_ = (self.name or self.id) if on_terminal() else self.id
        after = "".join(f"  [{each}]" for each in (self.remark, id_) if each)
        if not on_terminal():
            app.painted(in_colour(self.piped or one_line(self.bulletin, flags) + after))
            return
        words = headline_line(self.bulletin, flags) + after
        facts = [*_facts(self.bulletin), (self.standing, None)]
        plain = " ".join(text for text, _ in facts)
        width = shutil.get_terminal_size().columns
        hanging = width >= WIDE
        room = max(20, width - (len(plain) + 2 if hanging else _INDENT) - 1)
        first, *rest = textwrap.wrap(safe(words), room) or [""]
        indent = " " * (len(plain) + 2 if hanging else _INDENT)
        if hanging:
            app.painted([*_spaced(facts), ("  " + first, None)])
        else:
            app.painted(_spaced(facts))
            app.painted([(indent + first, None)])
        for more in rest:
            app.painted([(indent + more, None)])


def in_colour(line: str) -> list[Part]:
    """The line of a bulletin, with the colours of its priority and marking; any other line unchanged.

    Only facts in their columns get a colour, never a word of a headline.
    """
    found = _TOLD.match(line)
    if found is None:
        return [(line, None)]
    before, urgency, between, tlp, after = found.groups()
    color = MARKING.get(tlp.removeprefix("TLP:").lower())
    return [(before, None), (urgency, URGENT.get(urgency)), (between, None), (tlp, color), (after, None)]


def _spaced(facts: Iterable[Part]) -> list[Part]:
    """The facts with a space between them."""
    spaced = [part for fact in facts for part in (fact, (" ", None))]
    return spaced[:-1]


def one_line(bulletin: Bulletin, labels: Iterable[str] = ()) -> str:
    """A whole bulletin in one line, for pipes and lists."""
    return (
        f"{bulletin.issued:%m-%d %H:%M:%S} {priority(bulletin)} {bulletin.issuer.id:<9} {bulletin.kind:<18} "
        f"TLP:{bulletin.tlp.upper():<12} {bulletin.audience:<10} {headline_line(bulletin, labels)}"
    )


def marking(bulletin: Bulletin, now: dt.datetime) -> dict[str, object]:
    """The JSON values for a bulletin's marking, what it forbids, and whether it is an exercise."""
    return {
        "status": str(bulletin.status),
        "tlp": str(bulletin.tlp),
        "pap": str(bulletin.pap),
        "audience": bulletin.audience,
        "marks": marks(bulletin, now),
    }


def headline_line(bulletin: Bulletin, labels: Iterable[str]) -> str:
    """The headline; before it a word if it is an exercise or a withdrawal, after it the labels."""
    before = "" if bulletin.status == "actual" else f"[{bulletin.status.upper()}] "
    before += "" if bulletin.msg_type == "alert" else f"[{bulletin.msg_type.upper()}] "
    after = f" ({', '.join(labels)})" if labels else ""
    return f"{before}{headline(bulletin)}{after}"


def headline(bulletin: Bulletin) -> str:
    """The headline of a bulletin in one line; a cover has none, and names its recipients instead."""
    return f"Sealed to {recipients_of(bulletin)}" if bulletin.kind == "sealed" else bulletin.headline


def _facts(bulletin: Bulletin) -> list[Part]:
    """The columns before the standing and the headline, 67 characters in all, each with its colour."""
    urgency, tlp = priority(bulletin), str(bulletin.tlp)
    return [
        (f"{bulletin.issued:%H:%M}", None),
        (urgency, URGENT.get(urgency)),
        (f"{bulletin.issuer.id:<11}", None),
        (f"{bulletin.kind:<18}", None),
        (f"TLP:{tlp.upper():<12}", MARKING.get(tlp)),
        (f"{bulletin.audience:<10}", None),
    ]


def recipients_of(outer: Bulletin) -> str:
    """The recipients of a sealed bulletin."""
    return ", ".join(getattr(outer.body, "recipients", ()))
