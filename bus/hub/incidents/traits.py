"""Traits that bulletins of one incident may share: values, names, words, place and time. Pure.

A trait is a pair of a sort and a value in one spelling. Traits of a bulletin that is kept sealed are those of its cover.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from bus.filters import norm, prose, words_in
from bus.hub.incidents.matters import matters_of
from bus.hub.incidents.spelling import MARKS, NO_LETTER, canonical, spellings, stem
from schemas.bodies.coordination import PostElectionReport, SituationReport
from schemas.bodies.digital import ContentItem
from schemas.bodies.electoral import ElectionCalendar
from schemas.bodies.foreign import Fimi
from schemas.bulletin import Bulletin
from schemas.parts import Observable
from schemas.vocab import Status


class Sort(StrEnum):
    """The sorts of traits, from what joins most to what joins least."""

    KEYED = "keyed-hash"
    MARK = "mark"
    VALUE = "value"
    HOST = "host"
    MAIL_HOST = "host-of-mailbox"
    PAGE_HOST = "host-of-page"
    CHANNEL = "channel"
    MENTION = "mention"
    ADDRESS = "address"
    VICTIM = "victim"
    TAG = "hashtag"
    NAME = "name"
    NUMBER = "number"
    CALLED = "called"
    LABEL = "label"
    TECHNIQUE = "technique"


Trait = tuple[Sort, str]
"""A sort and a value in one spelling."""
HOSTS = frozenset({Sort.HOST, Sort.MAIL_HOST, Sort.PAGE_HOST})
"""Machines named in longer values."""
MENTIONABLE = frozenset({Sort.MARK, Sort.VALUE, Sort.CHANNEL})
"""Sorts of which the prose of another bulletin may mention a value."""
SOFT = frozenset({Sort.NUMBER, Sort.CALLED, Sort.LABEL})
"""Sorts of which a value says the less the more bulletins have it, like a word."""
OVERVIEWS = (SituationReport, PostElectionReport, ElectionCalendar)
"""Bodies that speak of many events: what they share with others joins nothing."""
_VICTIMS = frozenset({"victim", "victim-canary"})
_CHANNELS = frozenset({"channel", "user-account"})
_ADDRESSES = frozenset({"ipv4-addr", "ipv6-addr", "autonomous-system"})
_LABELLED = (
    "category", "classification", "cause", "methods", "assets", "offences", "infringements", "data_categories",
    "subject_categories", "content_types", "products", "malware",
)  # fmt: skip
"""Fields of bodies with words of vocabularies, or with names of products."""
_SAYS_NOTHING = frozenset(
    {"other", "other:other", "other:undetermined", "negative-effects-on-civic-discourse-or-elections"}
)
_COUNTS = ("voters_affected", "units_affected", "count")
_NUMBER = re.compile(r"\d[\d.,\u00a0\u202f ]*\d")
_BETWEEN_DIGITS = re.compile(r"[., \u00a0\u202f]+")
_SMALLEST, _GROUP, _MOST_DIGITS = 10, 3, 12
_YEARS = range(2000, 2041)
_INNER_WORD = re.compile(r"(?<=[\w,] )[^\W\d_][\w-]{2,}")
_GERMAN_NOUN = re.compile(r"\b(?:der|die|das|den|dem|des|ein|eine[mnrs]?) ([^\W\d_][\w-]{2,})", re.IGNORECASE)
"""What follows an article is hardly a name."""
_MENTION = re.compile(r"[\w@][\w@./:-]{4,}\w")


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """The compared traits of one bulletin.

    Attributes:
        id: the bulletin's.
        is_actual: whether it is of status actual; such are compared with their like alone.
        is_overview: whether it speaks of many events.
        issued: seconds since 1970.
        until: the same, of the last bulletin where several are taken as one (`bus.hub.incidents.pooling`).
        incident: the incident that its author names.
        refers: whether it names other bulletins.
        election: the election that it concerns.
        countries: the countries that it is about.
        regions: the codes of the places that it is about.
        traits: pairs of a sort and a value.
        words: the words of its prose, of whichever language, in Latin letters and without endings.
        plain: words that it shows to be no names of an event.
        languages: of its headlines.
        labels: the words of vocabularies in its body, each with its field.
        matters: what its prose and the words of its vocabularies are about (`bus.hub.incidents.matters`).
        office: its issuer and kind: one office tells of one event by references, or of several.
        stage: of its body, where that has stages.
    """

    id: str
    is_actual: bool
    is_overview: bool
    issued: float
    until: float
    incident: str | None
    refers: bool
    election: str | None
    countries: frozenset[str]
    regions: frozenset[str]
    traits: frozenset[Trait]
    words: frozenset[str]
    plain: frozenset[str]
    languages: frozenset[str]
    labels: frozenset[tuple[str, str]]
    matters: frozenset[str]
    office: tuple[str, str]
    stage: str


def traits_of(b: Bulletin) -> Traits:
    """The compared traits of a bulletin; their size is bounded by the bulletin's."""
    texts = list(prose(b))
    fields = [(name, label) for name in _LABELLED for label in _labels(getattr(b.body, name, None))]
    labels = [label for _, label in fields]
    words = {stem(word) for text in texts for word in words_in(text) if not word.isdigit()}
    terms = {stem(word) for label in labels for word in words_in(label.replace("-", " "))}
    return Traits(
        id=b.id,
        is_actual=b.status is Status.ACTUAL,
        is_overview=isinstance(b.body, OVERVIEWS),
        issued=b.issued.timestamp(),
        until=b.issued.timestamp(),
        incident=b.incident_id,
        refers=bool(b.references),
        election=b.election.id if b.election is not None else None,
        countries=frozenset(area.country for area in b.areas if area.country is not None),
        regions=frozenset(area.code for area in b.areas if area.code is not None),
        traits=frozenset(
            (
                *_traits(b),
                *_mentions(texts),
                *_numbers(b, texts),
                *_called(b),
                *((Sort.LABEL, label) for label in labels),
            )
        ),
        words=frozenset(words),
        plain=frozenset(_plain(b)),
        languages=frozenset(info.lang for info in b.info),
        labels=frozenset(fields),
        matters=frozenset(matter for word in words | terms for matter in matters_of(word)),
        office=(b.issuer.id, b.kind),
        stage=str(getattr(b.body, "stage", "")),
    )


def _traits(b: Bulletin) -> Iterator[Trait]:
    for each in b.observables:
        if each.value_hmac is not None:
            yield Sort.KEYED, each.value_hmac
        if each.value is not None:
            yield from _of_value(each, each.value)
    for item in getattr(b.body, "items", ()):
        if isinstance(item, ContentItem):
            if item.url is not None:
                yield Sort.VALUE, canonical("url", item.url)
            if item.sha256 is not None:
                yield Sort.MARK, item.sha256
    yield from ((Sort.MARK, each.sha256) for each in b.evidence)
    names = b.body.impersonated if isinstance(b.body, Fimi) else ()
    yield from ((Sort.NAME, spelt) for name in names for spelt in spellings(name))
    yield from ((Sort.NAME, spelt) for each in b.targets if each.name for spelt in spellings(each.name))
    yield from ((Sort.TECHNIQUE, f"{each.framework}:{each.id}") for each in b.ttps)


def _of_value(each: Observable, value: str) -> Iterator[Trait]:
    plain = canonical(each.type, value)
    if each.role in _VICTIMS:
        yield Sort.VICTIM, plain
    elif each.role == "impersonated":
        yield from ((Sort.NAME, spelt) for spelt in spellings(value))
    elif each.type in _ADDRESSES:
        yield Sort.ADDRESS, plain
    elif each.type in _CHANNELS:
        yield Sort.CHANNEL, plain
    elif each.type == "hashtag":
        yield Sort.TAG, plain
    elif each.type in MARKS:
        yield Sort.MARK, plain
    else:
        yield Sort.VALUE, plain
        if each.type == "email-addr" and "@" in plain:
            yield Sort.MAIL_HOST, plain.rpartition("@")[2]
        elif each.type == "url" and (host := re.split("[/:?#]", plain, maxsplit=1)[0]) != plain:
            yield (Sort.PAGE_HOST if each.role == "content" else Sort.HOST), host


def _mentions(texts: list[str]) -> Iterator[Trait]:
    """Numbers, machine names and mailboxes in a text that another bulletin may hold as a value."""
    for text in texts:
        for found in _MENTION.findall(text):
            has_mark = any(map(str.isdigit, found)) or "." in found or "@" in found
            if has_mark and any(map(str.isalpha, found)):
                yield Sort.MENTION, NO_LETTER.sub("", norm(found))


def _numbers(b: Bulletin, texts: list[str]) -> Iterator[Trait]:
    """Numbers of two digits and more in a text and in counts, without marks between thousands; years say nothing."""
    found = {held for name in _COUNTS if isinstance(held := getattr(b.body, name, None), int)}
    for text in texts:
        for each in _NUMBER.findall(text):
            parts = _BETWEEN_DIGITS.split(each)
            is_one = len(parts[0]) <= _GROUP and all(len(part) == _GROUP for part in parts[1:])
            whole = ["".join(parts)] if is_one else parts
            found.update(int(part) for part in whole if len(part) <= _MOST_DIGITS)
    yield from ((Sort.NUMBER, str(each)) for each in found if each >= _SMALLEST and each not in _YEARS)


def _called(b: Bulletin) -> Iterator[Trait]:
    """Words that may be names: with a capital inside a sentence, where a language does not write all nouns so; or of a name."""
    names = [word for word in _inner_words(b) if word[0].isupper()]
    names += [
        name for field in ("name", "sponsor", "products") for name in _labels(getattr(b.body, field, None))
    ]
    yield from ((Sort.CALLED, stem(word)) for word in words_in(" ".join(names)) if len(word) > _GROUP)


def _plain(b: Bulletin) -> Iterator[str]:
    """Words that name no event: small inside a sentence, German nouns, names of malware, of targets and of who is posed as."""
    some = [word for word in _inner_words(b) if word[0].islower()]
    some += [word for text in _told(b, in_german=True) for word in _GERMAN_NOUN.findall(text)]
    some += [each.name for each in b.targets if each.name]
    some += [name for field in ("malware", "impersonated") for name in _labels(getattr(b.body, field, None))]
    yield from map(stem, words_in(" ".join(some)))


def _inner_words(b: Bulletin) -> list[str]:
    """The words inside sentences, except in German, which writes all nouns with a capital."""
    return [word for text in _told(b, in_german=False) for word in _INNER_WORD.findall(text)]


def _told(b: Bulletin, *, in_german: bool) -> Iterator[str]:
    for info in b.info:
        if (info.lang == "de") is in_german:
            yield from (text for text in (info.headline, info.summary) if text)


def _labels(held: object) -> list[str]:
    some = held if isinstance(held, tuple) else (held,)
    return [str(each) for each in some if isinstance(each, str) and each not in _SAYS_NOTHING]
