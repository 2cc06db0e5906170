"""Every text that the console says, found where it is marked; and what a template shows without a mark."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

import jinja2
from jinja2 import nodes

from bus.console.rendering import ASSETS, TEMPLATES

ROOT = Path(__file__).parents[2]
CONSOLE = ROOT / "bus" / "console"
CODE = (
    CONSOLE,
    ROOT / "bus" / "hub" / "incidents" / "wording.py",
    ROOT / "bus" / "hub" / "picture" / "readiness.py",
)
REFUSALS = (CONSOLE, ROOT / "bus" / "desk")
"""Where an error with a whole sentence is shown to a person as it is."""
FUNCTIONS = ("_", "gettext", "ngettext", "pgettext", "forms")


class Text(NamedTuple):
    """A text to be translated: the sentence, that for more than one, and its context; the last two may be empty."""

    text: str
    many: str = ""
    context: str = ""


def environment() -> jinja2.Environment:
    """As the renderer reads templates."""
    made = jinja2.Environment(  # noqa: S701 (nothing is rendered)
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.i18n"]
    )
    made.policies["ext.i18n.trimmed"] = True
    made.newstyle_gettext = True  # type: ignore[attr-defined]
    return made


def of_templates(folder: Path = TEMPLATES) -> Iterator[Text]:
    """The texts that templates mark."""
    for path in sorted(folder.rglob("*.html")):
        found = environment().extract_translations(path.read_text("utf-8"), FUNCTIONS)  # type: ignore[attr-defined]
        for line, function, said in found:
            texts = [each for each in (said if isinstance(said, tuple) else (said,)) if isinstance(each, str)]
            if not texts:
                raise ValueError(
                    f"{path.name}:{line}: {function} needs a text, not an expression; use say.plain"
                )
            if function == "pgettext":
                yield Text(texts[1], context=texts[0])
            else:
                yield Text(texts[0], texts[1] if len(texts) > 1 else "")


def of_code(paths: Iterable[Path] = CODE) -> Iterator[Text]:
    """The texts that code marks: `say(...)`, `say.many(...)`, `say.within(...)`, `marked(...)`."""
    for node in _nodes(paths):
        if not isinstance(node, ast.Call):
            continue
        function, said = ast.unparse(node.func).rpartition("."), _constants(node)
        if function[2] == "marked" and said:
            contexts = said[1:] or [""]
            yield from (Text(said[0], context=each) for each in contexts)
        elif function[2] == "say" and said:
            yield Text(said[0])
        elif function[2] == "many" and _is_say(function[0]) and len(said) > 1:
            yield Text(said[0], said[1])
        elif function[2] == "within" and _is_say(function[0]) and len(said) > 1:
            yield Text(said[1], context=said[0])


def of_refusals(paths: Iterable[Path] = REFUSALS) -> Iterator[Text]:
    """The sentences of errors that have no places, and those of the console that have."""
    for node in _nodes(paths):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error"):
            said = _constants(node)
            if said and " " in said[0]:
                yield Text(said[0])


def of_places() -> Iterator[Text]:
    """The names of countries."""
    names = tomllib.loads((CONSOLE / "map" / "europe.toml").read_text("utf-8"))["names"]
    yield from map(Text, names.values())


def every() -> list[Text]:
    """Every text, each once, in the order of a catalogue."""
    found = {*of_templates(), *of_code(), *of_refusals(), *of_places()}
    plural = {each.text for each in found if each.many}
    return sorted(each for each in found if each.many or each.context or each.text not in plural)


def _nodes(paths: Iterable[Path]) -> Iterator[ast.AST]:
    for path in paths:
        for module in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            yield from ast.walk(ast.parse(module.read_text("utf-8")))


def _constants(node: ast.Call) -> list[str]:
    found: list[str] = []
    for each in node.args:
        if not (isinstance(each, ast.Constant) and isinstance(each.value, str)):
            break
        found.append(each.value)
    return found


def _is_say(of: str) -> bool:
    return of == "say" or of.endswith(".say")


SHOWN = ("aria-label", "title", "placeholder", "alt", "content")
"""Attributes that people read or hear."""
NO_TEXT = re.compile(
    r"UTC|TLP|JSON|tocsin|Ctrl|Esc|Enter|hmac|width=device-width, initial-scale=1", re.IGNORECASE
)
"""What is the same in every language."""
_LETTERS = re.compile(r"[^\W\d_]{2,}")
_PROSE = re.compile(r"[A-Z][a-z]|[a-z] [a-z]")
_HOLE = "\x00"


def unmarked(source: str, classes: frozenset[str]) -> list[str]:
    """What a template shows to people without a mark: text, attributes, and words in expressions.

    Args:
        source: of the template.
        classes: the classes of the style sheet, which are no words.
    """
    tree = environment().parse(source)
    found = _Skeleton("".join(_pieces(tree))).found
    found += [
        each.value
        for each in _strings(tree)
        if _PROSE.search(each.value)
        and "%" not in each.value
        and not re.fullmatch(r"[a-z0-9/?=&.:#_-]*", each.value)
        and not classes.issuperset(each.value.split())
        and "</" not in each.value
    ]
    return found


def classes() -> frozenset[str]:
    """The classes of the style sheet."""
    return frozenset(re.findall(r"\.([a-z][\w-]*)", (ASSETS / "console.css").read_text("utf-8")))


def _pieces(tree: nodes.Template) -> Iterator[str]:
    """The text of a template with a hole for each expression."""
    for output in tree.find_all(nodes.Output):
        for each in output.nodes:
            yield each.data if isinstance(each, nodes.TemplateData) else _HOLE


def _strings(node: nodes.Node) -> Iterator[nodes.Const]:
    """The strings in expressions that no function of translation gets."""
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name) and node.node.name in FUNCTIONS:
        for each in node.kwargs:
            yield from _strings(each)
        return
    if isinstance(node, nodes.Const) and isinstance(node.value, str):
        yield node
    for child in node.iter_child_nodes():
        yield from _strings(child)


class _Skeleton(HTMLParser):
    """The words in a page without its expressions."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._quiet = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Attributes that people read."""
        self._quiet += tag in ("kbd", "code")
        self.found += [value for name, value in attrs if name in SHOWN and value and self._has_words(value)]

    def handle_endtag(self, tag: str) -> None:
        """What is the same in every language ends."""
        self._quiet -= tag in ("kbd", "code")

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._quiet <= 0 and self._has_words(data):
            self.found.append(data.strip())

    @staticmethod
    def _has_words(text: str) -> bool:
        return bool(_LETTERS.search(NO_TEXT.sub("", text.replace(_HOLE, " "))))
