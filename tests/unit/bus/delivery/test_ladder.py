"""The ladder as a state machine: any order of receipts, the same state; only who must answer counts."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.delivery import ledger
from bus.delivery.ladder import Answer, DeliveryState, Sent, delivery_status, overdue
from bus.errors import ConfigError
from bus.policy import deadlines
from schemas.bodies.electoral import ElectionCalendar, PhaseWindow
from schemas.vocab import Phase, ReceiptStage
from tests.support.world import NOW, shared_world

HUBS = ("xa-hub", "xb-hub")
SAID = Sent(
    id="i",
    digest="d",
    channel="xa-csirt/actual.green.community",
    seq=1,
    priority="p1",
    phase="during",
    accepted=NOW,
    stored=NOW,
)
CONTACTS = {"xa-hub": ("duty desk", "director")}


def at(reader: str, stage: str, seconds: int = 0) -> Answer:
    """One answer."""
    return Answer(reader=reader, stage=ReceiptStage(stage), at=NOW + dt.timedelta(seconds=seconds))


ANSWERS = st.builds(
    at,
    st.sampled_from((*HUBS, "xc-hub", "xa-csirt")),
    st.sampled_from(list(ReceiptStage)),
    st.integers(0, 99),
)


@given(st.lists(ANSWERS, max_size=12), st.randoms())
def test_any_order_and_repetition_gives_the_same_state(answers: list[Answer], random: object) -> None:
    """Receipts may come late, twice and in any order."""
    mixed = [*answers, *answers]
    random.shuffle(mixed)  # type: ignore[attr-defined]
    assert delivery_status(SAID, mixed, HUBS, ()) == delivery_status(SAID, answers, HUBS, ())


@given(st.lists(ANSWERS, max_size=12), ANSWERS)
def test_a_further_receipt_never_takes_a_rung_away(answers: list[Answer], more: Answer) -> None:
    """A received bulletin stays received."""
    order = list(DeliveryState)
    before, after = (delivery_status(SAID, each, HUBS, ()) for each in (answers, [*answers, more]))
    assert order.index(after.state) >= order.index(before.state)
    assert set(after.missing) <= set(before.missing) or after.state is not before.state


@given(st.lists(ANSWERS, max_size=12))
def test_strangers_count_nothing(answers: list[Answer]) -> None:
    """The receipts of other hubs change nothing."""
    ours = [each for each in answers if each.reader in HUBS]
    assert delivery_status(SAID, answers, HUBS, ()) == delivery_status(SAID, ours, HUBS, ())


STATES = {
    "nobody": ([], DeliveryState.STORED, HUBS),
    "one": ([at("xa-hub", "verified")], DeliveryState.STORED, ("xb-hub",)),
    "all": ([at(hub, "verified") for hub in HUBS], DeliveryState.RECEIVED, HUBS),
    "kept is not admitted": ([at(hub, "kept") for hub in HUBS], DeliveryState.STORED, HUBS),
    "one has read it": (
        [at("xa-hub", "acknowledged"), at("xb-hub", "verified")],
        DeliveryState.RECEIVED,
        ("xb-hub",),
    ),
    "who has read it has received it": ([at(hub, "acknowledged") for hub in HUBS], DeliveryState.READ, ()),
    "withdrawn says received": ([at(hub, "withdrawn") for hub in HUBS], DeliveryState.RECEIVED, HUBS),
}


@pytest.mark.parametrize(("answers", "state", "missing"), STATES.values(), ids=STATES.keys())
def test_each_rung_needs_every_hub(
    answers: list[Answer], state: DeliveryState, missing: tuple[str, ...]
) -> None:
    """A rung is reached when the last hub is there, and those who are not are named."""
    found = delivery_status(SAID, answers, HUBS, ())
    assert (found.state, found.missing) == (state, missing)


def test_with_no_hub_nothing_is_received() -> None:
    """Without a required hub the state stays `stored`."""
    assert delivery_status(SAID, [at("xa-hub", "acknowledged")], (), ()).state is DeliveryState.STORED


LATE = {
    "in time": (59, [], []),
    "not received": (60, [], [("xa-hub", "received", 1, "duty desk"), ("xb-hub", "received", 1, None)]),
    "the next contact": (120, [at("xb-hub", "acknowledged")], [("xa-hub", "received", 2, "director")]),
    "the last contact stays": (600, [at("xb-hub", "acknowledged")], [("xa-hub", "received", 10, "director")]),
    "received, not read": (300, [at(h, "verified") for h in HUBS], [("xa-hub", "read", 1, "duty desk"), ("xb-hub", "read", 1, None)]),
}  # fmt: skip


@pytest.mark.parametrize(("seconds", "answers", "expected"), LATE.values(), ids=LATE.keys())
def test_who_is_late_is_named_with_the_next_contact(
    seconds: int, answers: list[Answer], expected: list[object]
) -> None:
    """P1 while people vote: a minute to be received, five to be read."""
    found = overdue(
        delivery_status(SAID, answers, HUBS, ()),
        NOW + dt.timedelta(seconds=seconds),
        deadlines.DEFAULTS,
        CONTACTS,
    )
    assert [(each.reader, each.what, each.step, each.contact) for each in found] == expected


def test_a_withdrawal_is_escalated_and_need_not_be_read() -> None:
    """A hub that holds the original without confirming the cancel is late; nobody must read it any more."""
    said = Sent(
        **{name: getattr(SAID, name) for name in SAID.__struct_fields__}
        | {"withdrawn": NOW, "is_cancelled": True}
    )
    found = delivery_status(
        said, [*(at(hub, "verified") for hub in HUBS), at("xb-hub", "withdrawn")], HUBS, ()
    )
    assert found.unconfirmed == ("xa-hub",)
    late = overdue(found, NOW + dt.timedelta(hours=1), deadlines.DEFAULTS, CONTACTS)
    assert [(each.reader, each.what) for each in late] == [("xa-hub", "withdrawn")]


def test_every_priority_and_phase_has_a_deadline_that_tightens() -> None:
    """No hole in the table; what is graver, or nearer to the vote, is due no later."""
    for phase in deadlines.PHASES:
        due = [deadlines.DEFAULTS[priority, phase].received_s for priority in ("p1", "p2", "p3", "p4")]
        assert due == sorted(due)
    for priority in ("p1", "p2", "p3", "p4"):
        none, before, during, _ = (
            deadlines.DEFAULTS[priority, phase].received_s for phase in deadlines.PHASES
        )
        assert during <= before <= none


@pytest.mark.parametrize("name", ["p5.during", "p1", "p1.now", "during.p1"])
def test_a_deadline_of_no_such_name_is_refused(name: str) -> None:
    """The error names the allowed values."""
    with pytest.raises(ConfigError) as caught:
        deadlines.changed({name: [60, 300]})
    assert caught.value.reason == "config-malformed"


@pytest.mark.parametrize("seconds", [[], [0], [60, -1], [1, 2, 3]])
def test_a_deadline_of_no_such_length_is_refused(seconds: list[int]) -> None:
    """One or two lengths of a second or more."""
    with pytest.raises(ConfigError):
        deadlines.changed({"p1.during": seconds})


def test_an_own_deadline_replaces_one_and_leaves_the_others() -> None:
    """`[60]` means that nobody has to read it."""
    found = deadlines.changed({"p1.during": [30]})
    assert (found["p1", "during"].received_s, found["p1", "during"].read_s) == (30, None)
    assert found["p2", "during"] == deadlines.DEFAULTS["p2", "during"]


def vote(begin_s: int, end_s: int) -> ElectionCalendar:
    """A calendar whose polls are told in seconds from the moment a bulletin is stored."""
    start, end = (NOW + dt.timedelta(seconds=each) for each in (begin_s, end_s))
    return ElectionCalendar(
        windows=(PhaseWindow(phase=Phase.POLLING, start=start, end=end),), tz="Europe/Vienna"
    )


@pytest.mark.parametrize(
    ("named", "calendars", "phase"),
    [
        ("none", [], "none"),
        ("none", [vote(-60, 60)], "during"),
        ("before", [vote(-60, 60)], "during"),
        ("during", [vote(-9000, -60)], "during"),
        ("none", [vote(1, 9000)], "none"),
        ("none", [vote(-9000, 0)], "none"),
    ],
    ids=[
        "no calendar",
        "a vote in the country",
        "stricter than the named",
        "the named is stricter",
        "begins later",
        "over before",
    ],
)
def test_answers_are_due_by_the_stricter_of_the_named_and_the_countrys_phase(
    named: str, calendars: list[ElectionCalendar], phase: str
) -> None:
    """The country's phase is that of the moment it was stored, so what begins later makes nobody late."""
    found = delivery_status(msgspec.structs.replace(SAID, phase=named), [], HUBS, ())
    due = NOW + dt.timedelta(seconds=deadlines.DEFAULTS["p1", phase].received_s)
    second = dt.timedelta(seconds=1)
    registry = shared_world().registry

    def late(now: dt.datetime) -> set[tuple[str, dt.datetime]]:
        items = ledger.late([found], now, deadlines.DEFAULTS, registry, calendars)
        return {(each.phase, each.due) for each in items}

    assert late(due - second) == set()
    assert late(due + second) == {(phase, due)}


def test_the_stricter_phase_is_by_an_authoritys_own_deadlines() -> None:
    """Received first; of two that are equal there, to be read; nobody reading is the least strict."""
    mine = deadlines.changed({"p1.none": [10], "p1.after": [10, 20], "p1.during": [30, 40]})
    assert deadlines.stricter(mine, "p1", ("during", "none")) == "none"
    assert deadlines.stricter(mine, "p1", ("none", "after")) == "after"
