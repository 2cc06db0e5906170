"""The way out: stamp, sign, keep, send."""
