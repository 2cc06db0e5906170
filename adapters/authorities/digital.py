"""The adapter of a digital services coordinator: measures of platforms, and networks that platforms found."""

from adapters.formats.dsa_sor import CSV_FORMAT, JSON_FORMAT
from adapters.formats.meta_threat import FORMAT as META
from adapters.sdk import AuthorityAdapter

ADAPTER = AuthorityAdapter(__file__, (JSON_FORMAT, CSV_FORMAT, META))
