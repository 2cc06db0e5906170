"""The looks at a server: a fault is logged once, and a server that cannot recover is restarted."""

from __future__ import annotations

import pytest

from bus.server.binary import ServerError
from bus.server.tending import HUNG_AFTER, HUNG_S, LASTS, SAID_AFTER, Look, Tending

ROOM = 1000
FINE = Look(answers=True, problem="", free=ROOM)
DEAF = Look(answers=False, problem="", free=ROOM)
FULL = Look(answers=True, problem="stream 'A' write error: no space left on device", free=ROOM - 1)
EMPTIED = FULL._replace(free=ROOM)
SHUT = FULL._replace(problem="JetStream not enabled (10076)")
"""A server that met the full disk in a file of its own shuts the whole store, which it never opens again by itself."""
BEHIND = Look(answers=True, problem="JetStream stream 'A' is not current", free=ROOM)


def tending(rest_s: float = 0.0) -> Tending:
    """The judge of a server that started at 0."""
    return Tending(room=ROOM, rest_s=rest_s, began=0.0)


def test_nothing_is_said_of_a_server_that_answers_and_stores() -> None:
    """Nothing is logged either while a cluster still updates it."""
    each = tending()
    assert [each.judge(look, at) for at, look in enumerate([FINE, BEHIND, FINE])] == ["", "", ""]


def test_what_a_server_goes_on_complaining_of_is_said_once_and_its_end_too() -> None:
    """It is not restarted for it."""
    each = tending()
    said = [each.judge(look, at) for at, look in enumerate([*[BEHIND] * (LASTS + 3), FINE])]
    assert [n for n, sentence in enumerate(said) if sentence] == [LASTS - 1, LASTS + 3]
    assert BEHIND.problem in said[LASTS - 1]


def test_silence_is_said_once_and_its_end_too() -> None:
    """From the third question without an answer on."""
    each = tending()
    said = [each.judge(look, at) for at, look in enumerate([FINE, *[DEAF] * (SAID_AFTER + 2), FINE, FINE])]
    assert [bool(sentence) for sentence in said] == [False] * SAID_AFTER + [True, False, False, True, False]
    assert "does not answer" in said[SAID_AFTER]
    assert "again" in said[-2]


@pytest.mark.parametrize(("looks", "pace"), [(HUNG_AFTER, HUNG_S / 5), (round(HUNG_S), 1.0)])
def test_a_server_that_hangs_is_to_be_begun_anew(looks: int, pace: float) -> None:
    """Both bounds, questions and seconds, must be passed: a program that slept itself ends no server."""
    each = tending()
    for at in range(1, looks):
        each.judge(DEAF, at * pace)
    with pytest.raises(ServerError) as told:
        each.judge(DEAF, looks * pace)
    assert told.value.reason == "no-answer"


@pytest.mark.parametrize("full", [FULL, SHUT])
def test_a_server_without_room_is_said_and_begun_anew_when_there_is_room(full: Look) -> None:
    """Not before: it would not start."""
    each = tending()
    assert "no longer stores messages" in each.judge(full, 1)
    assert each.judge(full, 2) == ""
    with pytest.raises(ServerError) as told:
        each.judge(full._replace(free=ROOM), 3)
    assert told.value.reason == "cannot-store"


def test_a_disk_that_fails_again_is_not_begun_anew_all_the_time() -> None:
    """Everybody is disconnected by it, so it waits for its time."""
    each = tending(rest_s=60)
    assert "no longer stores messages" in each.judge(EMPTIED, 59)
    with pytest.raises(ServerError):
        each.judge(EMPTIED, 60)
