"""Statements of reasons under the Digital Services Act: the constants of the Transparency Database as slugs, and sums over many statements.

A day of one platform has millions of statements. They are added up by platform, source, ground, category and
decision. Free text (facts, explanations) may name persons and is left out of sums.

Source: DSA Transparency Database, API documentation (attributes and enumerations); Regulation (EU) 2022/2065 articles 17 and 24(5).
"""

import datetime as dt
import functools
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from adapters.translation.reading import FormatError, slug

__all__ = ["OTHER_ATTRIBUTES", "Statement", "Sum", "read_statement", "summed"]

_PREFIXES: Final = {
    "decision_visibility": "DECISION_VISIBILITY_",
    "decision_monetary": "DECISION_MONETARY_",
    "decision_provision": "DECISION_PROVISION_",
    "decision_account": "DECISION_ACCOUNT_",
    "decision_ground": "DECISION_GROUND_",
    "category": "STATEMENT_CATEGORY_",
    "category_specification": "KEYWORD_",
    "content_type": "CONTENT_TYPE_",
    "source_type": "SOURCE_",
    "automated_decision": "AUTOMATED_DECISION_",
}
# Attributes of the interface and the dumps that are not read; losses name no other member.
OTHER_ATTRIBUTES: Final = frozenset(
    {
        "account_type", "category_addition", "content_date", "content_id", "content_id_ean", "content_language",
        "decision_ground_reference_url", "end_date_account_restriction", "end_date_monetary_restriction",
        "end_date_service_restriction", "end_date_visibility_restriction", "id", "incompatible_content_illegal", "permalink",
        "platform_id", "self", "url", "uuid",
    }
)  # fmt: skip
_CONSTANT: Final = re.compile(r"[A-Z0-9]+(?:_[A-Z0-9]+)*")
_COUNTRY: Final = re.compile(r"[A-Z]{2}")
_PUID: Final = re.compile(r"[a-zA-Z0-9-_]{1,500}")
MAX_LIST: Final = 100
# Remembered values are at most this long, in characters; a hostile cell must not fill the memory.
_SHORT: Final = 256
MAX_VISIBILITY: Final = 7
_NAMELESS: Final = "unnamed-platform"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """One statement, with constants as slugs; statements equal in the first ten fields are added up."""

    platform: str
    source: str
    ground: str
    category: str
    visibility: tuple[str, ...]
    monetary: str | None
    provision: str | None
    account: str | None
    detection: bool | None
    decision: str | None
    keywords: tuple[str, ...] = ()
    content_types: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    day: dt.date | None = None
    facts: str | None = None
    puid: str | None = None
    unread_territories: int = 0
    notifier: str | None = None


_AGREEING: Final = Statement.__struct_fields__[:10]
_SINGLE: Final = ("monetary", "provision", "account", "detection", "decision")
_ELECTIONS: Final = "negative-effects-on-civic-discourse-or-elections"


class Sum:
    """A count of statements that agree in all relevant fields.

    Attributes:
        first: The first statement; it holds the fields in which all agree.
        count: The number of statements.
        begin: The earliest day of application, or None.
        end: The latest.
        unread_territories: The number of entries in the territorial scope that are not country codes.
    """

    def __init__(self, first: Statement) -> None:
        self.first = first
        self.count = 0
        self.unread_territories = 0
        self.begin: dt.date | None = None
        self.end: dt.date | None = None
        self.keywords: Counter[str] = Counter()
        self.content_types: Counter[str] = Counter()
        self.territories: Counter[str] = Counter()

    def add(self, statement: Statement) -> None:
        """Counts one statement."""
        self._join(statement, 1, statement.day, statement.day)

    def absorb(self, other: "Sum") -> None:
        """Adds a sum that agrees in platform, source, ground and category; if the decisions differ, none is named."""
        mine, theirs = self.first, other.first
        self.first = msgspec.structs.replace(
            mine,
            visibility=tuple(sorted({*mine.visibility, *theirs.visibility}))[:MAX_VISIBILITY],
            **{name: None for name in _SINGLE if getattr(mine, name) != getattr(theirs, name)},
        )
        self._join(other, other.count, other.begin, other.end)

    def _join(self, other: "Statement | Sum", count: int, begin: dt.date | None, end: dt.date | None) -> None:
        self.count += count
        self.unread_territories += other.unread_territories
        self.begin = min((day for day in (self.begin, begin) if day), default=None)
        self.end = max((day for day in (self.end, end) if day), default=None)
        self.keywords.update(other.keywords)
        self.content_types.update(other.content_types)
        self.territories.update(other.territories)


def read_statement(members: Mapping[str, object], where: str) -> Statement:
    """Reads one statement, from API JSON or from a row of a dump.

    Args:
        members: The attributes by their API name; lists may be lists or the text of a JSON list; empty means absent.
        where: Its place, for the refusal.

    Raises:
        FormatError: ``malformed-statement``, when a required attribute is missing or an attribute is not of its enumeration.
    """
    name = _text(members, "platform_name")
    # The dumps call the platform's own number of a statement `platform_uid`.
    number = _text(members, "puid") or _text(members, "platform_uid")
    scope = _listed(members, "territorial_scope", where)
    territories = tuple(each for each in scope if _COUNTRY.fullmatch(each))
    statement = Statement(
        platform=slug(name) if name and re.search("[A-Za-z0-9]", name) else _NAMELESS,
        source=_required(members, "source_type", where),
        ground=_required(members, "decision_ground", where),
        category=_required(members, "category", where),
        visibility=tuple(sorted(set(_many(members, "decision_visibility", where))))[:MAX_VISIBILITY],
        monetary=_one(members, "decision_monetary", where),
        provision=_one(members, "decision_provision", where),
        account=_one(members, "decision_account", where),
        detection={"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}.get(
            _text(members, "automated_detection").lower()
        ),
        decision=_one(members, "automated_decision", where),
        keywords=_many(members, "category_specification", where),
        content_types=_many(members, "content_type", where),
        territories=territories,
        unread_territories=len(scope) - len(territories),
        day=_day(members, "application_date", where) or _day(members, "created_at", where),
        facts=_text(members, "decision_facts") or None,
        puid=number if _PUID.fullmatch(number) else None,
        notifier=_text(members, "source_identity")[:_SHORT] or None,
    )
    if not (statement.visibility or statement.monetary or statement.provision or statement.account):
        raise FormatError(f"{where}: no decision", reason="malformed-statement")
    return statement


def summed(statements: Iterable[Statement], most: int) -> tuple[list[Sum], int]:
    """Adds statements up.

    Args:
        statements: Any number of them; read once.
        most: How many sums there may be. When decisions differ too much for that, they are merged by platform, source, ground and
            category.

    Returns:
        The sums, those on elections first and then the largest first; and how many statements are in sums beyond `most`.
    """
    fine: dict[tuple[object, ...], Sum] = {}
    for statement in statements:
        key = tuple(getattr(statement, name) for name in _AGREEING)
        if key not in fine:
            fine[key] = Sum(statement)
        fine[key].add(statement)
    sums = list(fine.values())
    if len(sums) > most:
        coarse: dict[tuple[str, ...], Sum] = {}
        for each in sums:
            first = each.first
            held = coarse.setdefault((first.platform, first.source, first.ground, first.category), each)
            if held is not each:
                held.absorb(each)
        sums = list(coarse.values())
    sums.sort(key=lambda each: (each.first.category != _ELECTIONS, -each.count))
    return sums[:most], sum(each.count for each in sums[most:])


def _required(members: Mapping[str, object], name: str, where: str) -> str:
    found = _one(members, name, where)
    if found is None:
        raise FormatError(f"{where}: {name} is missing", reason="malformed-statement")
    return found


def _one(members: Mapping[str, object], name: str, where: str) -> str | None:
    found = members.get(name)
    if found is None or found == "":
        return None
    if not isinstance(found, str):
        raise FormatError(f"{where}: {name} is not text", reason="malformed-statement")
    return _slugged(name, found, where)


def _many(members: Mapping[str, object], name: str, where: str) -> tuple[str, ...]:
    found = members.get(name)
    if isinstance(found, str) and len(found) <= _SHORT and (slugs := _cell(name, found)) is not None:
        return slugs
    return tuple(_slugged(name, each, where) for each in _listed(members, name, where))


def _listed(members: Mapping[str, object], name: str, where: str) -> tuple[str, ...]:
    """Reads a list, the text of a JSON list (in dumps), or a single constant (in the first version of the interface)."""
    found = members.get(name)
    if isinstance(found, str) and found.lstrip().startswith("["):
        try:
            found = msgspec.json.decode(found)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            raise FormatError(f"{where}: {name} is not a list", reason="malformed-statement") from None
    if found is None or found in ("", "null"):
        return ()
    items = found if isinstance(found, list) else [found]
    texts = tuple(each for each in items if isinstance(each, str))
    if len(items) > MAX_LIST or len(texts) < len(items):
        raise FormatError(f"{where}: {name} is not a list of constants", reason="malformed-statement")
    return tuple(each for each in texts if each)


@functools.lru_cache(maxsize=4096)
def _cell(name: str, text: str) -> tuple[str, ...] | None:
    """Reads a cell of a dump; None for a refused cell. Cached, because a day repeats few cells millions of times."""
    try:
        return tuple(_slugged(name, each, "") for each in _listed({name: text}, name, ""))
    except FormatError:
        return None


def _slugged(name: str, constant: str, where: str) -> str:
    """The slug of a constant: its prefix away, lower case, hyphens. Reversible."""
    found = _slug_of(name, constant) if len(constant) <= _SHORT else None
    if found is None:
        raise FormatError(f"{where}: a constant that is not a {name}", reason="malformed-statement")
    return found


@functools.lru_cache(maxsize=4096)
def _slug_of(name: str, constant: str) -> str | None:
    prefix = _PREFIXES[name]
    rest = constant.strip().removeprefix(prefix)
    if not constant.strip().startswith(prefix) or not _CONSTANT.fullmatch(rest) or len(rest) > 64:
        return None
    return rest.lower().replace("_", "-")


def _text(members: Mapping[str, object], name: str) -> str:
    found = members.get(name)
    if isinstance(found, bool):
        return "yes" if found else "no"
    return found.strip() if isinstance(found, str) else ""


def _day(members: Mapping[str, object], name: str, where: str) -> dt.date | None:
    found = _text(members, name)
    if not found:
        return None
    try:
        return dt.date.fromisoformat(found[:10])
    except ValueError:
        raise FormatError(f"{where}: {name} is not a date", reason="malformed-statement") from None
