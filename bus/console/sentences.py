"""What a template says, in the language of its reader: the functions that jinja2's extension for translations calls.

Its own would put words of others into a sentence without showing them (`texts.shown`).
"""

from __future__ import annotations

from collections.abc import Mapping

import jinja2
from jinja2.runtime import Context
from markupsafe import Markup

from bus.console import texts
from bus.languages import Language


def _filled(form: str, places: Mapping[str, object]) -> Markup:
    """A sentence of a catalogue with what a page shows in its places: each escaped and shown, but for markup."""
    return Markup(form) % {name: texts.finalized(value) for name, value in places.items()}  # noqa: S704 (a catalogue's own)


def _say(context: Context) -> Language:
    say: Language = context["say"]
    return say


@jinja2.pass_context
def said(context: Context, text: str, /, **places: object) -> Markup:
    """`_("…")`."""
    return _filled(_say(context).form(text), places)


@jinja2.pass_context
def said_of(context: Context, one: str, many: str, n: int, /, **places: object) -> Markup:
    """`ngettext("…", "…", n)`, with the number as `num`."""
    return _filled(_say(context).form_of(one, many, n), {"num": n, **places})


@jinja2.pass_context
def said_within(context: Context, about: str, text: str, /, **places: object) -> Markup:
    """`pgettext("…", "…")`: a text that means something else in another context."""
    return _filled(_say(context).form(text, about), places)


class _Open(dict[str, str]):
    """Leaves each place of a sentence open, in braces: a script fills it."""

    def __missing__(self, name: str) -> str:
        return f"{{{name}}}"


SAMPLES = {"other": 100, "zero": 0, "one": 1, "two": 2, "few": 3, "many": 11}
"""A number of each category that `Intl.PluralRules` has; what goes with it is what a script says."""


@jinja2.pass_context
def forms(context: Context, one: str, many: str | None = None, /) -> Markup:
    """A sentence for a script, as attributes: one that goes with no number, or its form for each category of numbers."""
    say = _say(context)
    if many is None:
        said = {"other": say.form(one)}
    else:
        said = {name: say.form_of(one, many, n) for name, n in SAMPLES.items()}
        said = {name: form for name, form in said.items() if name == "other" or form != said["other"]}
    return Markup(" ").join(
        Markup('data-{}="{}"').format(name, form % _Open()) for name, form in said.items()
    )
