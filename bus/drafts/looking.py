"""Checks a draft as a person wrote it, and lists every fault in one run. Pure.

The shape comes first (`bus.drafts.fields`). Then every rule, the grant and the doubts. If the shape is faulty, two
guesses at the intended draft are checked; only faults of both guesses are listed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import msgspec

from bus.drafts.fields import Fault, shaped
from bus.drafts.findings import Finding, at, in_order, placed
from bus.drafts.judging import judgement, stamped
from bus.drafts.openings import audiences_of
from bus.drafts.phrases import nearest, of_vocabulary
from bus.drafts.source import Slip, Source, wire_path
from bus.errors import PermitError
from bus.sealing import sections
from bus.trust import VerifiedRegistry
from schemas import rules
from schemas.bulletin import Bulletin, Defaults, Draft
from schemas.codec import decode_draft
from schemas.errors import RuleError, SchemaError, TocsinError
from schemas.open_vocab import OPEN
from schemas.parts import Authority

_ASK = "; ask your registrar"
_MARKS = ("tlp", "pap", "audience")


def _as_it_is(draft: Draft) -> Draft:
    return draft


class Speaker(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer and time for which a draft is checked.

    Attributes:
        issuer: the authority that would publish it.
        given: values for fields that the draft leaves out.
        now: the present.
        registry: the grants; None skips their check.
        marked: applies the audience and marking from the command line to the draft.
        beside: fields given on the command line; their faults have no line.
    """

    issuer: Authority
    given: Defaults
    now: dt.datetime
    registry: VerifiedRegistry | None = None
    marked: Callable[[Draft], Draft] = _as_it_is
    beside: frozenset[str] = frozenset()


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """The result of checking a draft.

    Attributes:
        source: the text of the draft.
        draft: the draft; None if its shape is faulty.
        findings: all findings, by line.
    """

    source: Source
    draft: Draft | None
    findings: tuple[Finding, ...]

    def of(self, *grades: str) -> tuple[Finding, ...]:
        """The findings of these grades."""
        return tuple(each for each in self.findings if each.grade in grades)


class _Said(msgspec.Struct, frozen=True):
    """A finding about a draft of valid shape."""

    grade: Literal["error", "doubt", "remark"]
    rule: str
    path: str
    text: str
    audience: str = ""


def read(raw: bytes, now: dt.datetime) -> Look:
    """Read a draft from any bytes, with the faults of its shape.

    Args:
        raw: the file, TOML or JSON.
        now: the present.
    """
    return look(raw, None, now)


def read_table(table: Mapping[str, Any], now: dt.datetime) -> Look:
    """Read a draft from a table of a TOML file, with the faults of its shape, which have no line.

    Args:
        table: the parsed table.
        now: the present.
    """
    return _looked(Source(table), None, now)


def look(raw: bytes, speaker: Speaker | None, now: dt.datetime) -> Look:
    """Check a draft from any bytes, and return all findings.

    Args:
        raw: the file, TOML or JSON.
        speaker: the issuer; None checks only the shape.
        now: the present.
    """
    return _looked(Source(raw), speaker, now)


def _looked(source: Source, speaker: Speaker | None, now: dt.datetime) -> Look:
    found = [_slip(source, slip) for slip in source.slips]
    if source.value is None:
        return Look(source=source, draft=None, findings=in_order(found))
    shape = shaped(source.value, now, source.guessed)
    found += [_fault(source, fault) for fault in shape.faults]
    if shape.more > 0:
        text = f"{shape.more} more faults are not told; mend these first"
        found.append(Finding(grade="error", rule="schema", path="$", text=text))
    drafts: list[Draft] = []
    for mended in shape.mended:
        try:
            drafts.append(decode_draft(msgspec.json.encode(mended)))
        except SchemaError as exc:
            if not found:  # the decoder decides, and its words are better than none
                found.append(placed(source, wire_path(exc.path), rule=exc.reason, text=str(exc)))
    is_whole = not found
    if speaker is not None and drafts and (is_whole or len(drafts) == len(shape.mended)):
        said = [dict.fromkeys(_said(draft, speaker)) for draft in drafts]
        faulty = [fault.path for fault in shape.faults if not fault.on_key]
        for each in (each for each in said[0] if all(each in others for others in said[1:])):
            path = wire_path(each.path)
            if is_whole or not any(path[: len(at_)] == at_ for at_ in faulty):
                found.append(_placed(source, each, speaker))
    return Look(source=source, draft=drafts[0] if is_whole and drafts else None, findings=in_order(found))


def _slip(source: Source, slip: Slip) -> Finding:
    bare = Finding(grade="error", rule=slip.reason, path="$", text=slip.text)
    if slip.at is None or not source.text:
        return bare
    line, column, width = at(source, *slip.at)
    return msgspec.structs.replace(bare, line=line, column=column, width=width)


def _fault(source: Source, fault: Fault) -> Finding:
    return placed(
        source,
        fault.path,
        on_key=fault.on_key,
        rule="schema",
        text=fault.text,
        words=fault.words,
        vocabulary=fault.vocabulary,
        nearest=fault.nearest,
    )


def _placed(source: Source, said: _Said, speaker: Speaker) -> Finding:
    path = wire_path(said.path)
    words, vocabulary, word = _choice(said, speaker)
    like = nearest(word, words) if word is not None and word not in words else None
    found = placed(
        source,
        path,
        grade=said.grade,
        rule=said.rule,
        text=f"{said.text.removesuffix(_ASK)}; did you mean {like}?" if like else said.text,
        words=words,
        vocabulary=vocabulary,
        nearest=like,
    )
    if path[:1] and path[0] in speaker.beside:
        return msgspec.structs.replace(found, line=None, column=None, width=1)
    return found


def _choice(said: _Said, speaker: Speaker) -> tuple[tuple[str, ...], str | None, str | None]:
    """(allowed words, name of these words or None, nearest word or None)."""
    if said.rule in OPEN:
        word = said.text.removesuffix(f" is no known word of {said.rule}")
        return of_vocabulary(said.rule), said.rule, None if word == said.text else word[1:-1]
    if said.rule != "not-permitted" or speaker.registry is None:
        return (), None, None
    ways = audiences_of(speaker.registry, speaker.issuer.id)
    if said.path.endswith(".audience"):
        document = speaker.registry.document
        is_there = said.audience in document.audiences or said.audience in document.authorities
        return tuple(each.audience for each in ways), None, None if is_there else said.audience
    here = [each for each in ways if each.audience == said.audience]
    if said.path.endswith(".tlp"):
        return tuple(dict.fromkeys(tlp for each in here for tlp in each.tlps)), None, None
    if said.path.endswith(".kind"):
        return tuple(dict.fromkeys(kind for each in here for kind in each.kinds)), None, None
    return (), None, None


def _said(draft: Draft, speaker: Speaker) -> Iterable[_Said]:
    """Yield every broken rule, the missing grant, and the doubts of a draft."""
    try:
        draft = speaker.marked(draft)
        if lacking := [name for name in _MARKS if not (getattr(draft, name) or getattr(speaker.given, name))]:
            for name in lacking:
                yield _Said("error", "schema", "$", f"{name} is missing, and the context gives none; add it")
            return
        bulletin = stamped(draft, speaker.issuer, speaker.given, speaker.now)
    except SchemaError as exc:
        yield _Said("error", exc.reason, exc.path, str(exc))
        return
    except OverflowError:
        yield _Said("error", "schema", "$.expires", "there is no such time")
        return
    broken = rules.violations(bulletin)
    for each in broken:
        yield _Said("error", *each)
    if speaker.registry is not None:
        yield from _permitted(bulletin, speaker.registry)
    for n in range(len(draft.sections)):
        yield from _section(bulletin, draft, n, speaker.registry)
    judged = judgement(draft, bulletin, speaker.registry)
    for each in judged.doubts:
        yield _Said("doubt", *each)
    for each in judged.remarks:
        yield _Said("remark", *each)


def _permitted(bulletin: Bulletin, registry: VerifiedRegistry) -> Iterable[_Said]:
    try:
        registry.permit(bulletin)
    except TocsinError as exc:
        yield _Said("error", exc.reason, _blamed(bulletin, registry), str(exc), bulletin.audience)


def _blamed(bulletin: Bulletin, registry: VerifiedRegistry) -> str:
    """The field to blame for a refusal: the audience if it is closed to the issuer, else the marking, else the kind."""
    here = [each for each in audiences_of(registry, bulletin.issuer.id) if each.audience == bulletin.audience]
    if not here:
        return "$.audience"
    if not any(bulletin.tlp in each.tlps for each in here):
        return "$.tlp"
    if not any(bulletin.status in each.statuses for each in here):
        return "$.status"
    if not any(bulletin.kind in each.kinds for each in here):
        return "$.body.kind"
    return "$"


def _section(bulletin: Bulletin, draft: Draft, n: int, registry: VerifiedRegistry | None) -> Iterable[_Said]:
    here = f"$.sections[{n}]"

    def moved(path: str) -> str:
        return here + path.removeprefix("$.sections[0]") if path.startswith("$.sections[0]") else here

    try:
        sections.judge_section(bulletin, draft.sections[n : n + 1], registry)
    except RuleError as exc:
        for each in exc.violations:
            yield _Said("error", each.rule, moved(each.path), each.text)
    except SchemaError as exc:
        yield _Said("error", exc.reason, moved(exc.path), str(exc))
    except PermitError as exc:
        yield _Said("error", exc.reason, f"{here}.audience", str(exc), draft.sections[n].audience)
