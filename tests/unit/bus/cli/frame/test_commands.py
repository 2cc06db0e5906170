"""How a command line is read: shared options in any place, a noun alone, and values that look like options."""

from __future__ import annotations

import contextlib
import io
import itertools
import json
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from bus.cli.frame.app import App
from bus.cli.frame.commands import _DIGEST, Group, command
from bus.cli.main import COMMANDS, main, program

NOUNS = [
    name for name in COMMANDS if isinstance(program.get_command(click.Context(program), name), click.Group)
]
DIGEST = "-b3v_" + "A" * 38
DIGESTS = st.from_regex(r"\A-[A-Za-z0-9_-]{42}\Z")


@click.group(cls=Group)
def noun() -> None:
    """A noun."""


@command(noun, "verb")
@click.argument("first")
@click.argument("others", nargs=-1)
@click.option("--kid")
@click.option("--pair", nargs=2)
@click.option("--yes", is_flag=True)
def verb(
    app: App,
    first: str,
    others: tuple[str, ...],
    *,
    kid: str | None,
    pair: tuple[str, str] | None,
    yes: bool,
) -> None:
    """A verb."""
    click.echo(json.dumps([first, others, kid, pair, yes, app.json, app.context_name, app.verbosity]))


def read(*words: str) -> list[object]:
    """What the verb was given."""
    done = CliRunner().invoke(noun, words, obj=App())
    assert done.exit_code == 0, (words, done.output)
    found: list[object] = json.loads(done.output)
    return found


def ended(*words: str) -> tuple[int, str, str]:
    """Exit code and both outputs of the program."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as told,
    ):
        main(words)
    return int(str(told.value.code)), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("words", [(), *((name,) for name in NOUNS), ("registry", "--quiet")])
def test_a_program_or_noun_alone_prints_its_help(words: tuple[str, ...]) -> None:
    """On standard output, in lines, with exit code 0; standard error stays empty."""
    code, out, err = ended(*words)
    assert (code, err) == (0, "")
    assert out.splitlines()[0].startswith("Usage: tocsin")
    assert {"Commands:", "Officers publish:"} & set(out.splitlines())


PLACES = [("--json", "adapter", "list"), ("adapter", "--json", "list"), ("adapter", "list", "--json")]


@pytest.mark.parametrize("words", PLACES, ids=" ".join)
def test_json_is_asked_for_in_any_place(words: tuple[str, ...]) -> None:
    """Before the noun, between noun and verb, after the verb: the same answer."""
    assert ended(*words) == ended("adapter", "list", "--json")
    assert isinstance(json.loads(ended(*words)[1]), list)


@pytest.mark.parametrize("before", [*itertools.permutations(["--json", "--context=me", "-v"])])
def test_shared_options_stand_before_a_verb_or_after_it(before: tuple[str, ...]) -> None:
    """Each wherever it stands."""
    for cut in range(4):
        assert read(*before[:cut], "verb", "x", *before[cut:]) == ["x", [], None, None, False, True, "me", 1]


@given(DIGESTS, DIGESTS)
def test_a_word_in_the_form_of_a_digest_is_a_value(one: str, other: str) -> None:
    """As an argument, among other arguments and options, and as the value of an option."""
    rest: list[object] = [False, False, None, 0]
    assert read("verb", one) == [one, [], None, None, *rest]
    assert read("verb", one, other) == [one, [other], None, None, *rest]
    assert read("verb", "--kid", one, other) == [other, [], one, None, *rest]
    assert read("verb", other, "x", "--kid", one) == [other, ["x"], one, None, *rest]
    assert read("verb", f"--kid={one}", other) == [other, [], one, None, *rest]
    assert read("verb", "--pair", one, "-q", other) == [other, [], None, [one, "-q"], *rest]
    assert read("verb", one, "--", other) == [one, [other], None, None, *rest]


def test_options_beside_a_digest_are_options() -> None:
    """Flags and shared options, before and after it; what is no option is refused as always."""
    assert read("verb", "--yes", DIGEST, "--json", "-vv") == [DIGEST, [], None, None, True, True, None, 2]
    done = CliRunner().invoke(noun, ["verb", DIGEST, "--what"], obj=App())
    assert (done.exit_code, "No such option" in done.output) == (2, True)
    assert CliRunner().invoke(noun, ["verb", "--kid", DIGEST], obj=App()).exit_code == 2


def test_no_option_has_the_form_of_a_digest() -> None:
    """Of the whole program: so none is ever taken for a value."""

    def names(found: click.Command) -> Iterator[str]:
        for parameter in found.params:
            yield from parameter.opts
        if isinstance(found, click.Group):
            for name in found.list_commands(click.Context(found)):
                inner = found.get_command(click.Context(found), name)
                assert inner is not None
                yield from names(inner)

    assert not [name for name in names(program) if _DIGEST.fullmatch(name)]
