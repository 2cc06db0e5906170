"""Bulletins of a list by incident: as the console knows it, and by what authors name where it does not reach. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import quote

import msgspec

from bus.console.asked import Asked
from bus.console.incidents import Joined
from bus.console.pages.incidents import joined_of
from bus.console.rows import Row
from bus.hub import incidents


class Group(msgspec.Struct, frozen=True, kw_only=True):
    """Bulletins of one incident.

    Attributes:
        incident: its id: that of its first bulletin, or the one that authors name; None for those of none.
        title: the headline of its first bulletin, or of the first one here.
        address: the page of the incident, or the list of those that name it; empty for those of none.
        bulletins: how many the incident has, as far as that is known.
        rows: those that are listed here.
    """

    incident: str | None
    title: str
    address: str = ""
    bulletins: int = 0
    rows: tuple[Row, ...]


class Grouping:
    """The bulletins of a list, and the incidents that are kept for who asks.

    Attributes:
        rows: the bulletins, each with its incident.
        markings: of all bulletins of these incidents, so far as the list was made from them.
    """

    def __init__(self, asked: Asked, found: Sequence[Row]) -> None:
        """Find the incident of each.

        A bulletin that was not looked at, as it is newer or older, belongs where its author says. An incident with a bulletin above
        what is asked for is left out, so that nothing here depends on that.
        """
        self._asked, self._joined = asked, joined_of(asked)
        self._of: dict[int, incidents.Group] = {}
        self.markings = frozenset[str]()
        if self._joined is not None:
            self._of = _within(asked, self._joined, _of_each(self._joined, found))
            groups = {group.id: group for group in self._of.values()}.values()
            self.markings = frozenset(tlp for group in groups for tlp in _tlps(self._joined, group))
        self.rows = tuple(
            msgspec.structs.replace(row, joined=self._of[row.row].id) if row.row in self._of else row
            for row in found
        )

    def groups(self) -> Iterator[Group]:
        """Those of one incident together, where the first of them stands; then those of none.

        One that only its author says to be of an incident is of none here, unless another one says the same.
        """
        named = Counter(self._named(row) for row in self.rows if row.joined is None)
        mine: dict[str, list[Row]] = {}
        alone: list[Row] = []
        for row in self.rows:
            name = self._named(row)
            if row.joined is not None:
                mine.setdefault(f"/i/{quote(row.joined, safe='')}", []).append(row)
            elif name and named[name] > 1:
                mine.setdefault(self._asked.address("/b", q=f"incident:{name}"), []).append(row)
            else:
                alone.append(row)
        for address, some in mine.items():
            yield self._group(address, some)
        if alone:
            yield Group(incident=None, title=self._asked.say("By themselves"), rows=tuple(alone))

    def _group(self, address: str, some: Sequence[Row]) -> Group:
        group, ids = self._of.get(some[0].row), [row.id for row in some]
        if group is None or self._joined is None:
            id_, title = some[0].incident, some[0].headline
        else:
            id_, title, ids = group.id, self._joined.found.members[group.id].headline, [*ids, *group.members]
        return Group(incident=id_, title=title, address=address, bulletins=len(set(ids)), rows=tuple(some))

    def _named(self, row: Row) -> str:
        """The incident that its author names; empty where it names none, or a person keeps the bulletin apart from one."""
        is_apart = (
            self._joined is not None and row.id in self._joined.apart and _is_reached(self._joined, row)
        )
        return "" if is_apart else row.incident or ""


def _of_each(joined: Joined, found: Iterable[Row]) -> dict[int, incidents.Group]:
    """The incident of each bulletin that is in one, by its row."""
    known: dict[int, incidents.Group] = {}
    by_author: dict[str, incidents.Group] = {}
    others: list[Row] = []
    for row in found:
        if not _is_reached(joined, row):
            others.append(row)
        elif (group := joined.group.get(row.id)) is not None:
            known[row.row] = group
            by_author.setdefault(row.incident or "", group)
    for row in others:
        # As `joining.said` will: authors may name the bulletin with which an incident began.
        if row.incident and (group := joined.group.get(row.incident) or by_author.get(row.incident)):
            known[row.row] = group
    return known


def _within(asked: Asked, joined: Joined, known: dict[int, incidents.Group]) -> dict[int, incidents.Group]:
    """Without the incidents of which a bulletin is above what is asked for."""
    if asked.upto is None:
        return known
    groups = {group.id: group for group in known.values()}
    whole = {id_ for id_, group in groups.items() if all(map(asked.clearance.reaches, _tlps(joined, group)))}
    return {row: group for row, group in known.items() if group.id in whole}


def _is_reached(joined: Joined, row: Row) -> bool:
    """Whether it was looked at for incidents; another bulletin may have its id."""
    member = joined.found.members.get(row.id)
    return member is not None and member.row == row.row


def _tlps(joined: Joined, group: incidents.Group) -> Iterator[str]:
    return (joined.found.members[id_].tlp for id_ in group.members)
