"""The records of people at a hub's desk: accounts, sessions, notes, decisions, drafts and approvals, and the audit trail.

All of it is in a file of its own that no rebuild of the picture touches. The console and commands share it.
"""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.desk import (
        approvals,
        decisions,
        drafts,
        duty,
        feeds,
        forms,
        four_eyes,
        handed_on,
        links,
        own,
        passkeys,
        people,
        sessions,
        signing_in,
        snoozes,
        standing,
        trail,
        words,
    )
    from bus.desk.attempts import household
    from bus.desk.people import Person
    from bus.desk.refusals import DeskError, shown
    from bus.desk.roles import (
        MAY,
        OF_WALLS,
        About,
        Act,
        Action,
        Role,
        at_command_line,
        may,
        refusal,
        roles_may,
        tlp_rank,
    )
    from bus.desk.signing_in import SignedIn
    from bus.desk.store import Desk, Kept
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "MAY",
    "OF_WALLS",
    "About",
    "Act",
    "Action",
    "Desk",
    "DeskError",
    "Kept",
    "Person",
    "Role",
    "SignedIn",
    "approvals",
    "at_command_line",
    "decisions",
    "drafts",
    "duty",
    "feeds",
    "forms",
    "four_eyes",
    "handed_on",
    "household",
    "links",
    "may",
    "own",
    "passkeys",
    "people",
    "refusal",
    "roles_may",
    "sessions",
    "shown",
    "signing_in",
    "snoozes",
    "standing",
    "tlp_rank",
    "trail",
    "words",
]
