"""What a message says, no more than its channel may carry: the one place where texts leave. Pure.

Up to the cap of a channel a message has headline, issuer, priority and a link; above it, that something at a marking waits, and
nothing else of it. Words of others are made harmless first: no control, no line of their own, no link, no mention, no markup.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from bus.notify.shape import OF_BULLETINS, THIS_HUB, Channel, Item, Message, Rule, Settings, Sort
from schemas.vocab import TLP_RANK, Tlp

EXERCISE = "[EXERCISE] "
"""Stands before every line about an exercise."""
MOST_TEXT = 200
"""So many characters of a headline, or of another word of others, are told."""
MOST_LINES = 20
"""So many lines a digest has; what else there is is counted."""
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_EMPTY = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)
_DOT = re.compile(r"(?<=\w)\.(?=\w*[^\W\d])")
_MARKUP = re.compile(r"[\\`*_{}<>#+~|!\[\]]")
_WHAT = {
    "bulletin": ("a bulletin", "bulletins"),
    "channel-alarm": ("an alarm of a channel", "alarms of channels"),
    "approval-asked": ("a draft", "drafts"),
}
"""What is said of what is above the cap: of one, and of several."""


class Told(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing as it leaves: what a webhook gets of it. Above the cap all but `what`, `tlp` and `exercise` is empty."""

    what: str
    tlp: Tlp
    exercise: bool = False
    headline: str = ""
    issuer: str = ""
    kind: str = ""
    priority: str = ""
    at: dt.datetime | None = None
    due: dt.datetime | None = None
    about: str = ""
    link: str = ""


class Worded(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it leaves.

    Attributes:
        subject: its first line, for mail.
        lines: all of it, for people.
        told: the same for programs.
        count: how many there were in all.
        since: when the first of them happened.
        form: as of the message.
    """

    subject: str
    lines: tuple[str, ...]
    told: tuple[Told, ...]
    count: int
    since: dt.datetime
    form: str

    @property
    def text(self) -> str:
        """The lines as one text."""
        return "\n".join(self.lines)


def worded(message: Message, channel: Channel, rule: Rule | None, settings: Settings) -> Worded | None:
    """A message in the words that a channel may carry.

    Args:
        message: what is to be said.
        channel: where.
        rule: of which rule; what is above its ceiling is left out. None for a test.
        settings: for the address of the console.

    Returns:
        The message; None where nothing of it may be told any more.
    """
    ceiling = TLP_RANK[Tlp.GREEN if rule is None else rule.ceiling]
    items = tuple(each for each in message.items if TLP_RANK[each.tlp] <= ceiling)
    if message.form == "test":
        line = "tocsin: this is a test of the channel; nothing has happened"
        return Worded(subject=line, lines=(line,), told=(), count=0, since=message.since, form="test")
    if not items:
        return None
    told = tuple(_told(each, channel, settings) for each in items)
    lines = _digest(message, told) if message.form == "digest" else _group(message, told)
    shown = tuple(lines)
    return Worded(
        subject=plain(shown[0]),
        lines=shown,
        told=told,
        count=message.count,
        since=message.since,
        form=message.form,
    )


def _told(item: Item, channel: Channel, settings: Settings) -> Told:
    if TLP_RANK[item.tlp] > TLP_RANK[channel.tlp]:
        return Told(what=_kind_of(item.sort), tlp=item.tlp, exercise=item.is_exercise)
    return Told(
        what=str(item.sort),
        tlp=item.tlp,
        exercise=item.is_exercise,
        headline=harmless(item.headline),
        issuer=harmless(item.issuer) if item.is_named else "",
        kind=harmless(item.kind),
        priority=item.priority,
        at=item.at,
        due=item.due,
        about=plain(item.about),
        link=_link(item, settings.console),
    )


def _kind_of(sort: Sort) -> str:
    """What something is, without what has become of it."""
    if sort is Sort.APPROVAL:
        return str(sort)
    return str(Sort.BULLETIN if sort in OF_BULLETINS else Sort.CHANNEL)


def _link(item: Item, console: str) -> str:
    if not console:
        return ""
    places = {Sort.CHANNEL: "channels", Sort.HEARD: "channels", Sort.TRUST: "system", Sort.MISSED: "b"}
    place = places.get(item.sort) or ("drafts" if item.sort is Sort.APPROVAL else f"b/{_address(item.about)}")
    return f"{console.rstrip('/')}/{place}"


def _address(id_: str) -> str:
    return "".join(
        character for character in id_ if character.isascii() and (character.isalnum() or character == "-")
    )


def _group(message: Message, told: tuple[Told, ...]) -> Iterator[str]:
    head, more = told[0], message.count - len(told)
    mark = EXERCISE if head.exercise else ""
    if not head.about:
        yield mark + _waits(head, message.count)
        if message.form == "escalation":
            yield f"{mark}Nobody has answered yet; you are the next contact."
        return
    if message.form == "escalation":
        yield f"{mark}Nobody has answered: {_line(head)}"
    else:
        yield mark + _line(head)
    yield from _beside(head, mark)
    for each in told[1:]:
        yield mark + _line(each)
        yield from _beside(each, mark)
    if more > 0:
        yield f"{mark}{more} more of this since {_moment(message.since)}."


def _digest(message: Message, told: tuple[Told, ...]) -> Iterator[str]:
    mark = EXERCISE if all(each.exercise for each in told) else ""
    yield f"{mark}Digest: {_counted(message.count, 'thing has', 'things have')} happened since {_moment(message.since)}."
    open_, closed = [each for each in told if each.about], [each for each in told if not each.about]
    for each in open_[:MOST_LINES]:
        mine = EXERCISE if each.exercise else ""
        yield mine + _line(each) + (f" {each.link}" if each.link else "")
    for (what, tlp, exercise), n in sorted(
        Counter((each.what, each.tlp, each.exercise) for each in closed).items()
    ):
        yield (EXERCISE if exercise else "") + _waits(Told(what=what, tlp=tlp, exercise=exercise), n)
    more = message.count - min(len(open_), MOST_LINES) - len(closed)
    if more > 0:
        yield f"{mark}{more} more."


def _waits(told: Told, count: int) -> str:
    """All that is said of what is above the cap."""
    one, several = _WHAT[told.what]
    marking = f"TLP:{told.tlp.upper()}"
    return (
        f"{one} at {marking} waits for you" if count == 1 else f"{count} {several} at {marking} wait for you"
    )


def _line(told: Told) -> str:
    marking, priority = f"TLP:{told.tlp.upper()}", told.priority.removeprefix("p")
    sort = Sort(told.what)
    if sort in (Sort.CHANNEL, Sort.HEARD):
        how = f"alarm {told.kind}" if sort is Sort.CHANNEL else "it is heard again"
        if told.about == THIS_HUB:
            return (
                "this hub cannot judge the channels"
                if sort is Sort.CHANNEL
                else "this hub judges the channels again"
            )
        return f"{marking} channel {harmless(told.about)}: {how}"
    if sort in (Sort.TRUST, Sort.MISSED):
        return f"{marking} {told.headline}"
    before = {
        Sort.WITHDRAWN: "withdrawn: ",
        Sort.RESTORED: "in force again: ",
        Sort.LATE: f"too late, it was due {_moment(told.due)}: ",
        Sort.DUE: f"acknowledge by {_moment(told.due)}: ",
        Sort.APPROVAL: "a draft waits for your approval: ",
    }.get(sort, "")
    by = f" (by {told.issuer})" if told.issuer else ""
    return f"{marking} priority {priority}: {before}{told.headline}{by}"


def _beside(told: Told, mark: str) -> Iterator[str]:
    if told.link:
        yield f"{mark}{told.link}"


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _moment(at: dt.datetime | None) -> str:
    return "an unknown time" if at is None else f"{at.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"


# -- words of others ------------------------------------------------------------------------------------------------------


def plain(text: str, most: int = MOST_TEXT) -> str:
    """A text on one line, without what is not seen or would steer: each such character becomes a dot, each space a blank."""
    safe = "".join(
        " " if character in "\t\n\r\x0b\x0c\x85\u2028\u2029" else "·" if _is_unseen(character) else character
        for character in text[: most * 4]
    )
    safe = " ".join(safe.split())
    return safe if len(safe) <= most else f"{safe[: most - 1]}…"


def harmless(text: str) -> str:
    """The same, in which nothing can be clicked on, nobody is called by name and nothing is set in bold."""
    said = _MARKUP.sub(" ", plain(text)).replace("@", "(at)").replace("://", "[:]//")
    return " ".join(_DOT.sub("[.]", said).split())


def _is_unseen(character: str) -> bool:
    if character == "\xad" or _EMPTY.match(character):
        return True
    return unicodedata.category(character) in _UNSEEN and character not in "\u200c\u200d"


def escaped(lines: Iterable[str]) -> str:
    """Lines for a channel that reads Markdown: what is left of it is text."""
    return "\n".join(re.sub(r"([\\`*_{}()#+!|<>~])", r"\\\1", line) for line in lines)
