"""The icons of the console: paths in a square of 16 units, drawn by lines in the colour of the text beside them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from markupsafe import Markup

ICONS: Mapping[str, Markup] = MappingProxyType(
    {
        "picture": Markup(
            '<rect x="1.8" y="1.8" width="5.2" height="5.2" rx="1"/><rect x="9" y="1.8" width="5.2" height="5.2" rx="1"/>'
            '<rect x="1.8" y="9" width="5.2" height="5.2" rx="1"/><circle cx="11.6" cy="11.6" r="2.6"/>'
        ),
        "list": Markup('<path d="M5.5 3.5H14M5.5 8H14M5.5 12.5H14M2 3.5h.5M2 8h.5M2 12.5h.5"/>'),
        "graph": Markup(
            '<circle cx="3.4" cy="8" r="1.8"/><circle cx="12.4" cy="3.6" r="1.8"/>'
            '<circle cx="12.4" cy="12.4" r="1.8"/><path d="m5.1 7.2 5.6-2.8M5.1 8.8l5.6 2.8"/>'
        ),
        "clock": Markup('<circle cx="8" cy="8" r="6.2"/><path d="M8 4.4V8l2.4 1.6"/>'),
        "channel": Markup('<path d="M1.6 8h2.6l1.7-4.6 3.6 9.2L11.4 8h3"/>'),
        "election": Markup('<path d="M2.4 6.8h11.2v6.8H2.4zM5 6.8V2.4h6v4.4M6.4 9.6h3.2"/>'),
        "publish": Markup('<path d="M14 2 7.4 8.6M14 2 9.8 14l-2.4-5.4L2 6.2z"/>'),
        "check": Markup('<path d="m2.8 8.4 3.4 3.4 7-7.6"/>'),
        "drill": Markup('<path d="M3 14V2.4m0 .6c3-1.6 5 1.6 10 0v6c-5 1.6-7-1.6-10 0"/>'),
        "report": Markup('<path d="M3.2 1.8h6.4l3.2 3.2v9.2H3.2zM5.6 7.4h4.8M5.6 10h4.8"/>'),
        "quarantine": Markup(
            '<path d="M8 1.8 14 4v4c0 3.4-2.6 5.6-6 6.4C4.6 13.6 2 11.4 2 8V4zM5.8 6l4.4 4.4m0-4.4-4.4 4.4"/>'
        ),
        "people": Markup(
            '<circle cx="6" cy="5.4" r="2.6"/><path d="M1.6 13.6c.4-2.8 2-4.2 4.4-4.2s4 1.4 4.4 4.2"/>'
            '<path d="M10.4 3.2a2.4 2.4 0 0 1 0 4.6M12 9.8c1.4.6 2.2 1.8 2.4 3.8"/>'
        ),
        "system": Markup(
            '<path d="M2 4.4h12M2 8h12M2 11.6h12"/><circle cx="5.4" cy="4.4" r="1.5"/>'
            '<circle cx="10.6" cy="8" r="1.5"/><circle cx="6.6" cy="11.6" r="1.5"/>'
        ),
        "search": Markup('<circle cx="7" cy="7" r="4.6"/><path d="m10.5 10.5 3.5 3.5"/>'),
        "command": Markup('<path d="M3 5.4 5.6 8 3 10.6M8 11h5"/>'),
        "theme": Markup(
            '<circle cx="8" cy="8" r="6.2"/><path d="M8 1.8v12.4A6.2 6.2 0 0 0 8 1.8z" fill="currentColor" stroke="none"/>'
        ),
        "menu": Markup('<path d="M2 4h12M2 8h12M2 12h12"/>'),
        "wall": Markup('<rect x="1.6" y="2.6" width="12.8" height="8.4" rx="1"/><path d="M5.6 13.8h4.8"/>'),
        "print": Markup('<path d="M4 6V1.8h8V6M4 11.6H1.8V6h12.4v5.6H12M4 9.6h8v4.6H4z"/>'),
        "json": Markup(
            '<path d="M5.6 2C3 2 4.6 6.4 2.2 8c2.4 1.6.8 6 3.4 6M10.4 2c2.6 0 1 4.4 3.4 6-2.4 1.6-.8 6-3.4 6"/>'
        ),
        "bell": Markup(
            '<path d="M8 2C5.6 2 4 3.8 4 6v3L2.6 11.4h10.8L12 9V6c0-2.2-1.6-4-4-4zM6.6 13.6a1.5 1.5 0 0 0 2.8 0"/>'
        ),
        "snooze": Markup('<path d="M2 5h5l-5 6.5h5M9.5 3H14l-4.5 5H14"/>'),
        "copy": Markup(
            '<rect x="5.2" y="5.2" width="8.6" height="8.6" rx="1"/><path d="M10.8 5.2v-3H2.2v8.6h3"/>'
        ),
        "phone": Markup(
            '<path d="M3 2h2.6l1.2 3.2-1.6 1.2a8 8 0 0 0 4.4 4.4l1.2-1.6 3.2 1.2V13c0 .8-.6 1.2-1.2 1.2C6.6 14.2 1.8 9.4 1.8 3.2 1.8 2.6 2.4 2 3 2z"/>'
        ),
        "lock": Markup(
            '<rect x="3" y="7" width="10" height="7" rx="1"/><path d="M5 7V4.8a3 3 0 0 1 6 0V7"/>'
        ),
        "eye": Markup(
            '<path d="M1.4 8S3.8 3.4 8 3.4 14.6 8 14.6 8 12.2 12.6 8 12.6 1.4 8 1.4 8z"/><circle cx="8" cy="8" r="2"/>'
        ),
        "file": Markup('<path d="M3.2 1.8h6.4l3.2 3.2v9.2H3.2zM9.4 2v3.2h3.2"/>'),
        "link": Markup(
            '<path d="M6.6 9.4a2.6 2.6 0 0 0 3.8 0l2.4-2.4a2.7 2.7 0 0 0-3.8-3.8L8 4.2M9.4 6.6a2.6 2.6 0 0 0-3.8 0L3.2 9A2.7 2.7 0 0 0 7 12.8l1-1"/>'
        ),
        "arrow": Markup('<path d="M3 8h10M9 4l4 4-4 4"/>'),
    }
)
