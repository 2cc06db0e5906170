"""One bulletin in a line or two: when, how urgent, who, what, marking, to whom, verified, and its headline."""

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
# A priority and a marking, as lists, `watch` in a pipe and the picture write them: before any word of an author.
_TOLD = re.compile(
    r"((?:[0-9a-f-]{36}  )?(?:\w+ +)?(?:\d\d-\d\d \d\d:\d\d:\d\d )|  )(p[1-4])( (?:\d\d-\d\d \d\d:\d\d )?\S+ +\S+ +)"
    r"(TLP:[A-Z+]+)(.*)",
    re.DOTALL,
)
MARKING = {"red": "red", "amber+strict": "yellow", "amber": "yellow", "green": "green"}


class BulletinLines(NamedTuple):
    """A bulletin: a line in a pipe, two on a narrow terminal, the headline hanging on a wide one.

    Attributes:
        bulletin: what was admitted.
        labels: what a reader must know about it, such as `late`.
        trust: the state of the registry it was admitted with.
        remark: added to the headline.
        standing: what is known of it here; of one's own, how far it has come.
        piped: the line in a pipe, where it is another.
        id: of the bulletin, where it is to be named.
        name: the beginning of it, for a terminal.
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
    """A line that tells of a bulletin, with the colours of its priority and marking; any other line as it is.

    Only what stands where a fact stands has a colour, never a word of a headline.
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
    """How far it may go, what it forbids and whether it is real, beside whatever is told of it as JSON."""
    return {
        "status": str(bulletin.status),
        "tlp": str(bulletin.tlp),
        "pap": str(bulletin.pap),
        "audience": bulletin.audience,
        "marks": marks(bulletin, now),
    }


def headline_line(bulletin: Bulletin, labels: Iterable[str]) -> str:
    """The headline; before it what kind of exercise it is or whether it ends another, after it the labels as given."""
    before = "" if bulletin.status == "actual" else f"[{bulletin.status.upper()}] "
    before += "" if bulletin.msg_type == "alert" else f"[{bulletin.msg_type.upper()}] "
    after = f" ({', '.join(labels)})" if labels else ""
    return f"{before}{headline(bulletin)}{after}"


def headline(bulletin: Bulletin) -> str:
    """The words of a bulletin in one line; a cover has none of its own and says to whom it is sealed."""
    return f"Sealed to {recipients_of(bulletin)}" if bulletin.kind == "sealed" else bulletin.headline


def _facts(bulletin: Bulletin) -> list[Part]:
    """The columns before the standing and the headline, 67 characters, each with its colour."""
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
    """Whom a sealed bulletin is sealed to."""
    return ", ".join(getattr(outer.body, "recipients", ()))
