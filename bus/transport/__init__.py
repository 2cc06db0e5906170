"""Speaks to the broker: connections, streams, consumers. The only room that imports nats."""
