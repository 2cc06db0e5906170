"""Requests for missing bulletins: the peer, the time, and the use of the answer."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Sequence
from contextlib import suppress

import pytest

from bus.admission import verdict
from bus.errors import AdmissionError
from bus.hub.exchange import missing, requests
from bus.hub.exchange.requests import Asked, Lack, due, handed, may_say, request, whom
from bus.hub.picture.projection import Projection
from bus.hub.watch import holdings
from bus.hub.watch.alarms import record_alarms
from bus.hub.watch.liveness import Alarm, Reason
from bus.subscribing import tables
from bus.trust.receipt_grants import COPY, REQUEST
from schemas import rules
from schemas.bodies.system import HeldHead
from schemas.codec import decode, encode
from schemas.envelope import SIG_HEADER, file_form
from schemas.subject import Channel
from schemas.vocab import Tlp
from tests.support.held import hold
from tests.support.world import Message, bulletin, chain, shared_world, sign

WORLD = shared_world()
ME = "xb-hub"
GREEN = Channel.parse("xa-csirt/actual.green.community")
NAME = str(GREEN)
NOW = WORLD.now.timestamp()

WHOM = {
    "nobody holds it: its issuer": (Lack(GREEN, 2, None, ()), None, "xa-csirt"),
    "a peer holds it: the peer": (Lack(GREEN, 2, None, ("xa-hub",)), None, "xa-hub"),
    "the peer was asked: the issuer": (Lack(GREEN, 2, None, ("xa-hub",)), "xa-hub", "xa-csirt"),
    "both were asked: the peer again": (Lack(GREEN, 2, None, ("xa-hub",)), "xa-csirt", "xa-hub"),
    "another one in its place: who holds it alone": (Lack(GREEN, 2, "d", ("xa-hub",)), "xa-hub", "xa-hub"),
    "who was asked is gone: the first": (Lack(GREEN, 2, None, ("xa-hub",)), "xx-gone", "xa-hub"),
    "who cannot be asked is passed over": (Lack(GREEN, 2, None, ("xx-gone", "xb-hub")), None, "xa-csirt"),
    "nobody can be": (Lack(GREEN, 2, "d", ("xx-gone",)), None, None),
}


@pytest.mark.parametrize("name", WHOM)
def test_each_who_may_have_it_is_asked_in_turn(name: str) -> None:
    """Peers that said so before the issuer, who speaks to everybody; nobody that the registry does not let one ask."""
    lack, last, expected = WHOM[name]
    asked = None if last is None else Asked(1, NOW, last)
    assert whom(lack, asked, WORLD.registry, ME) == expected


def test_who_may_ask_and_help_whom_is_in_the_registry() -> None:
    """A hub asks authors and hubs, and is heard by them; an office asks nobody."""
    may = {
        (me, kind, to)
        for me in ("xa-hub", "xb-hub", "xa-csirt")
        for kind in (REQUEST, COPY)
        for to in ("xa-hub", "xb-hub", "xb-csirt")
        if may_say(WORLD.registry, me, kind, to, Tlp.GREEN)
    }
    assert ("xb-hub", REQUEST, "xa-hub") in may
    assert ("xa-hub", COPY, "xb-hub") in may
    assert ("xa-hub", REQUEST, "xb-csirt") in may
    assert not [each for each in may if each[0] == "xa-csirt" or each[0] == each[2]]
    assert WORLD.registry.readers(Channel.parse("xa-hub/system.green.xb-hub")) == ("xb-hub",)


@pytest.mark.parametrize(
    ("times", "passed", "expected"),
    [
        (0, 0, True),
        (1, 29, False),
        (1, 30, True),
        (2, 59, False),
        (2, 60, True),
        (15, 86_399, False),
        (15, 86_400, True),
        (16, 20 * 86_400, False),
        (1, -3600, True),
    ],
)
def test_waits_double_up_to_a_day(times: int, passed: float, expected: bool) -> None:
    """At once, then half a minute later, then twice that, sixteen times; a clock that was set back delays nothing."""
    lack = Lack(GREEN, 2, None, ())
    before = {requests.place(lack): Asked(times, NOW - passed, "xa-csirt")} if times else {}
    assert (due([lack], before, NOW) == [lack]) is expected


def _file(message: Message) -> str:
    return file_form(message.payload, dict(message.headers)[SIG_HEADER]).decode()


def test_what_was_handed_on_is_the_very_message() -> None:
    """The same bytes and signature on its own subject: admission says of it what it says of the one the bus brought."""
    message = chain(WORLD, 1)[0]
    found = handed(_file(message), registry=WORLD.registry, now=WORLD.now)
    assert (found.message.subject, found.message.payload) == (message.subject, message.payload)
    assert isinstance(verdict.decide(found.message, WORLD.registry, WORLD.now), verdict.Judged)


RUBBISH = {
    "no file": "{}",
    "not signed by its issuer": _file(sign(WORLD, bulletin(WORLD), by="xb-csirt")),
    "altered": _file(chain(WORLD, 1)[0]).replace('"payload":"', '"payload":"e'),
    "cut short": _file(chain(WORLD, 1)[0])[:-40],
}


@pytest.mark.parametrize("name", RUBBISH)
def test_rubbish_is_handed_on_to_nobody(name: str) -> None:
    """It has a reason, and nothing in it is read before its signature holds."""
    with pytest.raises(AdmissionError) as caught:
        handed(RUBBISH[name], registry=WORLD.registry, now=WORLD.now)
    assert caught.value.reason


def test_what_its_issuer_said_wrongly_is_handed_on_with_its_place() -> None:
    """A bulletin that breaks a rule, or waits for its time, is still its issuer's word: the reader judges it itself."""
    later = bulletin(WORLD, issued=WORLD.now + dt.timedelta(hours=1))
    found = handed(_file(sign(WORLD, later)), registry=WORLD.registry, now=WORLD.now)
    refused = verdict.decide(found.message, WORLD.registry, WORLD.now)
    assert isinstance(refused, verdict.Refused)
    assert refused.reason == "from-the-future"


def test_requests_and_copies_are_bulletins_as_any() -> None:
    """They are stamped, keep every rule, and come back as they were said."""
    for say in (
        request("xa-csirt", Tlp.CLEAR, [Lack(GREEN, 2, None, ()), Lack(GREEN, 3, "A" * 43, ())]),
        requests.copy("xa-hub", GREEN, 1, _file(chain(WORLD, 1)[0]).encode()),
    ):
        made = bulletin(WORLD, "xb-hub", say=say)
        rules.check(made)
        assert decode(encode(made)) == made
        assert made.tlp is Tlp.GREEN
        WORLD.registry.permit(made)


# -- what is missing ------------------------------------------------------------------------------------------------------


class Store:
    """A store's tables, filled by hand."""

    def __init__(self) -> None:
        self.db = sqlite3.connect(":memory:")
        self.db.row_factory = sqlite3.Row
        self.db.executescript(tables.SCHEMA + "".join(each.schema for each in Projection().layouts))

    def links(self, *numbers: int, digest: str = "") -> None:
        """It holds these numbers; the digest of each is its number, or that."""
        for n in numbers:
            hold(self.db, NAME, n, digest or str(n))

    def alarm(self, reason: Reason, began: float = NOW) -> None:
        """An alarm stands since then."""
        record_alarms(self.db, [Alarm(channel=NAME, reason=reason, detail="")], [], began)

    def says(self, holder: str, seq: int, digest: str, row: int = 1, channel: str = NAME) -> None:
        """Another hub says what it holds."""
        with suppress(sqlite3.IntegrityError):
            hold(self.db, f"said in {row}", 1, f"{row}", row=row, admitted_at=NOW)
        held = (HeldHead(channel=channel, seq=seq, digest=digest),)
        holdings.note(self.db, holder, held, "green.community", row, NOW)

    def lacks(self, until: float = NOW) -> Sequence[Lack]:
        """What it finds missing."""
        return missing.lacks(self.db, WORLD.registry, ME, until)


def test_holes_are_asked_for_of_who_holds_as_much() -> None:
    """Every number between received ones is requested; a hub that claims less is not asked."""
    store = Store()
    store.links(1, 3, 6)
    store.alarm(Reason.GAP)
    store.says("xa-hub", 4, "4")
    assert store.lacks() == [
        Lack(GREEN, 2, None, ("xa-hub",)),
        Lack(GREEN, 4, None, ("xa-hub",)),
        Lack(GREEN, 5, None, ()),
    ]
    assert store.lacks(until=NOW - 1) == []


def test_a_tail_is_asked_for_from_its_end() -> None:
    """What another hub holds beyond, the newest first, and no more than fits one request."""
    store = Store()
    store.links(1, 2)
    store.alarm(Reason.TAIL)
    store.says("xa-hub", 5, "5")
    assert [lack.seq for lack in store.lacks()] == [5, 4, 3]
    store.says("xa-hub", 5000, "5000", row=2)
    assert [lack.seq for lack in store.lacks()] == list(range(5000, 4800, -1))


def test_another_bulletin_is_asked_for_by_its_digest() -> None:
    """Until it came, as a fork or refused otherwise; then there is nothing more to ask."""
    store = Store()
    store.links(1, 2)
    store.alarm(Reason.SPLIT)
    store.says("xa-hub", 2, "another")
    assert store.lacks() == [Lack(GREEN, 2, "another", ("xa-hub",))]
    store.db.execute(
        "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, kids, variant, size) "
        "VALUES (0, 'fork', '', '', '[]', x'', 'another', ?, 2, '', '', 0)",
        (NAME,),
    )
    assert store.lacks() == []


def test_a_successor_of_another_bulletin_shows_that_there_is_one() -> None:
    """`broken-chain` names its predecessor: the issuer has signed it, and it or a peer is asked for that very one."""
    store = Store()
    store.links(1, 2)
    store.alarm(Reason.SPLIT)
    store.db.execute(
        "INSERT INTO quarantine (at, reason, detail, subject, headers, payload, digest, channel, seq, prev, kids, variant, size) "
        "VALUES (0, 'broken-chain', '', '', '[]', x'', 'third', ?, 3, 'another', '', '', 0)",
        (NAME,),
    )
    assert store.lacks() == [Lack(GREEN, 2, "another", ("xa-csirt",))]


IRRELEVANT = {
    "it agrees": ("xa-hub", 2, "2", NAME),
    "a hole is counted as one": ("xa-hub", 1, "one", "xa-emb/actual.green.community"),
    "it may not read that channel": ("xb-emb", 2, "another", NAME),
    "we may not read it": ("xa-hub", 2, "another", "xa-dpa/actual.amber-strict.eu-dpas"),
    "another marking than its heartbeat's": ("xa-hub", 2, "another", "xa-csirt/actual.clear.public"),
    "no channel": ("xa-hub", 2, "another", "rubbish/green.community"),
}


@pytest.mark.parametrize("name", IRRELEVANT)
def test_what_says_nothing_about_this_reader_is_no_difference(name: str) -> None:
    """A hub may name anything; only bulletins that both may read and one lacks count."""
    holder, seq, digest, channel = IRRELEVANT[name]
    store = Store()
    store.links(1, 2)
    hold(store.db, "xa-emb/actual.green.community", 2, "x")
    store.says(holder, seq, digest, channel=channel)
    assert list(holdings.differences(store.db, WORLD.registry, ME)) == []


def claims(store: Store, what: str = "seq") -> list[object]:
    """What is kept of what hubs say."""
    return [row[0] for row in store.db.execute(f"SELECT {what} FROM holdings ORDER BY channel, holder")]


def test_of_each_hub_the_last_word_on_a_channel_is_kept() -> None:
    """A hub that speaks for years fills no table; two histories that part do not meet again, so the last one shows it."""
    store = Store()
    store.links(1, 2, 3)
    for seq, digest in ((1, "1"), (2, "another"), (3, "3")):
        store.says("xa-hub", seq, digest, row=seq)
    store.says("xb-csirt", 9, "9", row=4)
    assert claims(store) == [3, 9]


def test_who_claims_too_much_forgets_its_own_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the oldest claims of that very hub go; those of others stay."""
    monkeypatch.setattr(holdings, "MAX_CLAIMS", 5)
    store = Store()
    store.says("xb-csirt", 1, "1")
    for n in range(20):
        store.says("xa-hub", 1, "x", row=n + 2, channel=f"xa-o{n:02}/actual.green.community")
    assert claims(store, "channel") == [
        NAME,
        *(f"xa-o{n}/actual.green.community" for n in range(15, 20)),
    ]


def test_a_claim_on_one_hubs_word_lapses_and_counts_no_more() -> None:
    """Three days after it was made, not before; what that hub says next of the channel counts only if it is so."""
    store = Store()
    store.links(1, 2)
    store.says("xa-hub", 2, "another")
    assert holdings.let_lapse(store.db, NOW + holdings.CLAIM_S - 1) == {}
    assert len(list(holdings.differences(store.db, WORLD.registry, ME))) == 1
    assert holdings.let_lapse(store.db, NOW + holdings.CLAIM_S + 1) == {"xa-hub": 1}
    store.says("xa-hub", 1, "a third", row=2)
    store.says("xa-hub", 9, "9", row=3)
    assert list(holdings.differences(store.db, WORLD.registry, ME)) == []
    assert holdings.holders(holdings.reach(store.db, NAME), 2) == ()
    store.says("xa-hub", 2, "2", row=4)
    assert holdings.holders(holdings.reach(store.db, NAME), 2) == ("xa-hub",)


@pytest.mark.parametrize("more", ["another hub", "its issuer", "it was shown"])
def test_a_claim_that_is_not_one_hubs_word_stays(more: str) -> None:
    """Two hubs, or the issuer itself, say that there is more; or it has come."""
    store = Store()
    store.links(1, 2)
    store.says("xa-hub", 4, "4")
    if more == "another hub":
        store.says("xb-csirt", 5, "5")
    elif more == "its issuer":
        store.db.execute("INSERT INTO announced_heads VALUES (?, 5, '5', 1)", (NAME,))
    else:
        store.links(4)
    assert holdings.let_lapse(store.db, NOW + holdings.CLAIM_S + 1).get("xa-hub") is None
    assert claims(store, "lapsed") == [None] * len(claims(store))


def test_a_claim_is_as_old_as_the_first_that_was_not_met() -> None:
    """Each heartbeat of a hub that holds more names a newer head; what is overdue counts from the first."""
    store = Store()
    store.links(1)
    store.says("xa-hub", 3, "3")
    held = (HeldHead(channel=NAME, seq=4, digest="4"),)
    holdings.note(store.db, "xa-hub", held, "green.community", 2, NOW + 50)
    assert [each.since for each in holdings.differences(store.db, WORLD.registry, ME)] == [NOW]


def test_a_channel_that_nobody_may_speak_on_is_missed_by_nobody() -> None:
    """Its issuer is not in the registry, or has no grant for it."""
    store = Store()
    for n, channel in enumerate(("xz-nobody/actual.green.community", "xb-hub/actual.amber-strict.eu-dpas")):
        store.says("xa-hub", 9, "9", row=n + 1, channel=channel)
    assert list(holdings.differences(store.db, WORLD.registry, ME)) == []


def test_what_has_come_is_not_asked_for_any_more() -> None:
    """By its place, or by the digest that was asked for; the rest stays."""
    store = Store()
    store.links(1)
    lacks = [Lack(GREEN, 1, None, ()), Lack(GREEN, 1, "another", ()), Lack(GREEN, 2, None, ())]
    missing.note_asked(store.db, lacks, "xa-csirt", NOW)
    missing.note_asked(store.db, lacks[2:], "xa-hub", NOW + 1)
    missing.forget_asked(store.db)
    assert missing.asked(store.db) == {
        (NAME, 1, "another"): Asked(1, NOW, "xa-csirt"),
        (NAME, 2, None): Asked(2, NOW + 1, "xa-hub"),
    }
    assert missing.was_asked(store.db, NAME, 2, "any")
    assert not missing.was_asked(store.db, NAME, 1, "any")


def test_a_reader_is_handed_the_same_copy_once_in_a_while() -> None:
    """Another reader gets its own; after the rest it is due again."""
    store = Store()
    given = []
    for reader, after in (("xa-hub", 0), ("xa-hub", 599), ("xb-hub", 599), ("xa-hub", 600)):
        given.append(missing.is_rested(store.db, "d", reader, NOW + after))
        if given[-1]:
            missing.note_handed_on(store.db, "d", reader, NOW + after)
    assert given == [True, False, True, True]


# -- how much -----------------------------------------------------------------------------------------------------------


def test_one_place_of_each_channel_comes_before_the_second_of_any() -> None:
    """Who leaves two hundred holes in its own channel keeps nobody from asking for another's one."""
    store = Store()
    other = "xb-csirt/actual.green.community"
    for channel, numbers in ((NAME, (1, 500)), (other, (1, 3))):
        for n in numbers:
            hold(store.db, channel, n, f"{channel}{n}")
        record_alarms(store.db, [Alarm(channel=channel, reason=Reason.GAP, detail="")], [], NOW)
    lacks = store.lacks()
    assert [str(lack.channel) for lack in lacks[:2]] == [NAME, other]
    assert len(lacks) == 201


def test_many_channels_with_holes_are_looked_at_a_little_each() -> None:
    """What one look at all that is missing costs does not grow with what is missing."""
    store = Store()
    for n in range(100):
        channel = f"xa-o{n:02}/actual.green.community"
        for seq in (1, 500):
            hold(store.db, channel, seq, f"{n}/{seq}")
        record_alarms(store.db, [Alarm(channel=channel, reason=Reason.GAP, detail="")], [], NOW)
    assert len(store.lacks()) == missing.MAX_LACKS


def asked_in(store: Store, days: int, *peers: str) -> int:
    """How many places peers are asked for who answer all, when two hundred of each are due every hour for so many days."""
    turns = [(hour, peer) for hour in range(days * 24) for peer in peers]
    return sum(200 for hour, peer in turns if missing.may_ask(store.db, peer, 200, NOW + hour * 3600))


def test_a_peer_is_asked_for_so_much_a_day() -> None:
    """This holds for any loss; another peer is still asked, and all together have their own allowance."""
    store = Store()
    assert 0 < asked_in(store, 10, "xa-hub") <= missing.ASK_ONE.burst + 10 * missing.ASK_ONE.per_day
    everybody = Store()
    total = asked_in(everybody, 1, *(f"xa-o{n}" for n in range(20)))
    assert missing.ASK_ONE.burst < total <= missing.ASK_ALL.burst + missing.ASK_ALL.per_day


def test_who_answers_nothing_is_asked_every_six_hours() -> None:
    """A hundred places, and nothing of it has come; when something has, it is asked again."""
    store = Store()
    lacks = [Lack(GREEN, n, None, ()) for n in range(1, 1 + missing.UNANSWERED)]
    missing.note_asked(store.db, lacks, "xa-hub", NOW)
    assert not missing.may_ask(store.db, "xa-hub", 1, NOW + missing.BACKOFF_S - 1)
    assert missing.may_ask(store.db, "xa-csirt", 1, NOW + 1)
    assert missing.may_ask(store.db, "xa-hub", 1, NOW + missing.BACKOFF_S)
    store.links(1)
    missing.forget_asked(store.db)
    assert missing.may_ask(store.db, "xa-hub", 1, NOW + 1)


def test_what_was_asked_for_is_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last places, for thirty days."""
    monkeypatch.setattr(missing, "MAX_REQUESTED", 3)
    store = Store()
    for n in range(1, 9):
        missing.note_asked(store.db, [Lack(GREEN, n, None, ())], "xa-hub", NOW + n)
    assert [seq for _, seq, _ in sorted(missing.asked(store.db))] == [6, 7, 8]
    missing.note_asked(store.db, [Lack(GREEN, 9, None, ())], "xa-hub", NOW + missing.FORGET_S + 9)
    assert [seq for _, seq, _ in missing.asked(store.db)] == [9]


def test_copies_leave_room_for_heartbeats() -> None:
    """Each reader has its bytes, and all together in a week less than half of a hub's room with 27 countries."""
    store = Store()

    def week(*readers: str) -> int:
        return sum(
            20_000
            for hour in range(7 * 24)
            for reader in readers
            if missing.may_hand_on(store.db, reader, 20_000, NOW + hour * 3600)
        )

    one = week("xb-hub")
    assert 20_000 < one <= missing.COPIES_ONE.burst + 7 * missing.COPIES_ONE.per_day
    store = Store()
    assert one < week(*(f"xa-o{n}" for n in range(27))) <= 1_000_000


def test_the_largest_copy_is_handed_on_at_last() -> None:
    """A reader's allowance holds it; one that is larger than the allowance passes when nothing was spent."""
    assert missing.COPIES_ONE.burst > 250_000 + 2048
    store = Store()
    assert missing.may_hand_on(store.db, "xb-hub", 10 * missing.COPIES_ONE.burst, NOW)
    assert not missing.may_hand_on(store.db, "xb-hub", 1, NOW)


def test_copies_that_rest_no_more_are_forgotten() -> None:
    """The table holds what was handed on lately."""
    store = Store()
    missing.note_handed_on(store.db, "a", "xb-hub", NOW)
    missing.note_handed_on(store.db, "b", "xb-hub", NOW + 11 * missing.REST_S)
    assert [row[0] for row in store.db.execute("SELECT digest FROM copies_sent")] == ["b"]
