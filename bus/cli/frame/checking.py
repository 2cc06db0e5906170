"""Looks at drafts as the context's authority: everything that is wrong with one, before anything is signed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from bus import drafts
from bus.cli.frame.app import App
from bus.cli.frame.drafts import bytes_of, refusal, with_marking
from bus.cli.frame.session import defaults, open_registry
from bus.errors import ConfigError
from schemas.bulletin import Defaults
from schemas.parts import Authority
from schemas.vocab import Domain, Pap, Tlp

if TYPE_CHECKING:
    from bus.drafts import Look, Speaker
    from bus.trust import VerifiedRegistry
    from schemas.bulletin import Draft
    from schemas.errors import TocsinError

NOBODY = Authority(id="xa-nobody", kind="other", domain=Domain.COORD, country="XA")
"""As whom a draft is looked at where there is no context."""
REVIEW = "where it is right all the same, say why: --reviewed REASON"


def speaker(
    app: App,
    audience: str | None = None,
    tlp: str | None = None,
    registry: VerifiedRegistry | None = None,
) -> Speaker:
    """The context's authority, or nobody in particular, with what is asked for beside a draft.

    Raises:
        TrustError: the registry does not stand.
    """
    now = app.now()
    marks = {"audience": audience, "tlp": tlp}
    try:
        registry = registry or open_registry(app, now)
        issuer, given = registry.issuer(app.identity.authority), defaults(app.identity)
    except ConfigError:
        registry, issuer = None, NOBODY
        given = Defaults(tlp=Tlp.GREEN, pap=Pap.GREEN, audience="community")
    return drafts.Speaker(
        issuer=issuer,
        given=given,
        now=now,
        registry=registry,
        marked=partial(with_marking, audience=audience, tlp=tlp),
        beside=frozenset(name for name, value in marks.items() if value is not None),
    )


def look_at(app: App, name: str, audience: str | None = None, tlp: str | None = None) -> Look:
    """Everything there is to say about the draft in a file.

    Raises:
        InputFileError: it cannot be read, or is empty or too large.
    """
    as_whom = speaker(app, audience, tlp)
    return drafts.look(bytes_of(name), as_whom, as_whom.now)


def sound_draft(app: App, name: str, audience: str | None = None, tlp: str | None = None) -> Draft:
    """The draft in a file, where nothing is wrong with it and it may be said; a doubt is no fault.

    Raises:
        InputFileError: it cannot be read.
        DraftError: with everything that is wrong with it.
    """
    found = look_at(app, name, audience, tlp)
    if wrong := found.of("error"):
        raise refusal(name, found, wrong)
    assert found.draft is not None  # noqa: S101 (a draft without faults is one)
    return with_marking(found.draft, audience, tlp)


def in_whole(name: str, raw: bytes, refused: TocsinError, as_whom: Speaker, *, reviewed: bool) -> TocsinError:
    """A refusal with everything else that is wrong with the draft; the refusal itself where it is about something else.

    Args:
        name: of the file.
        raw: its bytes.
        refused: why it is not published.
        as_whom: the speaker, with what is asked for beside the draft.
        reviewed: whether somebody has said why its doubts are right.
    """
    found = drafts.look(raw, as_whom, as_whom.now)
    wrong = found.of("error") if reviewed else found.of("error", "doubt")
    if not wrong:
        return refused
    note = REVIEW if any(each.grade == "doubt" for each in wrong) else ""
    return refusal(name, found, wrong, note, reason=refused.reason)
