"""Hostile messages of kinds that no other table has: what order, repetition and borrowed keys may not do."""

from __future__ import annotations
