"""The adapter of a national CSIRT: indicators, campaigns, and manipulation with the same infrastructure."""

from adapters.formats.misp import FORMAT as MISP
from adapters.formats.stix import FORMAT as STIX
from adapters.sdk import AuthorityAdapter

ADAPTER = AuthorityAdapter(__file__, (MISP, STIX))
