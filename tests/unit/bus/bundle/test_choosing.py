"""A filter takes a bulletin into a bundle with its cancel: no reader gets one without the other."""

from __future__ import annotations

from bus.bundle.transfer import OF_STORE, choose
from bus.filters import of_text
from schemas.subject import Interest
from schemas.vocab import MsgType
from tests.support.hubs import judged
from tests.support.world import NOW
from tests.unit.bus.hub.picture.test_situation import Channel, admitted


def test_what_withdraws_a_wanted_bulletin_goes_along() -> None:
    """An update and a cancel of it are taken too, with any text; the others are not."""
    channel = Channel()
    wanted = channel.say("false date of the vote")
    channel.say("something else")
    update = channel.revise(MsgType.UPDATE, wanted)
    channel.revise(MsgType.CANCEL, update)
    with admitted([judged(each) for each in channel.made]) as (db, _):
        selection = of_text('"false date"')
        chosen = choose(db, OF_STORE, Interest(), (), None, lambda b: selection.matches(b, NOW))
        assert [each[1] for each in chosen] == [1, 3, 4]
        assert len(choose(db, OF_STORE, Interest(), (), None)) == 4
