"""The options by which commands filter bulletins: one for each field of the grammar, and `--filter` for all in one line."""

from __future__ import annotations

import click

from bus import filters
from bus.cli.frame import completing
from bus.cli.frame.commands import gathered
from bus.cli.frame.options import repeatable


def _selection(
    lines: tuple[str, ...] = (), spans: tuple[str, ...] = (), **given: tuple[str, ...]
) -> filters.Selection:
    """The selection that the options describe: lines of the grammar, spans of time, and values by field.

    Raises:
        FilterError: `filter-malformed`.
    """
    asked = filters.of_options({name: values for name, values in given.items() if values})
    if spans:
        asked = asked.joined(filters.of_options({"since": spans}))
    return asked.joined(filters.of_text(" ".join(lines)))


_OPTIONS = (
    repeatable(
        "--filter",
        "lines",
        metavar="WORDS",
        help="all in one line: 'kind:fimi country:XA priority:p2+ \"false date\"'",
    ),
    repeatable(
        "--domain",
        metavar="WORD",
        shell_complete=completing.domains,
        help="of this domain: cyber, data, digital, electoral, foreign, justice, ...",
    ),
    repeatable("--kind", metavar="WORD", shell_complete=completing.kinds, help="of this kind: data-breach"),
    repeatable(
        "--dimension", metavar="WORD", help="disinformation, foreign-interference, ai-misuse, cybercrime, ..."
    ),
    repeatable("--country", metavar="CC", help="by an authority of this country, or about it"),
    repeatable("--area", metavar="CC", help="about this country; EU, INT, or MULTI for several"),
    repeatable(
        "--region", metavar="CODE", help="about this region; a shorter NUTS code includes the longer ones"
    ),
    repeatable("--election", metavar="ID", help="about this election"),
    repeatable("--audience", metavar="NAME", shell_complete=completing.audiences, help="for this audience"),
    repeatable("--priority", metavar="P", help="p1 to p4; p2+ is p2 or more urgent"),
    repeatable("--issuer", metavar="ID", shell_complete=completing.authorities, help="by this authority"),
    repeatable("--incident", metavar="ID", help="of this incident, by its id or the beginning of it"),
    repeatable(
        "--text",
        metavar="WORDS",
        help="these words in this order; flood* matches any ending; if repeated, all must match",
    ),
    repeatable("--observable", metavar="VALUE", help="with this domain, address, hash, ...; defanged or not"),
)
_FIELDS = (
    "lines", "spans", "domain", "kind", "dimension", "country", "area", "region", "election", "audience", "priority", "issuer",
    "incident", "text", "observable",
)  # fmt: skip
filter_options = gathered(
    "selection",
    _selection,
    *_OPTIONS,
    click.option(
        "--since", "spans", multiple=True, metavar="SPAN", help="issued within this time: 30m, 2h, 7d"
    ),
    fields=_FIELDS,
)
"""Declares the filter options; the command receives a `filters.Selection` as `selection`."""
stream_options = gathered("selection", _selection, *_OPTIONS, fields=_FIELDS)
"""The same for a stream, which has its own `--since`."""
