"""Judges the health of an identity and its programs: facts in, conditions and a verdict out."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.health import serving, state_file
    from bus.health.beside import report_beside
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
    from bus.health.link import Link
    from bus.health.looking import (
        came_in_a_day,
        certificate_facts,
        disk_facts,
        grant_facts,
        held_facts,
        lease_facts,
        reader_facts,
        seal_key_facts,
        sending_facts,
        signing_key_facts,
        store_facts,
        trust_facts,
        unusable_key,
    )
    from bus.health.metrics import metrics_text
    from bus.health.report import Condition, Level, Report, moment_text
    from bus.health.running import STALE_S, running_now
    from bus.health.serving import Address, parse_address, serve
    from bus.health.state_file import EVERY_S, StateFile, forget, keep_state, read_states
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "EVERY_S",
    "STALE_S",
    "Address",
    "BusFacts",
    "ClockFacts",
    "Condition",
    "DiskFacts",
    "Facts",
    "GrantFacts",
    "KeyFacts",
    "LeaseFacts",
    "Level",
    "Link",
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
    "came_in_a_day",
    "certificate_facts",
    "disk_facts",
    "forget",
    "grant_facts",
    "held_facts",
    "judge",
    "keep_state",
    "lease_facts",
    "metrics_text",
    "moment_text",
    "parse_address",
    "read_states",
    "reader_facts",
    "report_beside",
    "running_now",
    "seal_key_facts",
    "sending_facts",
    "serve",
    "serving",
    "signing_key_facts",
    "state_file",
    "store_facts",
    "trust_facts",
    "unusable_key",
]
