"""The options by which commands filter bulletins: one for each field of the grammar, and `--filter` for all in one line."""

from __future__ import annotations

import click
import msgspec

from bus import filters
from bus.cli.frame import completing
from bus.cli.frame.commands import gathered
from bus.cli.frame.options import repeatable


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The value of each option, as typed."""

    lines: tuple[str, ...] = ()
    domain: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    dimension: tuple[str, ...] = ()
    country: tuple[str, ...] = ()
    area: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    election: tuple[str, ...] = ()
    audience: tuple[str, ...] = ()
    priority: tuple[str, ...] = ()
    issuer: tuple[str, ...] = ()
    incident: tuple[str, ...] = ()
    text: tuple[str, ...] = ()
    observable: tuple[str, ...] = ()
    spans: tuple[str, ...] = ()

    @property
    def selection(self) -> filters.Selection:
        """The selection that the options describe.

        Raises:
            FilterError: `filter-malformed`.
        """
        given = {name: getattr(self, name) for name in filters.FIELDS if name != "since"}
        asked = filters.of_options({name: values for name, values in given.items() if values})
        if self.spans:
            asked = asked.joined(filters.of_options({"since": self.spans}))
        return asked.joined(filters.of_text(" ".join(self.lines)))


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
filter_options = gathered(
    "asked",
    Asked,
    *_OPTIONS,
    click.option(
        "--since", "spans", multiple=True, metavar="SPAN", help="issued within this time: 30m, 2h, 7d"
    ),
)
"""Declares the filter options; the command receives them as `asked`."""
stream_options = gathered("asked", Asked, *_OPTIONS)
"""The same for a stream, which has its own `--since`."""
