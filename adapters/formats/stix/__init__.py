"""STIX 2.1 (``stix-2-1``): `report` reads a document, the modules beside it one part of it each."""

from adapters.formats.stix.report import FORMAT, read_stix

__all__ = ["FORMAT", "read_stix"]
