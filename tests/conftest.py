"""Settings for every test."""

from hypothesis import settings

# A property is about what comes out, not about how busy the machine is; pytest's own timeout bounds a test.
settings.register_profile("tocsin", deadline=None)
settings.load_profile("tocsin")
