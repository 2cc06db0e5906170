"""`tocsin explain`: the meaning of a rule or of a reason code."""

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
    """Explain a rule (R24), with its source and examples, or a reason code (key-revoked).

    `bulletin check` and every refusal print the code in brackets. The name of a vocabulary, such as rsit, marks a
    remark: the vocabulary does not list the word.
    """
    found = drafts.explained(word)
    if found is None and word in vocabularies.names():
        text = f"{word}: the vocabulary {word} does not list the word; the bulletin is sent all the same. List its words: tocsin vocab {word}"
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
