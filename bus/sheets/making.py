"""A sheet made from a bulletin and what is known of it: markings first, then what to do, what may be said, and the rest.

Pure: the caller says what the time is, how the bulletin came and what became of it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator

from bus.languages import looked_up
from bus.sheets.catalogue import Sayings, sayings
from bus.sheets.choosing import chosen_info
from bus.sheets.clocks import clock_in_words
from bus.sheets.ends import told_end
from bus.sheets.provenance import marks, provenance
from bus.sheets.shape import Block, Entry, Known, SealedPart, Sheet
from bus.sheets.telling import MOST, Telling, joined, moment, plain
from schemas.bodies.coordination import Line, Rfi, StratCom
from schemas.bodies.foreign import LegalReferral
from schemas.bulletin import Bulletin
from schemas.parts import Action, Deadline, Info, Observable
from schemas.subject import priority
from schemas.vocab import FeedbackKind, Status, Tlp

_STRATCOM = ("lines", "use_from", "use_until", "do_not_repeat", "expected_narratives", "speaker", "cleared")
_MORE = (
    "dimensions", "areas", "election", "severity", "urgency", "certainty", "confidence", "effective", "onset", "targets",
    "attribution", "things", "legal", "personal_data", "rights", "evidence", "provenance", "labels", "incident_id",
    "exercise_id",
)  # fmt: skip
"""Fields shown around the facts; the rest of a bulletin has blocks of its own."""

_BARE = ("spec", "salt", "label", "audience", "tlp")
"""Fields of an opened section that are for machines or already shown."""


def sheet_of(b: Bulletin, known: Known, lang: str, words: Sayings | None = None) -> Sheet:
    """A bulletin as a person reads it.

    Args:
        b: the bulletin; what was opened of it, where it was sealed.
        known: what is known of it beside its own words.
        lang: the language in which the reader wants the bulletin's own words, BCP 47.
        words: the labels and sentences around them; without, those of `lang`, in English where there is no catalogue of it.
    """
    tell = Telling(words or sayings(lang))
    info = chosen_info(b.info, lang)
    blocks = (
        Block("do", tell.say.say("block-do"), tuple(_to_do(tell, b, info, known))),
        Block("public", tell.say.say("block-public"), tuple(_public(tell, b, info, lang))),
        Block("summary", tell.say.say("block-summary"), tuple(_summary(tell, b, info, lang))),
        Block("facts", tell.say.say("block-facts"), tuple(_facts(tell, b))),
        Block("observables", tell.say.say("block-observables"), tuple(_observables(tell, b.observables))),
        Block("more", tell.say.say("block-more"), tuple(_more(tell, b))),
        Block("sealed", tell.say.say("block-sealed"), tuple(_sealed(tell, known.parts))),
        Block(
            "trust",
            tell.say.say("block-trust"),
            tuple(Entry("", (sentence,)) for sentence in provenance(tell, b, known)),
        ),
        Block("versions", tell.say.say("block-versions"), tuple(_versions(tell, b, known))),
        Block("answers", tell.say.say("block-answers"), tuple(_answers(tell, b, known))),
    )
    return Sheet(
        lang=tell.say.lang,
        id=b.id,
        marks=marks(tell, b, known),
        alert=_alert(tell.say, b.status),
        headline=_headline(tell, b, info),
        about="  ".join(
            (
                priority(b).upper(),
                tell.say.word("kind", b.kind),
                tell.text("msg_type", b.msg_type),
                b.issuer.id,
                f"{b.issued.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC",
            )
        ),
        standing="; ".join((_standing(tell, b, known), *_disputed(tell, known))),
        blocks=tuple(block for block in blocks if block.entries),
    )


def _alert(say: Sayings, status: Status) -> str:
    if status is Status.EXERCISE:
        return say.say("exercise-alert")
    return say.say("test-alert") if status is Status.TEST else ""


def _headline(tell: Telling, b: Bulletin, info: Info) -> str:
    body = b.body
    if isinstance(body, LegalReferral) and b.tlp is Tlp.CLEAR and body.is_open:
        return f"{info.headline} [{tell.say.say('presumed')}]"
    return info.headline


def _standing(tell: Telling, b: Bulletin, known: Known) -> str:
    say = tell.say
    if known.ended_how and say.has(f"ended-{known.ended_how}"):
        return say.say(f"ended-{known.ended_how}", by=known.ended_by)
    if b.expires <= known.now:
        return say.say("over", time=moment(b.expires))
    if b.effective is not None and b.effective > known.now:
        return say.say("not-yet", **{"from": moment(b.effective), "time": moment(b.expires)})
    return say.say("in-force", time=moment(b.expires))


def _disputed(tell: Telling, known: Known) -> Iterator[str]:
    """The authorities that dispute it, until that is settled."""
    by = dict.fromkeys(each.by for each in known.answers or () if each.verdict == FeedbackKind.DISPUTE)
    if by and not known.is_settled:
        yield tell.say.say("disputed", who=", ".join(by))


def _to_do(tell: Telling, b: Bulletin, info: Info, known: Known) -> Iterator[Entry]:
    say, found = tell.say, False
    if info.instruction:
        found = True
        yield Entry(say.say("do-instruction"), _paragraphs(info.instruction), own=True)
    if isinstance(b.body, Rfi):
        found = True
        yield Entry(say.label("question"), _paragraphs(b.body.question))
        yield Entry(say.label("respond_by"), (_due(tell, b.body.respond_by, known),))
    for action in b.actions:
        found = True
        yield Entry(say.word("action-kind", action.kind), tuple(_action(tell, action, known)))
    for deadline in b.deadlines:
        found = True
        yield Entry("", (_deadline(tell, deadline),))
    if not found:
        yield Entry("", (say.say("nothing-asked"),))


def _action(tell: Telling, action: Action, known: Known) -> Iterator[str]:
    yield from _paragraphs(action.text)
    who = ", ".join(tell.say.word("authority-kind", each) for each in action.to)
    facts = [tell.say.say("ask-to", who=who)]
    if action.due is not None:
        facts.append(tell.say.say("ask-by", time=_due(tell, action.due, known)))
    if action.legal_basis:
        facts.append(tell.say.say("ask-basis", refs=", ".join(action.legal_basis)))
    if action.counter:
        facts.append(f"{tell.say.label('counter')}: {action.counter}")
    yield "; ".join(facts)


def _due(tell: Telling, due: dt.datetime, known: Known) -> str:
    return tell.say.say("overdue", time=moment(due)) if due < known.now else moment(due)


def _deadline(tell: Telling, each: Deadline) -> str:
    clock, due = clock_in_words(tell.say, each.clock), moment(each.due)
    if each.met is not None:
        return tell.say.say("clock-met", clock=clock, met=moment(each.met), due=due)
    return tell.say.say("clock-due", clock=clock, start=moment(each.started), due=due)


def _public(tell: Telling, b: Bulletin, info: Info, lang: str) -> Iterator[Entry]:
    body, found = b.body, False
    if isinstance(body, StratCom) and body.cleared is False:
        yield Entry("", (tell.say.say("not-public"),))
    if info.public_line:
        found = True
        yield Entry("", _paragraphs(info.public_line), own=True)
    if isinstance(body, StratCom):
        found = True
        yield from tell.entries(body, only=("cleared", "speaker", "use_from", "use_until"))
        for name in ("lines", "do_not_repeat", "expected_narratives"):
            yield from _lines(tell, name, getattr(body, name), b.info[0].lang, lang)
    if not found:
        yield Entry("", (tell.say.say("no-public-line"),))


def _lines(tell: Telling, name: str, lines: Iterable[Line | str], first: str, lang: str) -> Iterator[Entry]:
    """Lines, those in the reader's language before the others."""
    said = [(text, language or first) for text, language in plain(lines)]
    own = looked_up((lang,), [language for _, language in said])
    for text, language in sorted(said, key=lambda line: line[1] != own):
        yield Entry(tell.say.label(name), _paragraphs(text), lang="" if language == own else language)


def _summary(tell: Telling, b: Bulletin, info: Info, lang: str) -> Iterator[Entry]:
    other = looked_up((lang,), [info.lang]) is None
    if other:
        yield Entry("", (tell.say.say("other-language", lang=tell.say.language(info.lang)),))
    if info.machine_translated:
        yield Entry("", (tell.say.say("machine"),))
    yield Entry("", _paragraphs(info.summary), lang=info.lang if other else "", own=True)
    if info.web is not None:
        yield Entry(tell.say.label("web"), (info.web,))
    if rest := [tell.say.language(each.lang) for each in b.info if each is not info]:
        yield Entry("", (tell.say.say("also-in", langs=", ".join(rest)),))


def _facts(tell: Telling, b: Bulletin) -> Iterator[Entry]:
    skip = (
        _STRATCOM
        if isinstance(b.body, StratCom)
        else ("question", "respond_by")
        if isinstance(b.body, Rfi)
        else ()
    )
    yield from tell.entries(b.body, skip=skip)


def _observables(tell: Telling, observables: tuple[Observable, ...]) -> Iterator[Entry]:
    for each in observables[:MOST]:
        yield tell.observable(each)
    if len(observables) > MOST:
        yield Entry("", (tell.say.say("and-more", count=len(observables) - MOST),))


def _more(tell: Telling, b: Bulletin) -> Iterator[Entry]:
    yield from tell.entries(b, only=_MORE)
    if b.ttps:
        label = tell.say.label("ttps")
        for ttp in b.ttps[:MOST]:
            yield Entry(label, (tell.technique(ttp.framework, ttp.id, ttp.name),))
    for check in b.media_checks:
        found = joined(tell.entries(check, skip=("of",)))
        yield Entry(tell.say.label("media_checks"), (f"{told_end(tell, b, check.of)}: {found}",))
    for link in b.links[:MOST]:
        rel = tell.say.word("link-type", link.rel)
        yield Entry(
            tell.say.label("links"),
            (f"{told_end(tell, b, link.from_)} -> {rel} -> {told_end(tell, b, link.to)}",),
        )
    for name, shown in (("ttps", b.ttps), ("links", b.links)):
        if len(shown) > MOST:
            yield Entry(tell.say.label(name), (tell.say.say("and-more", count=len(shown) - MOST),))


def _sealed(tell: Telling, parts: tuple[SealedPart, ...]) -> Iterator[Entry]:
    for part in parts:
        who = ", ".join(part.recipients)
        if part.content is None:
            yield Entry(part.label, (tell.say.say("sealed-to", who=who, reason=part.reason),))
            continue
        yield Entry(part.label, (tell.say.say("sealed-open", who=who),))
        yield from tell.entries(part.content, skip=_BARE, depth=1)


def _versions(tell: Telling, b: Bulletin, known: Known) -> Iterator[Entry]:
    say = tell.say
    for version in known.versions:
        what = say.word("msg-type", version.msg_type)
        if version.state:
            what += f", {say.say(f'state-{version.state}')}"
        if version.id == b.id:
            what += f" ({say.say('version-this')})"
        yield Entry("", (say.say("version-line", issued=moment(version.issued), id=version.id, what=what),))
    for ref in b.references:
        rel = tell.text("rel", ref.rel)
        line = (
            say.say("ref-line", rel=rel, id=ref.id)
            if ref.issuer is None
            else say.say("ref-line-of", rel=rel, id=ref.id, issuer=ref.issuer)
        )
        yield Entry("", (line,))
    if known.ended_how and say.has(f"ended-line-{known.ended_how}"):
        yield Entry("", (say.say(f"ended-line-{known.ended_how}", by=known.ended_by),))


def _answers(tell: Telling, b: Bulletin, known: Known) -> Iterator[Entry]:
    if known.is_unread:
        yield Entry("", (tell.say.say("answers-unread", id=b.id),))
    if known.answers is None:
        return
    if known.as_of is not None:
        yield Entry("", (tell.say.say("answers-as-of", time=moment(known.as_of), id=b.id),))
    if not known.answers:
        yield Entry("", (tell.say.say("no-answers"),))
    for each in known.answers[:MOST]:
        verdict = tell.say.word("feedback-kind", each.verdict)
        line = tell.say.say("answer-line", who=each.by, at=moment(each.at), verdict=verdict)
        yield Entry("", (line, *_paragraphs(each.text)) if each.text else (line,))
    if len(known.answers) > MOST:
        yield Entry("", (tell.say.say("and-more", count=len(known.answers) - MOST),))


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.splitlines() if part.strip()) or (text,)
