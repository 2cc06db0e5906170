"""Every page of the console, in the order of the navigation."""

from __future__ import annotations

import msgspec

from bus.console.forms import link_of
from bus.console.page import Deed, Page
from bus.console.pages import (
    approvals,
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
    picture,
    publish,
    publish_desk,
    quarantine,
    snoozing,
    system,
    views,
    wall,
)

_PAGES = (
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
        path="/publish",
        twin="/publish.json",
        template="publish.html",
        look=publish.look,
        of_desk=publish.of_list,
        of_hub=publish.of_hub,
        heard=publish.heard,
    ),
    Page(
        path="/publish/{n}",
        twin="/publish/{n}.json",
        template="writing.html",
        look=publish.look_at_one,
        of_desk=publish.of_one,
        of_hub=publish.of_hub,
        heard=publish.heard,
    ),
    Page(
        path="/approvals",
        twin="/approvals.json",
        template="approvals.html",
        look=approvals.look,
        of_desk=approvals.of_list,
    ),
    Page(
        path="/approvals/{n}",
        twin="/approvals/{n}.json",
        template="approval.html",
        look=approvals.look_at_one,
        of_desk=approvals.of_one,
        of_hub=approvals.of_hub,
        heard=approvals.heard,
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
    Page(path="/system", twin="/system.json", template="system.html", look=system.look),
    Page(path="/wall", twin="/wall.json", template="wall.html", look=wall.look),
)

PAGES = tuple(msgspec.structs.replace(page, forms=outward.FORMS.get(page.path, ())) for page in _PAGES)
"""Every page, each list with its other forms."""
LISTS = {link_of(form, page): (page, form) for page in PAGES for form in page.forms}
"""Every list in every other form, by its path."""

DEEDS = (
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
    Deed(path="/publish/check", work=publish_desk.check, template="writing.html", at="/publish"),
    Deed(path="/publish/check.json", work=publish_desk.check_while_typing, is_often=True),
    Deed(path="/publish/save", work=publish_desk.save, template="writing.html", at="/publish"),
    Deed(path="/publish/{n}/ask", work=publish_desk.ask),
    Deed(path="/publish/{n}/withdraw", work=publish_desk.withdraw),
    Deed(path="/publish/{n}/publish", work=publish_desk.publish),
    Deed(path="/publish/{n}/give-up", work=publish_desk.give_up),
    Deed(path="/approvals/{n}/approve", work=approvals.approve),
    Deed(path="/approvals/{n}/decline", work=approvals.decline),
    Deed(path="/i/{id}/decide", work=incident_desk.decide),
    Deed(path="/i/{id}/undo", work=incident_desk.undo),
    Deed(path="/i/{id}/summary", work=incident_desk.summary),
    Deed(path="/i/{id}/journal", work=incident_desk.entry),
)
