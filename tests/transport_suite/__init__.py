"""One suite for every transport: what holds on a nats-server holds on the broker in memory, and the other way round."""
