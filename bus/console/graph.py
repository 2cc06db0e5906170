"""The graph of an incident as SVG: time across, a lane for each domain, each bulletin a link. Pure."""

from __future__ import annotations

import datetime as dt
import textwrap
from collections.abc import Sequence

import msgspec
from markupsafe import Markup

from bus.console.drawing import mark, markup_of, said_of, text_of
from bus.languages import Language

_LEFT, _TOP, _LANE, _BOX_W, _BOX_H, _STEP, _LEAST = 124, 30, 94, 186, 58, 206, 1144
_LINE, _TAG = 26, 28
NAME = 17
"""So many letters of the name of an authority stand in a box; the whole name is in its label and in the table."""
_TOGETHER = dt.timedelta(minutes=30)
_WIDEST = 320
"""Between the left edges of two boxes: what is short fills the width, without being torn apart."""


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A bulletin: `who` is the name of its issuer, `maybe` one that is suggested; `day` and `when` stand above the column it begins."""

    id: str
    lane: str
    priority: int
    issuer: str
    who: str
    at: dt.datetime
    when: str
    day: str
    headline: str
    maybe: bool = False


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """What ties two bulletins: `maybe` is a suggestion, `why` stands on the line."""

    a: str
    b: str
    maybe: bool = False
    why: str = ""


def graph(
    say: Language, nodes: Sequence[Node], edges: Sequence[Edge], lanes: Sequence[tuple[str, str]]
) -> Markup:
    """Bulletins of an incident: solid where authorities or people say that they belong together, dashed where it is suggested.

    Args:
        say: the language.
        nodes: by time, the oldest first.
        edges: between them; others are left out.
        lanes: key and name of each.
    """
    number = {key: n for n, (key, _) in enumerate(lanes)}
    columns = _columns(nodes)
    most = max(columns.values(), default=0)
    step = max(_STEP, min(_WIDEST, (_LEAST - _LEFT - 28 - _BOX_W) / max(1, most)))
    at: dict[str, tuple[float, float]] = {}
    heads: dict[int, str] = {}
    day = ""
    for node in nodes:
        x: float = _LEFT + 14 + columns[node.id] * step
        if columns[node.id] not in heads:
            heads[columns[node.id]] = node.when if node.day == day else f"{node.day}, {node.when}"
            day = node.day
        at[node.id] = (x, _TOP + number[node.lane] * _LANE + (_LANE - _BOX_H) / 2)
    width = max(_LEAST, _LEFT + 14 + (most + 1) * _STEP)
    height = _TOP + _LANE * len(lanes) + 8
    out = [
        (
            f'<svg class="draw draw-wide graph" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="group" '
            f'aria-label="{said_of(say("Bulletins of this incident by time and domain; the table below says the same"))}">'
        )
    ]
    for n, (_, name) in enumerate(lanes):
        top: float = _TOP + n * _LANE
        out.append(
            f'<rect class="{"hit" if n % 2 else "lane"}" x="0" y="{top}" width="{width}" height="{_LANE}"/>'
        )
        out.append(text_of(14, top + _LANE / 2 + 4, name, "mid"))
    out += [text_of(round(_LEFT + 14 + n * step, 1), 18, words) for n, words in heads.items()]
    for edge in edges:
        if edge.a in at and edge.b in at:
            out += _edge(at[edge.a], at[edge.b], edge)
    for node in nodes:
        x, y = at[node.id]
        label = said_of(_label(say, node))
        out.append(
            f'<a href="/b/{said_of(node.id)}" aria-label="{label}"><title>{label}</title>'
            f'<rect class="node{" maybe" if node.maybe else ""}" x="{x:g}" y="{y:g}" width="{_BOX_W}" height="{_BOX_H}" rx="7"/>'
            f"{mark(x + 14, y + 15, node.priority, 5.5)}"
            f"{text_of(x + 27, y + 19, _cut(node.who, NAME), 'strong')}{text_of(x + _BOX_W - 10, y + 19, node.when, '', 'end')}"
        )
        lines = textwrap.wrap(node.headline, _LINE, max_lines=2, placeholder="…")
        told = (
            text_of(x + 10, y + 36 + n * 14, _cut(line, _LINE + 1), "mid") for n, line in enumerate(lines)
        )
        out.append(f'<g lang="">{"".join(told)}</g>')
        out.append(
            f'<rect class="hit ring" x="{x:g}" y="{y:g}" width="{_BOX_W}" height="{_BOX_H}" rx="7"/></a>'
        )
    return markup_of([*out, "</svg>"])


def _columns(nodes: Sequence[Node]) -> dict[str, int]:
    """In which column each stands: never before one that is older, no two of a lane in one, and in one only what is of one half hour."""
    column, began, last, found = 0, None, dict[str, int](), dict[str, int]()
    for node in nodes:
        if began is None:
            began = node.at
        if last.get(node.lane, -1) == column or node.at - began > _TOGETHER:
            column, began = column + 1, node.at
        last[node.lane] = found[node.id] = column
    return found


def _label(say: Language, node: Node) -> str:
    told = {"time": node.when, "priority": node.priority, "who": node.who, "headline": node.headline}
    if node.maybe:
        return say("%(time)s, priority %(priority)s, %(who)s: %(headline)s, suggested", **told)
    return say("%(time)s, priority %(priority)s, %(who)s: %(headline)s", **told)


def _edge(one: tuple[float, float], other: tuple[float, float], edge: Edge) -> list[str]:
    (xa, ya), (xb, yb) = sorted((one, other))
    if xa + _BOX_W <= xb:
        x1, y1, x2, y2 = xa + _BOX_W, ya + _BOX_H / 2, xb, yb + _BOX_H / 2
        middle = (x1 + x2) / 2
        path = f"M{x1:g} {y1:g}C{middle:g} {y1:g} {middle:g} {y2:g} {x2:g} {y2:g}"
    else:
        x1, x2 = xa + _BOX_W / 2, xb + _BOX_W / 2
        y1, y2 = (ya + _BOX_H, yb) if ya < yb else (ya, yb + _BOX_H)
        path = f"M{x1:g} {y1:g}C{x1:g} {(y1 + y2) / 2:g} {x2:g} {(y1 + y2) / 2:g} {x2:g} {y2:g}"
    out = [f'<path class="edge{" maybe" if edge.maybe else ""}" d="{path}"/>']
    if edge.why:
        words = _cut(edge.why, _TAG)
        w = len(words) * 6.1 + 14
        mx, my = (x1 + x2) / 2, (y1 + y2) / 2
        if y1 == y2 and x2 - x1 < w:  # no room between two boxes: above them
            my -= _BOX_H / 2 + 6
        out.append(
            f'<rect class="edge-tag" x="{mx - w / 2:.1f}" y="{my - 10:g}" width="{w:.1f}" height="20" rx="10"/>'
        )
        out.append(text_of(round(mx, 1), my + 4, words, "", "middle"))
    return out


def _cut(words: str, most: int) -> str:
    return words if len(words) <= most else f"{words[: most - 1]}…"
