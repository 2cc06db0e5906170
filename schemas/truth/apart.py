"""Doubts: two fields that do not fit, harsh words under a mild kind, empty values."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import msgspec

from schemas import personal
from schemas.bodies.coordination import PostElectionReport
from schemas.bodies.cyber import CyberIncident
from schemas.bodies.digital import ContentOrder
from schemas.bodies.foreign import Fimi, SanctionsListing
from schemas.bulletin import Bulletin
from schemas.errors import Violation
from schemas.rules import FREE_ACTIONS
from schemas.truth.elsewhere import of_another_year, of_itself, origin, over, unborn
from schemas.truth.wording import words
from schemas.vocab import (
    PERSONAL_RANK,
    TLP_RANK,
    Affiliation,
    AttributionLevel,
    MsgType,
    PersonalFlag,
    Phase,
    Status,
    Tlp,
)


def all_words(b: Bulletin) -> Iterator[tuple[str, str]]:
    """(path, text) of all words, and of the notes of observables, which no rule checks."""
    yield from words(b)
    for n, each in enumerate(b.observables):
        if each.note:
            yield f"$.observables[{n}].note", each.note


def apart(b: Bulletin) -> Iterator[Violation]:
    """The doubts, each with a stable word as its `rule`."""
    yield from _at_odds(b)
    yield from _labelled(b)
    yield from _harsh(b)
    yield from _of_nothing(b)
    yield from _named(b)
    yield from _lawful(b)


_DAY, _STATES = dt.timedelta(days=1), ("state", "state-body")
_PAP_RANK = ("red", "amber", "green", "clear")
_MADE = ("deepfake-video", "deepfake-audio", "deepfake-image", "ai-generated-text")


def _at_odds(b: Bulletin) -> Iterator[Violation]:
    """Two fields that do not fit."""
    body, election = b.body, b.election
    if (
        election is not None
        and b.status is Status.ACTUAL
        and election.phase in (Phase.POLLING, Phase.COUNTING)
        and election.polling_first is not None
        and election.polling_first - b.issued.date() > _DAY
    ):
        yield Violation(
            "phase",
            "$.election.phase",
            f"{election.phase}, and the first polling day is {election.polling_first}",
        )
    yield from of_another_year(b)
    for looks_at in (origin, of_itself, over, unborn):
        yield from looks_at(b)
    if b.attribution is not None and b.attribution.level is AttributionLevel.UNATTRIBUTED:
        for n, actor in enumerate(b.attribution.actors):
            if actor.kind in _STATES or actor.affiliation in (
                Affiliation.OFFICIAL,
                Affiliation.STATE_CONTROLLED,
            ):
                yield Violation(
                    "attribution",
                    f"$.attribution.actors[{n}]",
                    "a state is named, and the level is unattributed; drop one of the two",
                )
        if b.attribution.state_responsibility is not None:
            yield Violation(
                "attribution",
                "$.attribution.state_responsibility",
                "a state is held responsible, and the level is unattributed",
            )
    if isinstance(body, Fimi) and body.synthetic == "none" and any(each in _MADE for each in body.methods):
        yield Violation("synthetic", "$.body.synthetic", "says none, but names a method; drop one of the two")
    if (
        isinstance(body, SanctionsListing)
        and set(body.measures) == {"travel-ban"}
        and all(each.subject == "enterprise" for each in body.listed)
    ):
        yield Violation(
            "measure", "$.body.measures", "a travel ban concerns persons, but only enterprises are listed"
        )
    if isinstance(body, CyberIncident) and not body.significant:
        for n, clock in enumerate(b.deadlines):
            if clock.clock.startswith("nis2-"):
                yield Violation(
                    "clock",
                    f"$.deadlines[{n}].clock",
                    "runs only for significant incidents (NIS2, Article 23(1)), and this one is not significant",
                )
    for n, each in enumerate(b.observables):
        if each.role == "victim" and each.actionable:
            yield Violation(
                "victim",
                f"$.observables[{n}].actionable",
                "a match hits the victim; drop actionable",
            )


def _labelled(b: Bulletin) -> Iterator[Violation]:
    """A label that contradicts the bulletin, and a listing in the future."""
    body = b.body
    if isinstance(body, SanctionsListing) and body.published - b.issued.date() > _DAY:
        yield Violation(
            "time", "$.body.published", "report a listing after its publication; this one is in the future"
        )
    for n, label in enumerate(b.labels):
        name, _, value = label.partition(":")
        if name in ("exercise", "drill") and b.status is Status.ACTUAL:
            yield Violation(
                "exercise", f"$.labels[{n}]", f"{label}, and has status actual; set status exercise"
            )
        if (
            name.lower() == "pap"
            and value.lower() in _PAP_RANK
            and _PAP_RANK.index(value.lower()) < _PAP_RANK.index(b.pap)
        ):
            yield Violation(
                "marking",
                f"$.labels[{n}]",
                f"{label} is narrower than PAP:{b.pap.upper()}; drop one of the two",
            )


_HARSH = re.compile(
    r"(?:^|[.!;:] )(?:please |now |at once,? |immediately )?(?:delete|remove|take down|take offline|shut (?:down|off)|switch off|turn off|block|ban|"
    r"suspend|arrest|detain|seize|confiscate|freeze|jam|cut(?: off)?|disconnect|censor|expel|raid|close down)\b(?P<what>[^.!?;]{0,80})",
    re.IGNORECASE,
)
_OF_ALL = re.compile(
    r"\b(?:mobile|internet|social media|messengers?|telephone network|phone network|broadcast\w*|radio|television|newspapers?|power)\b",
    re.IGNORECASE,
)
_OF_PERSONS = re.compile(
    r"\b(?:accounts?|posts?|profiles?|pages?|groups?|channels?|voters?|persons?|people|whoever|everybody|everyone|anybody|anyone|authors?|"
    r"journalists?|part(?:y|ies)|candidates?|demonstrat\w+|protest\w*|premises|homes?|all (?:who|those))\b",
    re.IGNORECASE,
)
_TECHNICAL = frozenset(
    {"mitigate-technical", "block-indicator", "patch", "rotate-credentials", "preserve-evidence"}
)
_ORDER_TO_ACT = 9
_ASKING = frozenset({"notify-platform", "label-or-contextualise"})


def _harsh(b: Bulletin) -> Iterator[Violation]:
    """A restriction under the name of an action that restricts nobody (Charter, Article 52(1))."""
    for n, action in enumerate(b.actions):
        if action.kind not in FREE_ACTIONS or action.kind in _ASKING or b.status is Status.EXERCISE:
            continue
        found = _HARSH.search(action.text)
        if found is None:
            continue
        if _OF_ALL.search(found["what"]) or (
            action.kind not in _TECHNICAL and _OF_PERSONS.search(found["what"])
        ):
            yield Violation(
                "measure",
                f"$.actions[{n}].text",
                f"restricts somebody, but is called {action.kind}; use the kind of the restriction, with law and rights check",
            )


_LEAST_YEAR, _LEAST_LETTERS = 1990, 4
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _moments(value: object, path: str) -> Iterator[tuple[str, dt.date]]:
    """(path, day) of every time and day of a bulletin."""
    if isinstance(value, dt.date):
        yield path, value
    elif isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from _moments(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _moments(getattr(value, name), f"{path}.{name}")


def _of_nothing(b: Bulletin) -> Iterator[Violation]:
    """Values from no real clock or file, and indicators too short to identify anything."""
    for path, moment in _moments(b, "$"):
        if moment.year < _LEAST_YEAR:
            yield Violation(
                "time", path, f"{moment.year} is the start value of a clock that was never set; give the time"
            )
    for n, kept in enumerate(b.evidence):
        if (kept.size == 0) != (kept.sha256 == _EMPTY):
            yield Violation(
                "evidence",
                f"$.evidence[{n}].sha256",
                f"is {'' if kept.size else 'not '}the digest of no bytes, and the size is {kept.size}",
            )
    for n, each in enumerate(b.observables):
        if (
            each.actionable
            and each.type in ("text", "hashtag")
            and each.value
            and len(each.value.strip("#* ")) < _LEAST_LETTERS
        ):
            yield Violation(
                "everything", f"$.observables[{n}].value", "is too short for matching; drop actionable"
            )
    if isinstance(b.body, PostElectionReport):
        named: set[str] = set()
        for n, lesson in enumerate(b.body.lessons):
            if lesson.id in named:
                yield Violation(
                    "twice", f"$.body.lessons[{n}].id", f"{lesson.id} is the id of another lesson"
                )
            named.add(lesson.id)


_SECRET = re.compile(
    r"\b(?:password|passwd|passphrase|pass ?code|Passwort|Kennwort|mot de passe|contraseña|parola|hasło)\b(?: is| was| of \w+ is|e?)?\s?[:=]\s?\S{4,}"
    r"|\b(?:password|Passwort) (?:is|was|lautet) [\"'“„]?(?=\S*[0-9])\S{6,}",
    re.IGNORECASE,
)
_PUBLIC_ROLES = ("candidate", "elected-official", "journalist", "fact-checker")
_GROUPS = ("influencer", "unknown", "contractor", "proxy", "hacktivist", "criminal-group")


def _named(b: Bulletin) -> Iterator[Violation]:
    """Names of persons in place of institutions and groups, and passwords in texts."""
    for path, text in all_words(b):
        found = _SECRET.search(text)
        if found is not None:
            yield Violation(
                "secret", path, f"holds a password ({found[0][:12]}…); remove it, and have it changed"
            )
    if TLP_RANK[b.tlp] >= TLP_RANK[Tlp.AMBER_STRICT]:
        return
    named = [
        (f"$.targets[{n}].name", each.name) for n, each in enumerate(b.targets) if each.kind in _PUBLIC_ROLES
    ]
    if b.attribution is not None:
        named += [
            (f"$.attribution.actors[{n}].name", each.name)
            for n, each in enumerate(b.attribution.actors)
            if each.kind in _GROUPS and not each.public_role
        ]
    declared = PERSONAL_RANK[b.personal_data.flag] if b.personal_data else 0
    for path, name in named:
        if (
            name is not None
            and personal.is_full_name(name)
            and declared < PERSONAL_RANK[PersonalFlag.PERSONAL]
        ):
            yield Violation(
                "personal",
                path,
                f"{name} is the name of a person; name the role or group, or use TLP:AMBER+STRICT",
            )


_REMOVAL = re.compile(r"\b(?:remove|delete|take (?:it |them |this )?down|suspend|block|ban)\b", re.IGNORECASE)


def _lawful(b: Bulletin) -> Iterator[Violation]:
    """A request to remove content that breaks no law (Regulation (EU) 2022/2065, Article 9(1); Charter, Article 11)."""
    if b.rights is None or b.msg_type is MsgType.CANCEL:
        return
    if (
        isinstance(b.body, ContentOrder)
        and b.body.article == _ORDER_TO_ACT
        and b.rights.content_status == "terms-violation"
    ):
        yield Violation(
            "measure",
            "$.rights.content_status",
            "an order is only for illegal content; breaches of terms are for the platform",
        )
    if b.rights.content_status == "lawful" or b.rights.editorial_or_satire:
        for n, action in enumerate(b.actions):
            if action.kind in _ASKING and _REMOVAL.search(action.text):
                yield Violation("measure", f"$.actions[{n}].text", "asks to remove lawful content, or satire")
