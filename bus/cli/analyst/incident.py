"""`tocsin incident`: which bulletins belong together, what may belong to them and why, and what people decide of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from bus import desk
from bus.cli import frame
from bus.cli.analyst import incident_views as views
from bus.cli.frame import Answer, App, Group, NotFoundError, Table, at, command, completing
from bus.hub import picture
from bus.policy import Clearance
from schemas.vocab import Status, Tlp

if TYPE_CHECKING:
    from bus.desk.decisions import Decision
    from bus.hub.incidents import Group as Incident
    from bus.hub.picture.together import Together
    from schemas.registry import Registry

AT_TERMINAL = "terminal"
"""The decider if no person has signed in: somebody at this context's own terminal."""
DAYS_AT_MOST = 400
LESS = ("issuers",)
LESS_MEMBERS = ("marking", "kind")
_days = click.option(
    "--days", type=click.IntRange(1, 400), default=45, show_default=True, help="how far back"
)
_exercise = click.option("--exercise", is_flag=True, help="of exercises, not of what is real")
_why = click.option("--why", default="", metavar="TEXT", help="the reason, for others")


def _of_two(function: Callable[..., Any]) -> Callable[..., Any]:
    """A decision about an incident and a bulletin: both ids, and the reason."""
    other = click.argument("other", metavar="BULLETIN", shell_complete=completing.bulletins)
    wanted = click.argument("wanted", metavar="ID", shell_complete=completing.bulletins)
    return wanted(other(_why(function)))


@click.group(cls=Group)
def incident() -> None:
    """Bulletins that belong together. Authors join them, and people; suggestions are never joined by themselves."""


@command(incident, "list")
@_days
@_exercise
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
async def list_(app: App, *, days: int, exercise: bool, limit: int) -> Answer:
    """Incidents of the last days, the one with the newest bulletin first, and how many bulletins may belong to each."""
    found, _ = await _found(app, days, exercise)
    shown = [views.shown(found, group) for group in found.groups[:limit]]
    rows = (
        (each.id, each.bulletins, each.suggested, each.headline, ", ".join(each.issuers)) for each in shown
    )
    notes = []
    if len(found.groups) > limit:
        notes.append(f"{len(found.groups) - limit} more; --limit shows them")
    loose = [each for each in found.suggestions if views.is_loose(found, each)]
    if loose:
        notes.append(
            f"{len(loose)} suggestions join bulletins that are in no incident: tocsin incident suggested"
        )
    if not shown:
        notes.append("no bulletins are joined yet")
    return Answer(
        *shown,
        table=Table(("id", "bulletins", "suggested", "first headline", "issuers"), rows, LESS),
        notes=notes,
    )


@command(incident, "suggested")
@_days
@_exercise
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
async def suggested(app: App, *, days: int, exercise: bool, limit: int) -> Answer:
    """List bulletins that may belong together, the surest first, with reasons. Accept one: tocsin incident join ID BULLETIN."""
    found, _ = await _found(app, days, exercise)
    offers = [views.offer(found, each, each.a) for each in found.suggestions[:limit]]
    more = len(found.suggestions) - len(offers)
    notes = [f"{more} more; --limit shows them"] if more > 0 else []
    return views.offered(offers, notes or ([] if offers else ["nothing is suggested"]))


@command(incident, "show")
@click.argument("wanted", metavar="ID", shell_complete=completing.bulletins)
@_days
@_exercise
async def show(app: App, wanted: str, *, days: int, exercise: bool) -> list[Answer]:
    """The bulletins of an incident, by the id of any member: what ties each, what may belong to it, what was decided."""
    found, made = await _found(app, days, exercise)
    group, _ = await _group(app, found, wanted)
    parts = [views.part(found, group, id_) for id_ in group.members]
    rows = (
        (
            at(found.members[each.id].issued),
            each.issuer,
            each.kind,
            each.headline,
            ", ".join(each.tied_by),
            views.marked(each),
            each.id,
        )
        for each in parts
    )
    offers = [
        views.offer(found, each, each.b if each.b in group.members else each.a)
        for each in found.suggested_for(group)
    ]
    decided = [each for each in made if each.incident in group.members or each.bulletin in group.members]
    columns = ("issued", "issuer", "kind", "headline", "tied by", "marking", "id")
    answers = [Answer(*parts, table=Table(columns, rows, LESS_MEMBERS))]
    if offers:
        answers.append(views.offered(offers, []))
    if decided:
        answers.append(views.decided(decided))
    return answers


@command(incident, "join")
@_of_two
async def join(app: App, wanted: str, other: str, *, why: str) -> Answer:
    """BULLETIN belongs to the incident of ID, which may be the id of any member. The decision is kept and can be undone."""
    return await _decide(app, wanted, other, desk.decisions.Verdict.BELONGS, why)


@command(incident, "reject")
@_of_two
async def reject(app: App, wanted: str, other: str, *, why: str) -> Answer:
    """BULLETIN does not belong to the incident of ID; neither it nor its incident is suggested for it again."""
    return await _decide(app, wanted, other, desk.decisions.Verdict.DOES_NOT, why)


@command(incident, "split")
@_of_two
async def split(app: App, wanted: str, other: str, *, why: str) -> Answer:
    """Take BULLETIN out of the incident of ID, also if its author has tied it to it."""
    return await _decide(app, wanted, other, desk.decisions.Verdict.SPLIT, why)


@command(incident, "undo")
@click.argument("number", metavar="NUMBER", type=click.IntRange(min=1))
@_why
async def undo(app: App, number: int, *, why: str) -> Answer:
    """Undo a decision by its number (tocsin incident show ID); what was decided before holds again."""
    act = _act(app)
    async with frame.open_desk(app, make=True) as file:
        await file.write(lambda db: desk.decisions.undo(db, act, number, why))
    return Answer({"undone": number}, notes=[f"decision {number} is undone"])


async def _found(app: App, days: int, exercise: bool) -> tuple[Together, list[Decision]]:
    """The incidents of the window as this context sees them, and the decisions in force."""
    made: list[Decision] = []
    if (app.state_folder() / frame.DESK_FILE).exists():
        async with frame.open_desk(app) as file:
            made = await file.read(desk.decisions.all_holding)
    registry, now = frame.present_registry(app)
    status = Status.EXERCISE if exercise else Status.ACTUAL
    async with frame.open_store(app) as store:
        found = await store.read(
            lambda db: picture.together.together(
                db, _everything(registry.document), now, made, status=status, days=days
            )
        )
    return found, made


def _everything(document: Registry) -> Clearance:
    """Every marking, every audience there is: who holds the store reads all that is in it."""
    return Clearance(Tlp.RED, frozenset({*document.audiences, *document.authorities}))


async def _group(app: App, found: Together, wanted: str) -> tuple[Incident, str]:
    """The incident of a bulletin by its id or the beginning of one, and the id in full.

    Raises:
        NotFoundError: it is not among the bulletins of these days.
    """
    async with frame.open_store(app) as store:
        id_ = (await store.read(lambda db: frame.named_in_store(db, wanted))).id
    group = found.group_of(id_)
    if group is None:
        raise NotFoundError(
            f"{wanted} is not among the bulletins since {at(found.since)}", remedy="look further back: --days"
        )
    return group, id_


def _act(app: App) -> desk.Act:
    """Somebody at the terminal of this context, who holds its store and may decide as an analyst does."""
    registry, now = frame.present_registry(app)
    return desk.Act(
        who=AT_TERMINAL,
        roles=frozenset({desk.Role.ANALYST}),
        clearance=_everything(registry.document),
        at=now.timestamp(),
    )


async def _decide(app: App, wanted: str, other: str, verdict: desk.decisions.Verdict, why: str) -> Answer:
    found, _ = await _found(app, DAYS_AT_MOST, exercise=False)
    group, _ = await _group(app, found, wanted)
    before, id_ = await _group(app, found, other)
    member = found.members[id_]
    if verdict is desk.decisions.Verdict.SPLIT and id_ not in group.members:
        raise NotFoundError(
            f"{other} is not in the incident of {wanted}", remedy="its members: tocsin incident show ID"
        )
    anchor = next((each for each in group.members if each != id_), None)
    if anchor is None:
        raise click.UsageError("a bulletin is not decided about against itself; name another one")
    act = _act(app)
    about = desk.About("bulletin", id_, Tlp(member.tlp), member.audience)
    async with frame.open_desk(app, make=True) as file:
        number = await file.write(lambda db: desk.decisions.decide(db, act, anchor, about, verdict, why))
    words = {"belongs": "belongs to", "does-not": "does not belong to", "split": "is split off"}[verdict]
    return Answer(
        {"decision": number, "incident": anchor, "bulletin": id_, "verdict": verdict, "was_in": before.id},
        notes=[
            f"decision {number}: {id_} {words} the incident of {anchor}",
            f"undo: tocsin incident undo {number}",
        ],
    )
