"""What a form asks for while a draft is written: a check, a row more or less; nothing is kept."""

from __future__ import annotations

import msgspec

from bus import drafts
from bus.console.asking import HubError
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Content, Present
from bus.console.pages import draft_form, draft_rows, writing
from bus.console.pages.draft_form import Problem, Read
from bus.console.pages.foreseen import Said, said_of
from bus.console.pages.publish import number
from bus.console.pages.writing import Options, Writing
from bus.console.people import DeedError
from bus.desk import Action
from bus.hub.acting import Preview
from schemas.parts import ElectionRef
from schemas.registry import Registry


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """A form that was sent, as it was typed and as it was read.

    Attributes:
        n: the draft's number; 0 for a new one.
        base: the version that was changed.
        fields: as they were typed.
        options: what the fields offer.
        read: the draft.
        elections: those that are known.
        registry: as it stands.
        focus: the field to go on with; empty for none.
    """

    n: int
    base: int
    fields: dict[str, str]
    options: Options
    read: Read
    elections: dict[str, ElectionRef]
    registry: Registry
    focus: str = ""

    def page(self, **of: object) -> Writing:
        """The form again."""
        return writing.written(
            self.options,
            self.fields,
            **{"n": self.n, "version": self.base, "problems": self.read.problems, **of},
        )


class Checked(Content, frozen=True, kw_only=True):
    """What a check says, for a page that shows it beside what is typed."""

    said: Said
    problems: tuple[Problem, ...] = ()


async def check(doing: Doing) -> str | Content:
    """Show the form again with what the hub says of it; nothing is kept.

    Raises:
        BadRequestError: the form names no draft.
        DeedError: the sender writes no drafts.
    """
    sent = await sent_by(doing)
    said = await _said(doing, sent)
    return writing.with_said(sent.page(), said)


async def rows(doing: Doing) -> str | Content:
    """Show the form with a row more or less, or with a row for each value that was pasted; nothing is kept.

    Raises:
        BadRequestError: the form names no draft, or no list.
        DeedError: the sender writes no drafts.
    """
    add, remove = doing.field("add"), doing.field("remove")
    sent, problem, focus = await sent_by(doing), "", ""
    fields = sent.fields
    if remove:
        fields, focus = draft_rows.removed(fields, remove)
    elif add:
        if add not in draft_rows.tables(fields):
            raise BadRequestError("the form has no such list")
        fields, focus = draft_rows.added(fields, add)
        if not focus:
            problem = doing.voice.say(
                "There is no room for a further row. Write it in TOML, under More, or take one out."
            )
    sent = msgspec.structs.replace(
        sent, fields=fields, read=draft_form.read(fields, sent.elections, sent.registry)
    )
    return writing.with_said(sent.page(problem=problem, focus=focus or sent.focus), await _said(doing, sent))


async def check_while_typing(doing: Doing) -> str | Content:
    """As `check`, for a page that shows it beside what is typed.

    Raises:
        BadRequestError, DeedError: as `check`.
    """
    sent = await sent_by(doing)
    page = writing.with_said(sent.page(), await _said(doing, sent))
    shown = doing.fields
    found = (
        msgspec.structs.replace(each, field=draft_rows.on_page(shown, each.field))
        for each in page.said.findings
    )
    problems = (Problem(draft_rows.on_page(shown, each.field), each.text) for each in page.problems)
    return Checked(
        marking=page.marking,
        said=msgspec.structs.replace(page.said, findings=tuple(found)),
        problems=tuple(problems),
    )


async def sent_by(doing: Doing) -> Sent:
    """The form that was sent, read; its sender writes drafts.

    Raises:
        BadRequestError: it names no draft, or no kind of one, or has more rows than a page.
        DeedError: `desk-role`.
    """
    if not doing.viewer.may(Action.DRAFT):
        raise DeedError("this needs the role publisher; ask an administrator of this console for it")
    fields, focus = draft_rows.spread(draft_form.typed(doing.fields))
    if fields["kind"] not in drafts.DRAFTED:
        raise BadRequestError("no draft of that kind can be written here")
    if any(len(draft_rows.rows(fields, table)) > table.most for table in draft_rows.tables(fields).values()):
        # A page sends no more; to show fifteen hundred rows takes seconds, and all others wait.
        raise BadRequestError("these are more rows than a form has; write the others in TOML, under More")
    known, options, registry = await doing.look(
        lambda asked: (
            writing.known_elections(asked),
            writing.options_of(asked, fields),
            asked.registry.document,
        )
    )
    return Sent(
        n=number(doing.field("n") or "0"),
        base=number(doing.field("base") or "0"),
        fields=fields,
        options=options,
        read=draft_form.read(fields, known, registry),
        elections=known,
        registry=registry,
        focus=focus,
    )


async def _said(doing: Doing, sent: Sent) -> Said:
    """What the hub says of a form; nothing of one that cannot be read."""
    if sent.read.problems:
        return Said()
    try:
        outcome = await doing.hub.ask(Preview(draft=sent.read.raw))
    except HubError as problem:
        return Said(problem=str(problem))
    registry = doing.reading.shelf.registry()
    return said_of(
        outcome,
        Present(clearance=doing.viewer.clearance, voice=doing.voice, registry=registry, now=doing.now),
    )
