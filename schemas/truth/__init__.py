"""The rules about facts, one module for each subject; `schemas.rules` applies them all.

A rule belongs here if the bulletin alone proves the fault. Each names its source: an article of law, a standard, or a
fact. `bus.trust.grants` decides what needs the registry, `schemas.review` what needs a person.
"""
