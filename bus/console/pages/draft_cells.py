"""A value of a draft as a field of its form, and back, by the shape of the field. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

LONG = 160
"""A text that may be longer has several lines in its form."""
_DIGITS = re.compile(r"-?[0-9]{1,16}")
_SUM = re.compile(r"([0-9]{1,14}(?:\.[0-9]{1,4})?)\s*([A-Za-z]{3})")
_FLAGS = {"yes": True, "no": False}
Faults = list[tuple[str, str]]
"""(field, what is wrong, and what to do)."""


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """A field for one value.

    Attributes:
        name: as on the wire; of a value in a table of its own, with that before it: `abcde.actor`.
        shape: `text`, `time`, `day`, or `lines` for a longer text; `words` for several words in one line, `list` for several texts, one a
            line; `choice` of one word, `choices` of several; `tick`, or `flag` for yes, no and unsaid; `number`, `decimal`, `money`;
            `grade` for a number that is chosen, `numbers` for several in one line; `end` for a row of the form that a tie names.
        most: characters that its field takes.
        words: those that it offers; a draft may have others.
        vocabulary: what says these words in the language of a reader.
        first: what it has in a new form.
        is_usual: whether that is left out of a draft.
        is_rare: whether it is folded away.
        is_needed: whether the wire wants it.
        like: an example; empty for none.
        places: of a decimal, the digits after its point.
        key: of a list, the field in which each text stands on the wire; empty where the text stands there itself.
    """

    name: str
    shape: str = "text"
    most: int = LONG
    words: tuple[str, ...] = ()
    vocabulary: str = ""
    first: str = ""
    is_usual: bool = False
    is_rare: bool = False
    is_needed: bool = False
    like: str = ""
    places: int = 0
    key: str = ""

    @property
    def is_long(self) -> bool:
        """Whether its field has the whole width."""
        return self.shape in ("lines", "list", "choices") or (self.shape == "text" and self.most > LONG)

    @property
    def label(self) -> str:
        """The field of the wire that names it."""
        return self.name.rpartition(".")[2]

    def is_said(self, text: str) -> bool:
        """Whether a field with this text says something in a draft."""
        return text.strip() not in ("", self.first if self.is_usual else "")

    def options(self, present: str, said: Callable[[str, str], str]) -> list[tuple[str, str]]:
        """(word, what it is called) of a choice, in the order of what they are called; the present one, too, whatever it is."""
        words = {*self.words, present} - {""}
        return sorted(
            ((each, said(self.vocabulary, each)) for each in words), key=lambda each: each[1].casefold()
        )

    def boxes(self, present: str, said: Callable[[str, str], str]) -> list[tuple[str, str, bool]]:
        """(word, what it is called, whether it is chosen) of several words: the chosen ones first, in the order of the draft.

        A browser sends the boxes in the order of the page, so a draft keeps its own.
        """
        chosen = _words(self, present)
        others = [each for each in self.options("", said) if each[0] not in chosen]
        return [
            *((each, said(self.vocabulary, each), True) for each in chosen),
            *((each, called, False) for each, called in others),
        ]


Cells = Sequence[Cell]


# -- values and texts -----------------------------------------------------------------------------------------------------


def said(cell: Cell, value: Any) -> str | None:
    """The text of a value in its field; None where none says exactly this value."""
    text = _SAID.get(cell.shape, _text)(cell, value)
    if text is None or "\r" in text or ("\n" in text and cell.shape not in ("lines", "list")):
        return None
    try:
        # A number is no truth here, though it equals one.
        is_same = meant(cell, text) == value and isinstance(value, bool) == (cell.shape in ("tick", "flag"))
    except ValueError:
        return None
    return text if text.strip() and is_same else None


def meant(cell: Cell, text: str) -> Any:
    """The value that the text of a field says.

    Raises:
        ValueError: it is not of the shape of its field; says what to write.
    """
    of_shape = _MEANT.get(cell.shape)
    return text.strip() if of_shape is None else of_shape(cell, text.strip())


def is_usual(cell: Cell, value: Any) -> bool:
    """Whether a draft leaves this value out."""
    return value is False if cell.shape == "tick" else cell.is_usual and said(cell, value) == cell.first


def texts_of(cells: Cells, held: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """(the text of each cell, what of some values no cell says exactly).

    Args:
        cells: the fields.
        held: values by their names on the wire.
    """
    texts = {cell.name: cell.first if cell.is_usual else "" for cell in cells}
    rest: dict[str, Any] = {}
    for name, value in held.items():
        own = {cell.name: cell for cell in cells if cell.name.partition(".")[0] == name}
        parts = {name: value}
        if name not in own and isinstance(value, dict):
            parts = {f"{name}.{part}": each for part, each in value.items() if each is not None}
        found = {part: said(own[part], each) if part in own else None for part, each in parts.items()}
        if found and None not in found.values():
            texts |= {part: text for part, text in found.items() if text is not None}
        else:
            rest[name] = value
    return texts, rest


def values_of(cells: Cells, texts: Mapping[str, str], at: str, faults: Faults) -> dict[str, Any]:
    """The values that cells say, by their names on the wire.

    Args:
        cells: the fields.
        texts: what they have, by their names; one that is lacking is empty.
        at: how the names of these fields begin in the form.
        faults: takes what is not of the shape of its field.
    """
    found: dict[str, Any] = {}
    for cell in cells:
        text = texts.get(cell.name, "")
        if not cell.is_said(text):
            continue
        try:
            value = meant(cell, text)
        except ValueError as exc:
            faults.append((f"{at}{cell.name}", str(exc)))
            continue
        table, _, part = cell.name.partition(".")
        if part:
            found.setdefault(table, {})[part] = value
        else:
            found[table] = value
    return found


def _text(_: Cell, value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _joined(between: str) -> Callable[[Cell, Any], str | None]:
    def text(cell: Cell, value: Any) -> str | None:
        texts = _texts(cell, value)
        return None if texts is None else between.join(texts)

    return text


def _texts(cell: Cell, value: Any) -> list[str] | None:
    found = value if isinstance(value, list) else None
    if found is not None and cell.key:
        found = [each.get(cell.key) if isinstance(each, dict) else None for each in found]
    return found if found is not None and all(isinstance(each, str) for each in found) else None


def _flag(_: Cell, value: Any) -> str | None:
    return next((text for text, flag in _FLAGS.items() if value is flag), None)


def _number(_: Cell, value: Any) -> str | None:
    return str(value) if type(value) is int else None  # a truth is no number, though it equals one


def _numbers(_: Cell, value: Any) -> str | None:
    is_said = isinstance(value, list) and all(type(each) is int for each in value)
    return ", ".join(map(str, value)) if is_said else None


def _decimal(cell: Cell, value: Any) -> str | None:
    if type(value) is not int or value < 0:
        return None
    whole, rest = divmod(value, 10**cell.places)
    return f"{whole}.{rest:0{cell.places}}".rstrip("0").rstrip(".")


def _money(_: Cell, value: Any) -> str | None:
    return f"{value.get('value')} {value.get('currency')}" if isinstance(value, dict) else None


_SAID: Mapping[str, Callable[[Cell, Any], str | None]] = MappingProxyType(
    {
        "words": _joined(", "),
        "choices": _joined(", "),
        "list": _joined("\n"),
        "tick": lambda _, value: "1" if value is True else None,
        "flag": _flag,
        "number": _number,
        "grade": _number,
        "numbers": _numbers,
        "decimal": _decimal,
        "money": _money,
    }
)


def _words(_: Cell, text: str) -> list[str]:
    return text.replace(",", " ").split()


def _lines(cell: Cell, text: str) -> list[Any]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return [{cell.key: line} for line in lines] if cell.key else list(lines)


def _meant_flag(_: Cell, text: str) -> bool:
    if text not in _FLAGS:
        raise ValueError("choose yes or no")
    return _FLAGS[text]


def _meant_number(_: Cell, text: str) -> int:
    if _DIGITS.fullmatch(text) is None:
        raise ValueError("write a whole number in digits alone, as 12000")
    return int(text)


def _meant_numbers(cell: Cell, text: str) -> list[int]:
    words = _words(cell, text)
    if not all(map(_DIGITS.fullmatch, words)):
        raise ValueError("write whole numbers with commas between them, as 8, 11")
    return list(map(int, words))


def _meant_decimal(cell: Cell, text: str) -> int:
    found = re.fullmatch(rf"([0-9]{{1,9}})(?:[.,]([0-9]{{1,{cell.places}}}))?", text)
    if found is None:
        digits = "one digit" if cell.places == 1 else f"{cell.places} digits"
        raise ValueError(f"write a number, as 2.5, with at most {digits} after its point")
    return int(found[1] + (found[2] or "").ljust(cell.places, "0"))


def _meant_money(_: Cell, text: str) -> dict[str, str]:
    found = _SUM.fullmatch(text)
    if found is None:
        raise ValueError("write a sum with a point before its cents, and the currency, as 12.5 EUR")
    value = found[1].rstrip("0").rstrip(".") if "." in found[1] else found[1]
    return {"value": value, "currency": found[2].upper()}


_MEANT: Mapping[str, Callable[[Cell, str], Any]] = MappingProxyType(
    {
        "words": _words,
        "choices": _words,
        "list": _lines,
        "tick": lambda _, __: True,
        "flag": _meant_flag,
        "number": _meant_number,
        "grade": _meant_number,
        "numbers": _meant_numbers,
        "decimal": _meant_decimal,
        "money": _meant_money,
    }
)
