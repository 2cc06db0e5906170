"""Checks drafts as the context's authority: finds every fault before anything is signed."""

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
"""The authority that checks a draft if there is no context."""
REVIEW = "if the draft is right all the same, say why: --reviewed REASON"


def speaker(
    app: App,
    audience: str | None = None,
    tlp: str | None = None,
    registry: VerifiedRegistry | None = None,
) -> Speaker:
    """The context's authority (or an unnamed one), with the audience and marking given on the command line.

    Raises:
        TrustError: the registry is not valid.
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
    """All findings about the draft in a file.

    Raises:
        InputFileError: the file cannot be read, or is empty or too large.
    """
    as_whom = speaker(app, audience, tlp)
    return drafts.look(bytes_of(name), as_whom, as_whom.now)


def sound_draft(app: App, name: str, audience: str | None = None, tlp: str | None = None) -> Draft:
    """The draft in a file, if it has no fault and may be published; a doubt is no fault.

    Raises:
        InputFileError: the file cannot be read.
        DraftError: lists every fault.
    """
    found = look_at(app, name, audience, tlp)
    if wrong := found.of("error"):
        raise refusal(name, found, wrong)
    assert found.draft is not None  # noqa: S101 (a draft without faults is one)
    return with_marking(found.draft, audience, tlp)


def in_whole(name: str, raw: bytes, refused: TocsinError, as_whom: Speaker, *, reviewed: bool) -> TocsinError:
    """A refusal with all other faults of the draft; the refusal itself if it is not about the draft.

    Args:
        name: name of the file.
        raw: its bytes.
        refused: the reason why it is not published.
        as_whom: the speaker, with the audience and marking from the command line.
        reviewed: whether a person has said why its doubts are right.
    """
    found = drafts.look(raw, as_whom, as_whom.now)
    wrong = found.of("error") if reviewed else found.of("error", "doubt")
    if not wrong:
        return refused
    note = REVIEW if any(each.grade == "doubt" for each in wrong) else ""
    return refusal(name, found, wrong, note, reason=refused.reason)
