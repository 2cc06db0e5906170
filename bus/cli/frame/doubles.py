"""Drafts that were sent a short time ago: a file beside the outbox, read and written by what a person sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bus import drafts
from bus.cli.frame.app import App
from bus.cli.frame.running import asking
from bus.cli.frame.session import defaults
from bus.errors import PermitError
from schemas.errors import TocsinError

if TYPE_CHECKING:
    from bus.publishing import Accepted
    from schemas.bulletin import Draft


class Doubles:
    """What was asked for lately, and by this command."""

    def __init__(self, app: App, *, is_meant: bool) -> None:
        """Read what is remembered.

        Args:
            app: this invocation.
            is_meant: the person who sends means a second time.
        """
        self._app, self._is_meant = app, is_meant
        self._file = drafts.Remembered(app.state_folder())
        self._given = defaults(app.identity)
        self._now = app.now().timestamp()
        if self._file.is_damaged():
            app.note(f"{self._file.path} is damaged: earlier drafts are forgotten, and it begins again")
        self._known = self._file.known(self._now)
        self._here: dict[str, str] = {}
        self._new: list[drafts.doubles.Before] = []

    def once(self, name: str, draft: Draft | TocsinError, *, rehearse: bool) -> Draft | TocsinError:
        """The draft, or why it is not sent: it was accepted a short time ago, and is not meant again."""
        if isinstance(draft, TocsinError) or self._is_meant:
            return draft
        wanted = drafts.doubles.asked_for(draft, self._given)
        before, beside = self._known.get(wanted), self._here.get(wanted)
        self._here[wanted] = name
        if before is not None:
            ago = _spoken(max(0.0, self._now - before.at))
            text = f"the same draft was accepted {ago} ago, as {before.id}"
            remedy = f"to correct that: tocsin bulletin update {before.id} FILE; to say it once more: --again"
        elif beside is not None:
            text, remedy = f"the same draft stands in {beside}", "to say it twice: --again"
        else:
            return draft
        if rehearse:
            self._app.note(f"{text}; {remedy}")
            return draft
        if not self._app.may_ask():
            return PermitError(text, reason="said-before", remedy=remedy)
        with asking():
            is_meant = self._app.agrees(f"{text}. Say it once more?")
        return draft if is_meant else PermitError(f"{text}; nothing was sent", reason="said-before")

    def accepted(self, draft: Draft, said: Accepted) -> None:
        """Note what was accepted."""
        wanted = drafts.doubles.asked_for(draft, self._given)
        self._new.append(drafts.doubles.Before(int(self._now), wanted, said.id))

    def keep(self) -> None:
        """Write down what was accepted. A disk that takes nothing is no reason to fail: the bulletins are out."""
        self._file.keep(self._new, self._now)


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
