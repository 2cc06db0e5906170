"""Placeholders of the record hide what differs from run to run, and nothing else."""

from __future__ import annotations

import pytest

from tests.record.entries import Entry, Form, Outcome
from tests.record.placeholders import normalised, parts_hidden

ID = "01a22011-b48e-7ca9-924d-8f5e10ff1007"
OTHER = "01a22011-b498-7e23-bfc2-b4703e3892e5"
DIGEST = "gdtqr8DWhzlqjfhM9detw8rl7N8O-eACI0RvyqzOlbw"


def shown(stdout: str, **settings: object) -> str:
    """The standard output of an entry as the fixture has it."""
    entry = Entry(
        command="trace",
        title="works",
        form=Form.PIPE,
        line="tocsin trace",
        outcome=Outcome(code=0, stdout=f"{stdout}\n", stderr=""),
        **settings,  # type: ignore[arg-type]
    )
    return normalised(entry, {"12345": "port"}, set()).partition("--- stdout\n")[2].removesuffix("\n")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"{ID} {OTHER} {ID}", "<id1> <id2> <id1>"),
        (f'{{"digest":"{DIGEST}","seq":3}}', '{"digest":"<digest1>","seq":3}'),
        ("2026-11-28T02:52:40.123Z and 2026-11-28", "<time> and <date>"),
        ("2024-03-20T18:07:00Z and 2024-03-20", "2024-03-20T18:07:00Z and 2024-03-20"),
        ("11-28 02:52:40 p2", "<time> p2"),
        ("nats://127.0.0.1:12345", "nats://127.0.0.1:<port>"),
        ("exit 75, number 4, TLP:AMBER+STRICT", "exit 75, number 4, TLP:AMBER+STRICT"),
        ("xa-csirt/actual.amber-strict.eu-csirts", "xa-csirt/actual.amber-strict.eu-csirts"),
    ],
)
def test_values_of_a_run_have_placeholders(text: str, wanted: str) -> None:
    """Ids, digests, times and ports are hidden; numbers, words and fixed dates stay."""
    assert shown(text) == wanted


def test_sorted_lines_do_not_depend_on_their_ids() -> None:
    """Lines are sorted by what is left without values of a run, and numbered afterwards."""
    assert shown(f"{OTHER} b\n{ID} a", is_sorted=True) == "<id1> a\n<id2> b"


def test_a_long_output_is_cut_with_a_count_and_a_digest() -> None:
    """What is cut still counts: another last line is another digest."""
    one, two = (shown(f"a\nb\n{last}", first=1) for last in "cd")
    assert one.startswith("a\n... 2 more lines; digest of all ")
    assert one != two


def test_pieces_of_a_broken_id_are_hidden_and_words_are_not() -> None:
    """A short piece counts only under the piece that it goes on with."""
    text = f"live  {ID[:20]}  3\n      {ID[20:34]}\n      {ID[34:]}\nlive  0"
    assert parts_hidden(text, {ID}) == "live  <part>  3\n      <part>\n      <part>\nlive  0"
