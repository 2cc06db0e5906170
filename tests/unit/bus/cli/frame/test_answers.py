"""What a command returns is printed as it was asked for, and its code is the exit code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from bus.cli.frame.answers import Answer, Outcome
from bus.cli.frame.app import App
from bus.cli.frame.commands import command
from bus.cli.frame.tables import Table

FOUND = Answer(
    {"n": 1},
    lines=["one"],
    table=Table(("n",), [(1,)]),
    notes=["for a person"],
    remarks=["for everybody"],
    code=8,
)


def run(function: Callable[..., Outcome], *arguments: str) -> Result:
    """A command made of a function, run to its end."""
    return CliRunner().invoke(command(name="try")(function), arguments, obj=App())


def one(_: App) -> Answer:
    """Returns what it found."""
    return FOUND


async def waited(_: App) -> list[Answer]:
    """The same after waiting, in a list."""
    return [FOUND]


def several(_: App) -> Iterator[Answer]:
    """The same as it comes; the last answer has no code."""
    yield FOUND
    yield Answer()


async def stream(_: App) -> AsyncIterator[Answer]:
    """The same as it comes, waited for."""
    yield FOUND
    yield Answer()


WAYS = {"returned": one, "in a list": waited, "yielded": several, "streamed": stream}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_person_gets_words_and_the_program_that_asks_the_values(way: Callable[..., Outcome]) -> None:
    """Each on its stream; notes are for people, remarks for both; the exit code is the same."""
    person, program = run(way), run(way, "--json")
    assert (person.stdout, person.stderr) == ("one\n1\n", "for a person\nfor everybody\n")
    assert (program.stdout, program.stderr) == ('{"n":1}\n', "for everybody\n")
    assert person.exit_code == program.exit_code == 8


def test_a_text_that_stands_as_it_is_is_printed_as_it_is() -> None:
    """For a person always, with --json where there is no value in its place."""

    def raw(_: App) -> Answer:
        return Answer(raw="a\n")

    def both(_: App) -> Answer:
        return Answer({"text": "a"}, raw="a\n")

    assert (run(raw).stdout, run(raw, "--json").stdout) == ("a\n", "a\n")
    assert (run(both).stdout, run(both, "--json").stdout) == ("a\n", '{"text":"a"}\n')


def test_a_document_is_json_for_a_person_too() -> None:
    """Other programs read it, whoever printed it."""

    def document(_: App) -> Answer:
        return Answer({"kty": "OKP"}, is_document=True)

    assert run(document).stdout == run(document, "--json").stdout == '{"kty":"OKP"}\n'


def test_what_was_found_before_a_refusal_is_printed() -> None:
    """A command that yields loses nothing when it fails later."""

    def fails(_: App) -> Iterator[Answer]:
        yield FOUND
        raise ValueError("later")

    done = run(fails)
    assert done.stdout == "one\n1\n"
    assert isinstance(done.exception, ValueError)
