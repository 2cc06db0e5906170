"""The adapter of a digital services coordinator: platforms' measures and networks they found."""

from adapters.formats.dsa_sor import CSV_FORMAT, JSON_FORMAT
from adapters.formats.meta_threat import FORMAT as META
from adapters.sdk import AuthorityAdapter

ADAPTER = AuthorityAdapter(__file__, (JSON_FORMAT, CSV_FORMAT, META))
