"""Every page of the console, in the order of the navigation."""

from __future__ import annotations

import msgspec

from bus.console.forms import link_of
from bus.console.page import Deed, Page
from bus.console.pages import (
    account,
    account_desk,
    bulletin,
    bulletin_desk,
    bulletins,
    channels,
    clocks,
    drills,
    elections,
    feeds,
    handover,
    incident_desk,
    incidents,
    noting,
    outward,
    people,
    people_desk,
    picture,
    quarantine,
    snoozing,
    system,
    trail,
    views,
    wall,
)
from bus.desk import Action

_PAGES: tuple[Page, ...] = (
    Page(
        path="/",
        twin="/picture.json",
        template="picture.html",
        look=picture.look,
        beside=picture.beside,
    ),
    Page(
        path="/b",
        twin="/b.json",
        template="bulletins.html",
        look=bulletins.look,
        looked=bulletins.searched,
        beside=views.told,
    ),
    Page(
        path="/b/{id}",
        twin="/b/{id}.json",
        template="bulletin.html",
        look=bulletin.look,
        looked=bulletin.viewed,
        has_incidents=True,
        beside=bulletin.beside,
    ),
    Page(
        path="/b/{id}/signed",
        twin="/b/{id}/signed.json",
        template="",
        look=bulletin.signed,
        looked=bulletin.downloaded,
    ),
    Page(path="/i", twin="/i.json", template="incidents.html", look=incidents.look, has_incidents=True),
    Page(
        path="/i/{id}",
        twin="/i/{id}.json",
        template="incident.html",
        look=incidents.look_at_one,
        has_incidents=True,
        desk=incident_desk.told_of,
    ),
    Page(
        path="/channels",
        twin="/channels.json",
        template="channels.html",
        look=channels.look,
        beside=channels.beside,
    ),
    Page(path="/clocks", twin="/clocks.json", template="clocks.html", look=clocks.look),
    Page(path="/e", twin="/e.json", template="elections.html", look=elections.look),
    Page(path="/e/{id}", twin="/e/{id}.json", template="election.html", look=elections.look_at_one),
    Page(path="/drills", twin="/drills.json", template="drills.html", look=drills.look),
    Page(path="/drills/{id}", twin="/drills/{id}.json", template="drill.html", look=drills.look_at_one),
    Page(
        path="/handover",
        twin="/handover.json",
        template="handover.html",
        look=handover.look,
        beside=handover.beside,
    ),
    Page(path="/quarantine", twin="/quarantine.json", template="quarantine.html", look=quarantine.look),
    Page(
        path=feeds.PAGE, twin=f"{feeds.PAGE}.json", template="feeds.html", look=feeds.look, beside=feeds.told
    ),
    Page(
        path="/system",
        twin="/system.json",
        template="system.html",
        look=system.look,
        action=Action.SEE_SYSTEM,
    ),
    Page(path="/wall", twin="/wall.json", template="wall.html", look=wall.look, action=Action.SEE_WALL),
    Page(
        path="/people",
        twin="/people.json",
        template="people.html",
        look=people.look,
        action=Action.SEE_PEOPLE,
        beside=people.beside,
    ),
    Page(
        path="/people/{id}",
        twin="/people/{id}.json",
        template="person.html",
        look=people.look_at_one,
        action=Action.SEE_PEOPLE,
        beside=people.beside_one,
    ),
    Page(
        path="/audit",
        twin="/audit.json",
        template="trail.html",
        look=trail.look,
        action=Action.READ_AUDIT,
        beside=trail.beside,
    ),
    Page(
        path="/me",
        twin="/me.json",
        template="account.html",
        look=account.look,
        action=Action.OWN_ACCOUNT,
        beside=account.beside,
    ),
    Page(
        path="/fresh",
        twin="/fresh.json",
        template="fresh.html",
        look=account.look_fresh,
        action=Action.OWN_ACCOUNT,
    ),
)

PAGES: tuple[Page, ...] = tuple(
    msgspec.structs.replace(page, forms=outward.FORMS.get(page.path, ())) for page in _PAGES
)
"""Every page, each list with its other forms."""
LISTS = {link_of(form, page): (page, form) for page in PAGES for form in page.forms}
"""Every list in every other form, by its path."""

DEEDS: tuple[Deed, ...] = (
    Deed(path="/handover", work=handover.give),
    Deed(path="/handover/{n}/take", work=handover.take),
    Deed(path="/views/save", work=views.save),
    Deed(path="/views/drop", work=views.drop),
    Deed(path=f"{feeds.PAGE}/make", work=feeds.make),
    Deed(path=f"{feeds.PAGE}/end", work=feeds.end),
    Deed(path="/seen", work=picture.mark_seen),
    Deed(path="/b/{id}/snooze", work=snoozing.snooze_bulletin),
    Deed(path="/b/{id}/note", work=noting.note),
    Deed(path="/channels/call", work=noting.call),
    Deed(path="/channels/snooze", work=snoozing.snooze_alarm),
    Deed(path="/snoozes/{n}/end", work=snoozing.end_snooze),
    Deed(path="/b/{id}/acknowledge", work=bulletin_desk.acknowledge),
    Deed(path="/b/{id}/answer", work=bulletin_desk.answer),
    Deed(path="/i/{id}/decide", work=incident_desk.decide),
    Deed(path="/i/{id}/undo", work=incident_desk.undo),
    Deed(path="/i/{id}/summary", work=incident_desk.summary),
    Deed(path="/i/{id}/journal", work=incident_desk.entry),
    Deed(path="/people/add", work=people_desk.add, on="/people"),
    Deed(path="/people/{id}/change", work=people_desk.change, on="/people/{id}"),
    Deed(path="/people/{id}/disable", work=people_desk.disable, on="/people/{id}"),
    Deed(path="/people/{id}/enable", work=people_desk.enable, on="/people/{id}"),
    Deed(path="/people/{id}/token", work=people_desk.token, on="/people/{id}"),
    Deed(path="/people/{id}/let-in", work=people_desk.let_in, on="/people/{id}"),
    Deed(path="/people/{id}/end-session", work=people_desk.end_session, on="/people/{id}"),
    Deed(path="/people/{id}/end-sessions", work=people_desk.end_sessions, on="/people/{id}"),
    Deed(path="/me/password", work=account_desk.password, on="/me"),
    Deed(path="/me/end-session", work=account_desk.end_session, on="/me"),
    Deed(path="/me/end-sessions", work=account_desk.end_others, on="/me"),
    Deed(path="/me/wall", work=account_desk.open_wall, on="/me"),
    Deed(path="/fresh", work=account_desk.confirm, on="/fresh"),
)
