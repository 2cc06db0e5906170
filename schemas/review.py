"""What a person must have looked at before a bulletin is published: what spelling suggests, and cannot prove. Never a refusal at readers.

`publish`, its rehearsal and `bulletin check` stop at a doubt until somebody says why it is right.
"""

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
from schemas.truth.values import own_places
from schemas.truth.wording import PUBLIC, field_of, words
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

_TEMPLATE = re.compile(
    r"</?(?:script|b|i|a|p|br|div|img|span|h[1-6]|li|ul|strong|em|iframe|style)\b[^<>]{0,200}>|"
    r"\{\{(?![0-9*+ ]+\}\})[^{}]{0,80}\}\}|\$\{[^{}:]{1,80}\}|<%[^%]{0,80}%>|\{%[^%]{0,80}%\}|%\([a-z_]{1,40}\)s|"
    r"(?<!\w)__[A-Za-z_]{2,40}__(?!\w)"
    r"|<(?:[A-Z][A-Z _-]{2,40}|[a-z]+[ _-][a-z _-]{2,40}|insert[^<>]{0,40}|your [^<>]{1,40})>"
    r"|\[(?:[A-Z][A-Z _]{3,40}|(?:insert|enter|add|your|name of|date of|time of|to be|tbd|tbc|"
    r"todo|xx)\b[^\[\]]{0,60})\]"
    r"|\b(?:TODO|FIXME|TBD|TBC|XXX+|LOREM IPSUM|[Ll]orem ipsum|to be confirmed later|"
    r"PLACEHOLDER|[Pp]laceholder text)\b|\bXX[.:/-]XX\b|_{4,}|\bfoo bar\b|\basdf\w*\b|\bqwerty\w*\b"
    r"|\b[Ii]nsert (?:(?:your|the|a) )?(?:headline|title|text|summary|name|date|time|place|description|link)\b(?: here)?"
    r"|\b(?:[Yy]our|[Hh]eadline|[Tt]itle|[Tt]ext|[Ss]ummary|[Dd]escription) (?:text |goes )here\b|\b(?:[Dd]ummy|[Ss]ample|[Ff]iller) text\b"
    r"|(?<![\w%])%[sd]\b|\bN\.N\.|\bas an AI language model\b|\bblah blah\b",
)
_PROPER = re.compile(r"\[(?:EXERCISE|TEST|UPDATE|CORRECTION|URGENT)\]")
_INTERNAL = re.compile(
    r"\b(?:(?:for )?(?:internal|official) use only|internal only|not for (?:publication|"
    r"public release|distribution|onward (?:sharing|distribution)|circulation)"
    r"|do not (?:pass (?:this )?on|share|forward|distribute|publish|quote|circulate|disclose)|"
    r"not to be (?:shared|published|forwarded|disclosed|passed on)"
    r"|strictly confidential|(?:is|are|keep (?:this|it)) (?:strictly )?confidential|eyes only|"
    r"restricted distribution|limited distribution|need[- ]to[- ]know|(?:destroy|burn|delete) (?:this )?after reading"
    r"|nur für den (?:internen|Dienst)\w*(?: gebrauch)?|nicht (?:zur Veröffentlichung|"
    r"weitergeben|weiterleiten)|vertraulich(?:e Information)?"
    r"|usage interne|ne pas (?:diffuser|transmettre|publier)|uso interno|no difundir|"
    r"uso interno|non divulgare|tylko do użytku (?:wewnętrznego|służbowego))\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(
    r"“[^”]{0,200}”|\"[^\"]{0,200}\"|«[^»]{0,200}»|„[^“”]{0,200}[“”]|‘[^’]{0,200}’"
    r"|\b(?:marked|stamped|labelled|headed|entitled|stamp|watermark)(?: as| with)? [^.;]{0,60}",
    re.IGNORECASE,
)
"""What others wrote, told as such."""
_TEST = re.compile(
    r"\b(?:this is (?:only |just )?a test\b[^.!]{0,20}[.!,;–-]+ ?(?:please )?(?:ignore|disregard)"
    r"|no action (?:is )?needed,? (?:this is )?a test"
    r"|test (?:message|bulletin|alert),? (?:please )?(?:ignore|disregard)|test[ ,-]{1,3}test[ ,-]{1,3}test"
    r"|ceci est un test\b[^.!]{0,20}[.!,;–-]+ ?(?:merci d['’])?(?:ignore\w*)|das ist (?:nur )?ein Test\b[^.!]{0,20}[.!,;–-]+ ?(?:bitte )?(?:ignorieren))",
    re.IGNORECASE,
)
_MARK = (
    r"(?:EXERCISE|DRILL|SIMULATION|ΑΣΚΗΣΗ|HARJOITUS|ØVELSE|ÖVNING|ØVING|CVIČENÍ|CVIČENIE|GYAKORLAT|EXERCIȚIU|EXERCIŢIU|УЧЕНИЕ|УЧЕБНА|НАВЧАННЯ|"
    r"ВЕЖБА|VEŽBA|VJEŽBA|VAJA|PRATYBOS|MĀCĪBAS|ÕPPUS|EXERCÍCIO|TATBIKAT|ÜBUNG|EXERCICE|EJERCICIO|ESERCITAZIONE|ĆWICZENIE|OEFENING)"
)
_PLAYED = re.compile(
    rf"\b{_MARK}[\s,.!*:–-]{{1,8}}{_MARK}\b|^\s{{0,8}}{_MARK}\s{{0,3}}[:–—|/-]|[\[(]\s{{0,3}}{_MARK}[^\])]{{0,40}}[\])]"
    rf"|\b(?:{_MARK} ONLY|ONLY (?:AN? )?{_MARK})\b|\b(?i:this is (?:only |just )?an? (?:drill|simulation)\b)"
)
"""An exercise where it is marked as one, in any of the languages of the Union."""
_FIRST = re.compile(
    r"\W{0,3}(?:confidential|vertraulich|confidentiel|confidencial|riservato|poufne)\b(?=\W)|\W{0,3}(?-i:LIMITE)\b(?=\s*(?:[–—:\]|-]|$))",
    re.IGNORECASE,
)
_HOSTS = re.compile(r"(?<![\w.@-])(?:[\w-]{1,63}\.){1,6}[a-z]{2,24}\b", re.IGNORECASE)
_SWAPPED = re.compile(
    r"[a-z][015][a-z]{3}|[a-z]{2}[015][a-z]{2}|[a-z]{3}[015](?=[.-])|\brn[a-z]*|(?:^|[.-])[01][a-z]{3}",
    re.IGNORECASE,
)
_SPECIAL = frozenset(
    {"words about somebody's health", "words about somebody's belief", "words about somebody's origin"}
)


def _said(b: Bulletin) -> Iterator[tuple[str, str]]:
    """Path and text of all words, and of the notes of observables, which no rule looks into."""
    yield from words(b)
    for n, each in enumerate(b.observables):
        if each.note:
            yield f"$.observables[{n}].note", each.note


def doubts(b: Bulletin) -> tuple[Violation, ...]:
    """What must be looked at, each with a stable word as its `rule`.

    `personal`, `placeholder`, `internal`, `look-alike`; `test` and `exercise`; `phase`, `attribution`, `synthetic`, `measure`,
    `clock` and `victim` where two fields do not go together; `time`, `evidence`, `everything` and `twice` for what says nothing;
    `marking` for a label that is narrower; `secret` for a password.
    """
    return (
        *_personal(b),
        *_unfinished(b),
        *_internal(b),
        *_look_alike(b),
        *_in_earnest(b),
        *_at_odds(b),
        *_labelled(b),
        *_harsh(b),
        *_of_nothing(b),
        *_named(b),
        *_lawful(b),
    )


def _personal(b: Bulletin) -> Iterator[Violation]:
    declared = PERSONAL_RANK[b.personal_data.flag] if b.personal_data else 0
    least = PERSONAL_RANK[PersonalFlag.PERSONAL]
    for path, text in _said(b):
        if path.startswith("$.body.listed") or (
            field_of(path) == "name" and path.startswith("$.attribution")
        ):
            continue  # a listing names persons as the law prints them
        for found in personal.likely(text):
            if declared >= (
                PERSONAL_RANK[PersonalFlag.SPECIAL_CATEGORY] if found.what in _SPECIAL else least
            ):
                continue
            yield Violation(
                "personal", path, f"{found.what} ({found.text}): leave it out, or declare personal_data"
            )
            break
    for n, each in enumerate(b.observables):
        if each.value is None or each.type not in ("text", "user-account", "media-content"):
            continue
        if (
            each.type == "user-account"
            and each.personal is PersonalFlag.NONE
            and personal.is_named_account(each.value)
        ):
            yield Violation(
                "personal",
                f"$.observables[{n}].personal",
                "an account named after a person; say how personal it is, or give value_hmac",
            )
        for found in personal.likely(each.value):
            needed = PERSONAL_RANK[PersonalFlag.SPECIAL_CATEGORY] if found.what in _SPECIAL else least
            if PERSONAL_RANK[each.personal] < needed:
                flag = "special-category, as value_hmac" if found.what in _SPECIAL else "personal"
                yield Violation(
                    "personal",
                    f"$.observables[{n}].value",
                    f"{found.what} ({found.text}) is marked {each.personal}; give it as {flag}",
                )
                break


def _unfinished(b: Bulletin) -> Iterator[Violation]:
    for path, text in _said(b):
        if field_of(path) in ("description", "mitigation") and b.kind in ("cyber-threat", "cyber-incident"):
            continue  # what an attacker wrote is quoted there
        found = _TEMPLATE.search(text)
        if found is not None and not _PROPER.fullmatch(found[0]):
            yield Violation("placeholder", path, f"{found[0]} was not filled in; write what is meant")


def _internal(b: Bulletin) -> Iterator[Violation]:
    if b.tlp is not Tlp.CLEAR:
        return
    for path, text in _said(b):
        found = _INTERNAL.search(_QUOTED.sub("", text)) or _FIRST.match(text)
        if found is not None:
            yield Violation(
                "internal",
                path,
                f"TLP:CLEAR is for everybody, and this says {found[0]!r}; drop one of the two",
            )


def _look_alike(b: Bulletin) -> Iterator[Violation]:
    known = {each.value.lower() for each in b.observables if each.value}
    lines = [(path, text) for path, text in _said(b) if field_of(path) in PUBLIC]
    for path, text in dict([*lines, *own_places(b)]).items():
        for found in _HOSTS.finditer(text):
            host = found[0].lower()
            if host in known:
                continue
            if (
                "xn--" in host
                or not host.isascii()
                or any(_SWAPPED.search(label) for label in host.split(".")[:-1])
            ):
                yield Violation(
                    "look-alike",
                    path,
                    f"{host} looks like another name; make sure that it is the genuine site",
                )
                break


def _in_earnest(b: Bulletin) -> Iterator[Violation]:
    if b.status is not Status.ACTUAL:
        return
    for path, text in _said(b):
        found = _TEST.search(_QUOTED.sub("", text))
        if found is not None:
            yield Violation("test", path, f"says {found[0]!r}, and has status actual; set status test")
        played = _PLAYED.search(_QUOTED.sub("", text))
        if played is not None:
            yield Violation(
                "exercise",
                path,
                f"says {played[0]!r}, and has status actual; set status exercise and an exercise_id",
            )


_DAY = dt.timedelta(days=1)
_STATES = ("state", "state-body")
_PAP_RANK = ("red", "amber", "green", "clear")
_MADE = ("deepfake-video", "deepfake-audio", "deepfake-image", "ai-generated-text")


def _at_odds(b: Bulletin) -> Iterator[Violation]:
    """Two fields that do not go together."""
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
        yield Violation(
            "synthetic", "$.body.synthetic", "none, and a method that makes it; drop one of the two"
        )
    if (
        isinstance(body, SanctionsListing)
        and set(body.measures) == {"travel-ban"}
        and _is_of_enterprises(body)
    ):
        yield Violation(
            "measure", "$.body.measures", "a travel ban binds persons, and only enterprises are listed"
        )
    if isinstance(body, CyberIncident) and not body.significant:
        for n, clock in enumerate(b.deadlines):
            if clock.clock.startswith("nis2-"):
                yield Violation(
                    "clock",
                    f"$.deadlines[{n}].clock",
                    "runs for significant incidents only (NIS2, Article 23(1)), and this one is none",
                )
    for n, each in enumerate(b.observables):
        if each.role == "victim" and each.actionable:
            yield Violation(
                "victim",
                f"$.observables[{n}].actionable",
                "whoever matches it hits the victim; drop actionable",
            )


def _labelled(b: Bulletin) -> Iterator[Violation]:
    """A label that says otherwise than the bulletin, and a listing that is to come."""
    body = b.body
    if isinstance(body, SanctionsListing) and body.published - b.issued.date() > _DAY:
        yield Violation(
            "time", "$.body.published", "a listing is told when it is published, and this is to come"
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


def _is_of_enterprises(body: SanctionsListing) -> bool:
    return all(each.subject == "enterprise" for each in body.listed)


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
_ASKING = frozenset({"notify-platform", "label-or-contextualise"})


def _harsh(b: Bulletin) -> Iterator[Violation]:
    """A restriction that goes under the name of an action that restricts nobody (Charter, Article 52(1))."""
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
                f"restricts, and is called {action.kind}; name it by its kind, with law and rights check",
            )


_LEAST_YEAR = 1990
_LEAST_LETTERS = 4
_EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def _moments(value: object, path: str) -> Iterator[tuple[str, dt.date]]:
    """Every time and day of a bulletin, with its path."""
    if isinstance(value, dt.date):
        yield path, value
    elif isinstance(value, tuple):
        for n, each in enumerate(value):
            yield from _moments(each, f"{path}[{n}]")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield from _moments(getattr(value, name), f"{path}.{name}")


def _of_nothing(b: Bulletin) -> Iterator[Violation]:
    """Values that no clock and no file gave, and indicators that are too short to be of something."""
    for path, moment in _moments(b, "$"):
        if moment.year < _LEAST_YEAR:
            yield Violation(
                "time", path, f"{moment.year} is the zero of a clock that was never set; give the time"
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
                "everything", f"$.observables[{n}].value", "is too short to be matched; drop actionable"
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
    """Persons by name where institutions and groups stand, and passwords in words."""
    for path, text in _said(b):
        found = _SECRET.search(text)
        if found is not None:
            yield Violation(
                "secret", path, f"holds a password ({found[0][:12]}…); take it out, and have it changed"
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
                f"{name} is the name of a person; name the role or group, or mark it strictly",
            )


_REMOVAL = re.compile(r"\b(?:remove|delete|take (?:it |them |this )?down|suspend|block|ban)\b", re.IGNORECASE)


def _lawful(b: Bulletin) -> Iterator[Violation]:
    """Content that breaks no law, and is to go (Regulation (EU) 2022/2065, Article 9(1); Charter, Article 11)."""
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
            "an order is against illegal content; what breaks terms is the platform's matter",
        )
    if b.rights.content_status == "lawful" or b.rights.editorial_or_satire:
        for n, action in enumerate(b.actions):
            if action.kind in _ASKING and _REMOVAL.search(action.text):
                yield Violation(
                    "measure", f"$.actions[{n}].text", "asks to remove what the check calls lawful, or satire"
                )


_ORDER_TO_ACT = 9
