"""Mutations of what is signed: tried by the hundred in each run, by the ten thousand in `make attacks`, and counted."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from tests.attacks import FACTOR


class Mutations:
    """What came of a test's mutations: tried; accepted, though they mean something else; ended in a crash."""

    def __init__(self) -> None:
        self.tried = self.accepted = self.crashed = 0

    def run(self, strategy: st.SearchStrategy[Any], most: int, attempt: Callable[[Any], None]) -> None:
        """Try so many.

        Args:
            strategy: what an attempt is given.
            most: how many, times the factor.
            attempt: makes one mutation and tries it. It returns when that was refused for a reason or changed nothing,
                fails an assertion when it was accepted, and lets any other exception through: that is a crash.
        """

        @settings(max_examples=most * int(os.environ.get(FACTOR, "1")))
        @given(strategy)
        def one(drawn: Any) -> None:
            self.tried += 1
            try:
                attempt(drawn)
            except AssertionError:
                self.accepted += 1
                raise
            except HypothesisException:
                raise
            except Exception:
                self.crashed += 1
                raise

        one()
