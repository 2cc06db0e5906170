"""`bulletin list`, `watch` and `picture` by one grammar; bulletins are named briefly, and what is left out is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from bus.cli.frame import USAGE
from schemas.vocab import Certainty, Severity, Tlp, Urgency
from tests.support.clocks import utc_now
from tests.support.hubs import hub_desk, store_of, take_in
from tests.support.office import Desk
from tests.support.world import Message, bulletin, draft, make_world, sign

GRAVE = {"severity": Severity.SEVERE, "urgency": Urgency.IMMEDIATE, "certainty": Certainty.OBSERVED}
HEADLINES = ("False date of the vote in XA", "Flood against results.example", "The date is false")


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, list[Message]]]:
    """xb-hub's desk, and the bulletins that its store holds."""
    folder = tmp_path_factory.mktemp("desk")
    with pytest.MonkeyPatch.context() as patch:
        world = make_world(utc_now())
        desk = hub_desk(folder / "here", patch, world, "xb-hub")
        made: list[Message] = []
        for n, text in enumerate(HEADLINES):
            grave = GRAVE if n == 0 else {}
            say = draft(text, tlp=Tlp.GREEN, audience="community", **grave)
            prev = made[-1].digest if made else None
            made.append(sign(world, bulletin(world, "xa-csirt", say=say, seq=n + 1, prev=prev)))
        asyncio.run(take_in(store_of(desk.folder, "xb-hub"), world, made))
        yield desk, made


def headlines(desk: Desk, *options: str) -> list[str]:
    """What a list has, newest first."""
    listed = desk.look("bulletin", "list", "--json", *options)
    return [json.loads(line)["headline"] for line in listed.out.splitlines()]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ((), HEADLINES[::-1]),
        (("--text", "false date"), HEADLINES[:1]),
        (("--text", "false", "--text", "date"), (HEADLINES[2], HEADLINES[0])),
        (("--filter", "flood* country:xa"), HEADLINES[1:2]),
        (("--priority", "p2+"), HEADLINES[:1]),
        (("--issuer", "xb-csirt"), ()),
        (("--kind", "cyber-threat,fimi", "--filter", 'text:"date is"', "--since", "1h"), HEADLINES[2:]),
    ],
)
def test_a_list_has_what_is_asked_for(
    held: tuple[Desk, list[Message]], options: tuple[str, ...], found: tuple[str, ...]
) -> None:
    """Options and one line are the same grammar."""
    assert tuple(headlines(held[0], *options)) == found


def test_watch_and_picture_ask_alike(held: tuple[Desk, list[Message]]) -> None:
    """What a list finds, a watch shows and a picture counts."""
    desk, made = held
    seen = desk.look("watch", "--no-follow", "--since", "all", "--json", "--text", "false date")
    shown = [json.loads(line) for line in seen.out.splitlines()]
    assert [each["bulletin"]["id"] for each in shown if "bulletin" in each] == [made[0].bulletin.id]
    seen = desk.look("picture", "--json", "--filter", "false date")
    found = json.loads(seen.out.splitlines()[0])
    assert (found["in_force"], found["filter"]) == (2, "text:false text:date")


def test_a_mistake_names_the_nearest_word(held: tuple[Desk, list[Message]]) -> None:
    """One sentence, exit 2."""
    told = held[0].run("bulletin", "list", "--kind", "cyber-thraet", code=USAGE)
    assert "there is no kind 'cyber-thraet'; did you mean 'cyber-threat'? [filter-malformed]" in told


def test_a_list_says_when_there_are_more(held: tuple[Desk, list[Message]]) -> None:
    """And how many."""
    seen = held[0].look("bulletin", "list", "--limit", "1")
    assert "UTC: 1 of 3; more: --limit 3" in seen.err


def test_the_sheet_is_in_the_language_asked_for(held: tuple[Desk, list[Message]]) -> None:
    """`--lang` chooses labels; the beginning of an id is enough; no line is wider than 80."""
    desk, made = held
    for lang, words in (
        ("en", "WHAT TO DO"),
        ("de", "WAS ZU TUN IST"),
        ("el", "ΤΙ ΠΡΕΠΕΙ ΝΑ ΓΙΝΕΙ"),
        ("fr", "QUE FAIRE"),
        ("et", "MIDA TEHA"),
        ("fi", "WHAT TO DO"),
    ):
        seen = desk.look("bulletin", "show", made[0].bulletin.id, "--lang", lang)
        assert words in seen.out
        assert max(map(len, seen.out.splitlines())) <= 80
