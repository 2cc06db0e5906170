"""What forms on one's own account do: passwords, sessions, wall screens."""

from __future__ import annotations

from bus import desk
from bus.console.asked import place_here
from bus.console.doing import Doing
from bus.console.errors import BadRequestError
from bus.console.page import Done
from bus.console.pages.people_desk import Handed, end_one, tlp_of
from bus.storage import utc

PAGE = "/me"


async def confirm(doing: Doing) -> Done:
    """Take the password again, for what needs one that was just given; then lead back.

    Raises:
        SignInError: as `People.confirm`.
    """
    token = await doing.people.confirm(doing.token, doing.field("password"), doing.now, doing.address)
    return Done(address=place_here(doing.field("next"), PAGE), token=token)


async def password(doing: Doing) -> Done:
    """Change one's own password, with the old one; all other sessions end.

    Raises:
        BadRequestError: the two new ones differ.
        SignInError: as `People.change_password`.
    """
    new = doing.field("password-new")
    if new != doing.field("password-again"):
        raise BadRequestError("the two new passwords differ")
    token = await doing.people.change_password(
        doing.token, doing.field("password"), new, doing.now, doing.address
    )
    return Done(address=PAGE, token=token)


async def end_session(doing: Doing) -> str:
    """End one of one's own sessions; who ends the one that asks is signed out.

    Raises:
        BadRequestError: the form names none.
        DeedError: as the desk.
    """
    await end_one(doing)
    return PAGE


async def end_others(doing: Doing) -> str:
    """End all of one's own sessions but this, walls too.

    Raises:
        DeedError: as the desk.
    """
    await doing.at_desk(lambda db, act: desk.sessions.end_all(db, act, act.who, but_this=True))
    return PAGE


async def open_wall(doing: Doing) -> Done:
    """Open a wall for a screen; the address for it is shown once.

    Raises:
        BadRequestError: no marking.
        DeedError: as the desk.
    """
    ceiling = tlp_of(doing)
    audiences = doing.viewer.clearance.audiences
    key = await doing.at_desk(lambda db, act: desk.sessions.open_wall(db, act, ceiling, audiences, doing.rng))
    until = utc(doing.now.timestamp() + desk.sessions.WALL_KEY_S)
    return Done(once=Handed(address=f"{doing.origin}/wall/begin?key={key}", until=until))
