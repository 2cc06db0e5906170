"""One judgement of how an identity and its programs are: facts in, conditions and a verdict out."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.health.facts import (
        BusFacts,
        ClockFacts,
        DiskFacts,
        Facts,
        GrantFacts,
        KeyFacts,
        LeaseFacts,
        OutboxFacts,
        ProgramSeen,
        ProgramState,
        ReaderFacts,
        RefusedFacts,
        StoreFacts,
        TaskFacts,
        TrustFacts,
    )
    from bus.health.judging import judge
    from bus.health.report import Condition, Level, Report, moment_text
    from bus.health.running import STALE_S
    from bus.health.state_file import EVERY_S, StateFile, forget, keep_state, read_states
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "EVERY_S",
    "STALE_S",
    "BusFacts",
    "ClockFacts",
    "Condition",
    "DiskFacts",
    "Facts",
    "GrantFacts",
    "KeyFacts",
    "LeaseFacts",
    "Level",
    "OutboxFacts",
    "ProgramSeen",
    "ProgramState",
    "ReaderFacts",
    "RefusedFacts",
    "Report",
    "StateFile",
    "StoreFacts",
    "TaskFacts",
    "TrustFacts",
    "forget",
    "judge",
    "keep_state",
    "moment_text",
    "read_states",
]
