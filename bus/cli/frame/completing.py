"""What a shell completes of a user's own: contexts, kinds, topics, audiences, authorities, bulletins.

A command names one of these functions as `shell_complete` of an argument or option. What cannot be found out at once and without
a question is not completed: completion says nothing wrong and asks nothing, whatever is broken.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

import click
from click.shell_completion import CompletionItem

from bus.cli.frame.app import App
from bus.cli.frame.text import safe

Items = list[CompletionItem[str]]
Completer = Callable[[click.Context, click.Parameter, str], Items]
HELP_CHARACTERS = 60


class Own(NamedTuple):
    """A word that may stand there, and what it means."""

    word: str
    meaning: str = ""


def _of(name: str, *, files: bool = False) -> Completer:
    """A completer that asks a function of `bus.cli.frame.own`, which is loaded when a shell asks.

    Args:
        name: the function's name.
        files: names of files may stand there too.
    """

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
        items: Items = [CompletionItem(incomplete, type="file")] if files else []
        try:
            found: list[Own] = getattr(importlib.import_module("bus.cli.frame.own"), name)(
                ctx.ensure_object(App), ctx.params
            )
            items += _items(found, incomplete)
        except Exception:  # noqa: BLE001 - a shell shows what it is told in the middle of somebody's line
            return items
        return items

    return complete


def _items(found: list[Own], incomplete: str) -> Items:
    """Those that begin with what is there already, each on one line whatever it says of itself."""
    return [
        CompletionItem(word, help=_short(safe(meaning)) or None)
        for word, meaning in found
        if word.startswith(incomplete) and word == safe(word)
    ]


def _short(text: str) -> str:
    return text if len(text) <= HELP_CHARACTERS else f"{text[: HELP_CHARACTERS - 1]}…"


def files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Names of files, which the shell knows."""
    return [CompletionItem(incomplete, type="file")]


contexts = _of("contexts")
kinds = _of("kinds")
domains = _of("domains")
topics = _of("topics")
audiences = _of("audiences")
authorities = _of("authorities")
bulletins = _of("bulletins")
files_or_bulletins = _of("bulletins", files=True)
