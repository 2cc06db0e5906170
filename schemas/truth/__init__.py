"""The rules that hold a bulletin to the truth, a module for each matter; `schemas.rules` asks them all.

A rule stands here where the bulletin alone proves that it is wrong. Each names its source: an article of law, a
standard, or a fact. What needs the registry is decided by `bus.trust.grants`, what needs a person by `schemas.review`.
"""
