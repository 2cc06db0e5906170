"""MISP events (``misp-event``): `event` reads a document, the modules beside it one part of it each."""

from adapters.formats.misp.event import FORMAT, read_misp_event

__all__ = ["FORMAT", "read_misp_event"]
