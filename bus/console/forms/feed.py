"""A list as an Atom feed (RFC 4287), the newest first; further pages by links (RFC 5005). Pure."""

from __future__ import annotations

import datetime as dt
import re
from xml.etree.ElementTree import Element, SubElement, tostring

from bus.console import texts
from bus.console.forms.shape import Item, Listing

KIND = "application/atom+xml; charset=utf-8"
_ATOM = "http://www.w3.org/2005/Atom"
_NO_XML = re.compile("[\ufffe\uffff]")
"""What XML 1.0 forbids and `texts.shown` lets stand."""


def write(listing: Listing) -> bytes:
    """The bytes of a feed."""
    feed = Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    _text(feed, "id", f"urn:uuid:{listing.uuid('')}")
    _text(feed, "title", f"{'EXERCISE, ' if listing.is_exercise else ''}{listing.title}, {listing.hub}")
    _text(feed, "subtitle", " ".join((_marked(listing.marking), *listing.notes)))
    _text(feed, "updated", _moment(max((each.at for each in listing.items), default=listing.now)))
    _text(SubElement(feed, "author"), "name", listing.hub)
    _text(feed, "generator", "tocsin")
    _link(feed, "alternate", listing.base + listing.page, "text/html")
    if listing.own:
        _link(feed, "self", listing.base + listing.own, "application/atom+xml")
    if listing.next:
        _link(feed, "next", listing.base + listing.next, "application/atom+xml")
    for item in listing.items:
        _entry(feed, listing, item)
    return bytes(tostring(feed, encoding="utf-8", xml_declaration=True))


def _entry(feed: Element, listing: Listing, item: Item) -> None:
    entry = SubElement(feed, "entry")
    _text(entry, "id", f"urn:uuid:{listing.uuid_of(item)}")
    _text(entry, "title", f"{'EXERCISE: ' if listing.is_exercise else ''}{item.title}")
    _text(entry, "updated", _moment(item.at))
    if item.by:
        _text(SubElement(entry, "author"), "name", item.by)
    _link(entry, "alternate", listing.base + item.path, "text/html")
    for tag in (f"TLP:{item.tlp.upper()}", *item.tags):
        SubElement(entry, "category", {"term": _xml(tag)})
    _text(entry, "rights", f"TLP:{item.tlp.upper()}")
    _text(entry, "summary", f"TLP:{item.tlp.upper()}. {item.words}")


def _marked(marking: str) -> str:
    return f"Up to TLP:{marking.upper()}. Share it no further than that."


def _text(into: Element, name: str, text: str) -> None:
    SubElement(into, name).text = _xml(text)


def _link(into: Element, rel: str, address: str, kind: str) -> None:
    SubElement(into, "link", {"rel": rel, "type": kind, "href": _xml(address)})


def _xml(text: str) -> str:
    return _NO_XML.sub(lambda found: f"[U+{ord(found[0]):04X}]", texts.shown(text))


def _moment(moment: dt.datetime) -> str:
    return f"{moment.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
