"""What a person may see (`bus.policy.Clearance`), put into every statement by which pages read the picture.

`ask` is the one way in which a page reads. A statement names for each table of bulletins, counts and events an alias, and says
`LIMITS(alias)` where its limits belong. One that forgets it is refused before it is run, so nothing can be read without limits.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from functools import lru_cache

from bus.hub.rows import SITUATION
from bus.policy import Clearance
from bus.subscribing import as_json
from schemas.vocab import TLP_RANK

LIMITED = frozenset({*SITUATION, "tally", "hourly", "events", "clocks"})
"""Tables with the columns `tlp_rank` and `audience`: what is read of them is limited."""
ANYBODY = ""
"""The audience of what says nothing of any bulletin; it is in everybody's limits."""
NARROWEST = max(TLP_RANK.values()) + 1
"""The rank of what is no marking: above everybody's."""
_CASES = " ".join(f"WHEN '{tlp}' THEN {rank}" for tlp, rank in TLP_RANK.items())
RANK = f"CASE {{}} {_CASES} ELSE {NARROWEST} END"
"""SQL: how narrow the marking in a column is."""
_RANKED, _SAID_TO, _HYPHEN = "\ue001", "\ue002", "\ue003"
"""Begin the words of the index that say a marking and an audience; nobody can look for them, as they are no letters."""
_LIMIT = re.compile(r"LIMITS\((\w+)\)")
_READ = re.compile(r"\b(?:FROM|JOIN)\s+(\w+)(?:\s+(?:AS\s+)?(\w+))?", re.IGNORECASE)
_GUARDED = re.compile(r"\b(?:WHERE|AND)\s+LIMITS\(\w+\)(?!\s*OR\b)", re.IGNORECASE)
"""A place where limits hold: a condition of the whole, not one of several."""
_TABLES = "|".join(sorted(LIMITED))
_ODD = re.compile(
    rf"""--|/\*|;|["`\[]                                  # what hides a name or a condition from these patterns
    |\b(?:main|temp)\s*\.                              # a name with its schema
    |\bNOT\s+LIMITS\b|\bOR\s+LIMITS\b
    |\bLEFT\s+JOIN\s+\w+\s+\w+\s+ON\b[^)]*\bLIMITS\b # a row of the left stays whatever it says
    |(?:,|\bIN)\s*\(?\s*(?:{_TABLES})\b                     # a table that no FROM or JOIN names
    |\b(?:FROM|JOIN)\s*\(\s*(?:{_TABLES})\b
    |'[^']*LIMITS[^']*'
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""Ways of writing that the patterns here do not follow."""
_MET = "({0}.tlp_rank <= :ceiling AND {0}.audience IN (SELECT value FROM json_each(:audiences)))"
_ABOVE = "({0}.tlp_rank > :ceiling AND {0}.audience IN (SELECT value FROM json_each(:audiences)))"


def pairs_of(clearance: Clearance) -> list[tuple[int, str]]:
    """Each rank of a marking that a person may see with each audience."""
    ranks = range(TLP_RANK[clearance.ceiling] + 1)
    return [(rank, audience) for rank in ranks for audience in sorted(clearance.audiences)]


def words_of(rank: int, audience: str) -> str:
    """The words of the index that say how a bulletin is marked and to whom it is said."""
    return f"{_RANKED}{rank} {_SAID_TO}{audience.replace('-', _HYPHEN)}"


def within(clearance: Clearance, match: str) -> str:
    """A question to the words of the index, with the limits of a person as words: what is hidden costs nothing then.

    A statement with it has its limits besides.
    """
    ranks = " OR ".join(f'"{_RANKED}{rank}"' for rank in range(TLP_RANK[clearance.ceiling] + 1))
    audiences = (each.replace("-", _HYPHEN) for each in ("", *sorted(clearance.audiences)))
    said_to = " OR ".join(f'"{_SAID_TO}{each}"' for each in audiences)
    return f"({match}) AND ({ranks}) AND ({said_to})"


WORDS = f"' {_RANKED}' || {{0}}.tlp_rank || ' {_SAID_TO}' || replace({{0}}.audience, '-', '{_HYPHEN}')"
"""SQL: the same as `words_of`, of a row."""


def ask(
    db: sqlite3.Connection, clearance: Clearance, sql: str, arguments: Mapping[str, object] | None = None
) -> sqlite3.Cursor:
    """Ask the store, within the limits of a person.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        sql: a statement with `LIMITS(alias)` for each table of `LIMITED` that it reads.
        arguments: what stands at its names; not `ceiling` and `audiences`.

    Raises:
        ValueError: it reads a table without limits.
    """
    return db.execute(_limited(sql, _MET), {**(arguments or {}), **_limits(clearance)})


def above(db: sqlite3.Connection, clearance: Clearance, sql: str, arguments: Mapping[str, object]) -> int:
    """A number, and nothing else, of what is said to a person's audiences and marked above the ceiling.

    Args:
        db: a hub's store, inside a read.
        clearance: whose limits.
        sql: what comes after `SELECT`: `count(*)` or `sum(...)`, and the tables, with `LIMITS(alias)` as for `ask`.
        arguments: what stands at its names.

    Raises:
        ValueError: it reads a table without limits, or asks for more than a number.
    """
    if not re.match(r"(count|sum)\([\w*.]+\) FROM ", sql) or "GROUP BY" in sql:
        raise ValueError(f"only a number may be told of what is above: {sql}")
    found = db.execute(_limited(f"SELECT {sql}", _ABOVE), {**arguments, **_limits(clearance)}).fetchone()
    return int(found[0] or 0)


def _limits(clearance: Clearance) -> dict[str, object]:
    return {
        "ceiling": TLP_RANK[clearance.ceiling],
        "audiences": as_json([ANYBODY, *sorted(clearance.audiences)]),
    }


@lru_cache(maxsize=256)
def _limited(sql: str, how: str) -> str:
    """The statement with its limits written out."""
    if odd := _ODD.search(sql):
        raise ValueError(f"a statement for pages is not written plainly ({odd[0].strip()}): {sql}")
    if len(_GUARDED.findall(sql)) != len(_LIMIT.findall(sql)):
        raise ValueError(f"LIMITS comes after WHERE or AND and stands with no OR: {sql}")
    limited = set(_LIMIT.findall(sql))
    read = [(table, alias) for table, alias in _READ.findall(sql) if table.lower() in LIMITED]
    if not limited or not read or any(alias not in limited for _, alias in read):
        raise ValueError(f"a statement for pages has no LIMITS for a table that it reads: {sql}")
    aliases = [alias for _, alias in read]
    if len(set(aliases)) < len(aliases):
        raise ValueError(f"two tables of a statement for pages have one alias: {sql}")
    return _LIMIT.sub(lambda found: how.format(found[1]), sql)
