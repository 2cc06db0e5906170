"""`tocsin explain`: what a rule asks for, or what a reason code means."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bus import drafts
from bus.cli.frame import Answer, App, NotFoundError, command
from schemas import vocabularies

if TYPE_CHECKING:
    from bus.drafts import Example, Explained


@command()
@click.argument("word", metavar="RULE|CODE")
def explain(_app: App, word: str) -> Answer:
    """What a rule (R24) asks for, with its source and examples; or what a reason code (key-revoked) means.

    They stand in brackets behind what `bulletin check` and every refusal say. The name of a vocabulary, such as rsit, is a
    remark about a word that it does not list.
    """
    found = drafts.explained(word)
    if found is None and word in vocabularies.names():
        text = f"{word}: a word that the vocabulary {word} does not list; it is carried all the same. Its words: tocsin vocab {word}"
        return Answer({"word": word, "vocabulary": word}, lines=[text])
    if found is None:
        near = drafts.like(word)
        raise NotFoundError(
            f"there is no rule and no reason code {word!r}" + (f"; did you mean {near}?" if near else "")
        )
    return Answer(found, lines=_lines(found))


def _lines(found: Explained) -> Iterator[str]:
    for meaning in found.meanings:
        yield f"{found.word}: {meaning.text}"
        yield f"  met under: {meaning.where}"
    if not found.says:
        return
    yield f"{found.word}: {found.says}"
    if found.letter:
        yield f"  to the letter: {found.letter}"
    if found.source:
        yield f"  source: {found.source}"
    for each in found.right:
        yield from _example("stands", each)
    for each in found.wrong:
        yield from _example("refused", each)


def _example(how: str, each: Example) -> Iterator[str]:
    yield f"  {how}: {each.what}" + (f": {each.fields}" if each.fields else "")
    if each.told:
        yield f"    {each.where.removeprefix('$.')}: {each.told}"
