"""Statements of reasons of the DSA Transparency Database (``dsa-sor-json``, ``dsa-sor-csv``): `documents` reads, `statements` adds up."""

from adapters.formats.dsa_sor.documents import (
    CSV_FORMAT,
    JSON_FORMAT,
    read_dsa_sor_csv,
    read_dsa_sor_json,
)

__all__ = ["CSV_FORMAT", "JSON_FORMAT", "read_dsa_sor_csv", "read_dsa_sor_json"]
