"""Shell completion for a user's own names: contexts, kinds, topics, audiences, authorities, bulletins.

A command names one of these functions as `shell_complete` of an argument or option. Completion never prints an error
and never asks a question. A name that needs a wait or a passphrase is not completed.
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
    """A possible word, and its meaning."""

    word: str
    meaning: str = ""


def _of(name: str, *, files: bool = False) -> Completer:
    """A completer that calls a function of `bus.cli.frame.own`, which is loaded only when a shell asks.

    Args:
        name: the function's name.
        files: file names are possible too.
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
    """The words that begin with the typed text, each with its meaning, cut and made safe for one line."""
    return [
        CompletionItem(word, help=_short(safe(meaning)) or None)
        for word, meaning in found
        if word.startswith(incomplete) and word == safe(word)
    ]


def _short(text: str) -> str:
    return text if len(text) <= HELP_CHARACTERS else f"{text[: HELP_CHARACTERS - 1]}…"


def files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> Items:
    """Let the shell complete file names."""
    return [CompletionItem(incomplete, type="file")]


contexts = _of("contexts")
kinds = _of("kinds")
domains = _of("domains")
topics = _of("topics")
audiences = _of("audiences")
authorities = _of("authorities")
bulletins = _of("bulletins")
files_or_bulletins = _of("bulletins", files=True)
