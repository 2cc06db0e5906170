"""`tocsin vocab`: the vocabularies, and the meaning of their words."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

import click

from bus.cli.frame import Answer, App, NotFoundError, Table, command
from schemas import vocabularies as known
from schemas.vocabularies import FAMILIES, names

if TYPE_CHECKING:
    from schemas.vocabularies import Found, Term, Vocabulary


@command()
@click.argument("name", required=False)
@click.argument("words", nargs=-1, metavar="[WORD]...")
def vocab(_app: App, name: str | None, words: tuple[str, ...]) -> Answer:
    """List the vocabularies, the words of NAME, or those that match WORD.

    WORD is an id (T0086) or part of a label (deepfake). Several WORDs must all match. For an id of an earlier version
    the current id is shown. `attack` is ATT&CK for Enterprise, Mobile and ICS together. If NAME is no vocabulary, it
    is a word, and all vocabularies are searched. Exits 3 when nothing matches, and names the nearest word.
    """
    if name is None:
        return _listed([known.vocabulary(each) for each in known.names()])
    is_one = name in known.FAMILIES or name in known.names()
    named = known.FAMILIES.get(name, (name,)) if is_one else known.names()
    word = " ".join(words if is_one else (name, *words))
    kept = [known.vocabulary(each) for each in named]
    found = [(each, known.find(each, word) if word else known.Found(terms=each.terms)) for each in kept]
    if not any(here.terms or here.former for _, here in found):
        if not is_one:
            raise NotFoundError(f"no vocabulary has {word!r}, and none is called {name!r}{_called(name)}")
        raise NotFoundError(f"{name} has no {word!r}{_nearest(found)}")
    return _found(found)


def _called(name: str) -> str:
    near = difflib.get_close_matches(name, (*names(), *FAMILIES), n=1)
    return f"; did you mean {near[0]!r}?" if near else "; tocsin vocab lists them"


def _listed(all_of_them: list[Vocabulary]) -> Answer:
    return Answer(
        [
            {
                "name": each.name,
                "title": each.title,
                "version": each.version,
                "terms": len(each.terms),
                "former": len(each.former),
                "source": each.source,
                "licence": each.licence,
            }
            for each in all_of_them
        ],
        table=Table(
            ("vocabulary", "version", "words", "source"),
            [(each.name, each.version, len(each.terms), _short(each.source)) for each in all_of_them],
        ),
        notes=["the meaning of a word: tocsin vocab NAME WORD"],
    )


def _short(source: str) -> str:
    return source.partition(",")[0]


def _nearest(found: list[tuple[Vocabulary, Found]]) -> str:
    like = [_told(each) for _, here in found for each in here.nearest]
    return f"; the nearest: {', '.join(like[:3])}" if like else "; no word is similar"


def _told(term: Term) -> str:
    return f"{term.id} ({term.label})" if term.label else term.id


def _found(found: list[tuple[Vocabulary, Found]]) -> Answer:
    shown = [(each, here) for each, here in found if here.terms or here.former]
    return Answer(
        [
            {
                "vocabulary": each.name,
                "version": each.version,
                "source": each.source,
                "licence": each.licence,
                "terms": here.terms,
                "former": here.former,
                "akin": here.nearest,
            }
            for each, here in shown
        ],
        lines=[
            f"{each.name}: {line}" if len(shown) > 1 else line
            for each, here in shown
            for line in _of_past(here)
        ],
        table=_rows(shown),
        notes=[
            f"{each.title.rstrip('.')}, version {each.version}; source: {_short(each.source)}"
            for each, _ in shown
        ],
    )


def _of_past(here: Found) -> list[str]:
    told = []
    for each in here.former:
        now = " or ".join(each.now)
        told.append(
            f"{each.id} ({each.label}) was {each.why}; "
            + (f"it is now {now}" if now else "it has no successor")
        )
    if here.nearest:
        told.append(f"similar labels: {', '.join(map(_told, here.nearest))}")
    return told


def _rows(
    shown: list[tuple[Vocabulary, Found]],
) -> Table | None:
    several = len(shown) > 1
    rows = [
        (*((each.name,) if several else ()), term.id, term.label, term.text)
        for each, here in shown
        for term in here.terms
    ]
    if not rows:
        return None
    columns: tuple[str, ...] = ("id", "label", "text")
    if not any(row[-1] for row in rows):
        columns = ("id", "label") if any(row[-2] for row in rows) else ("id",)
    heading = ("vocabulary", *columns) if several else columns
    return Table(heading, [row[: len(heading)] for row in rows])
