"""Carries bulletins and the registry between the brokers of countries and unions."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.federation.carrier import Carrier
    from bus.federation.ledger import Ledger
    from bus.federation.plan import (
        CLUSTER,
        HOME,
        BrokerRole,
        CarrierClient,
        Country,
        Federation,
        Node,
        Path,
        Union,
        guests,
        identity_at,
        served_authorities,
        unmatched,
    )
    from bus.federation.registry_relay import RegistryRelay
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "CLUSTER",
    "HOME",
    "BrokerRole",
    "Carrier",
    "CarrierClient",
    "Country",
    "Federation",
    "Ledger",
    "Node",
    "Path",
    "RegistryRelay",
    "Union",
    "guests",
    "identity_at",
    "served_authorities",
    "unmatched",
]
