"""A real nats-server for tests of faults too."""

from tests.integration.conftest import bus

__all__ = ["bus"]
