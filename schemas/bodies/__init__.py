"""The kinds of body of a bulletin, one module for each domain."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from schemas.bodies.coordination import Feedback, PostElectionReport, Rfi, SituationReport, StratCom
from schemas.bodies.cyber import CyberIncident, CyberThreat, Vulnerability
from schemas.bodies.data import DataBreach
from schemas.bodies.digital import ContentNotice, ContentOrder, PlatformMeasure, PoliticalAd, SystemicRisk
from schemas.bodies.electoral import ElectionCalendar, ElectionIncident
from schemas.bodies.enforcement import Enforcement
from schemas.bodies.foreign import Fimi, LegalReferral, SanctionsListing
from schemas.bodies.system import ChannelStatus, Copy, Reanchor, Receipt, Request, Sealed
from schemas.scalars import Part

Body = (
    ContentNotice
    | ContentOrder
    | PlatformMeasure
    | SystemicRisk
    | PoliticalAd
    | CyberIncident
    | CyberThreat
    | Vulnerability
    | DataBreach
    | ElectionCalendar
    | ElectionIncident
    | Fimi
    | SanctionsListing
    | LegalReferral
    | Enforcement
    | StratCom
    | SituationReport
    | PostElectionReport
    | Rfi
    | Feedback
    | ChannelStatus
    | Receipt
    | Sealed
    | Reanchor
    | Request
    | Copy
)


def kind_of(body: Part) -> str:
    """The tag of a body, used in the field `kind` and in the subject."""
    return str(body.__struct_config__.tag)


KINDS: Mapping[str, type] = MappingProxyType({str(t.__struct_config__.tag): t for t in get_args(Body)})
"""Every kind and its struct."""
