"""What every command shares: options, sessions, files, output."""

from typing import TYPE_CHECKING

from bus.doors import opened

if TYPE_CHECKING:
    from bus.cli.frame.app import App
    from bus.cli.frame.audit import audit_file, record, record_context, recorder
    from bus.cli.frame.calendars import at_hand, follow_phase, retention
    from bus.cli.frame.commands import Group, command, global_options, load
    from bus.cli.frame.drafts import draft_in, read_draft
    from bus.cli.frame.errors import InputFileError, NotFoundError
    from bus.cli.frame.exit_codes import (
        DONE,
        EXIT_CODES,
        FAILURE,
        INTERRUPTED,
        PARTLY,
        QUEUED,
        REFUSED,
        USAGE,
        exit_code,
    )
    from bus.cli.frame.files import (
        private_folder,
        read_file,
        read_passphrase,
        report_file,
        signer_of,
        write_new,
        write_whole,
    )
    from bus.cli.frame.lines import headline, marking, one_line, show_bulletin
    from bus.cli.frame.opening import Unsealer, opened_data, readable, show, show_inside
    from bus.cli.frame.options import Since, interest_of
    from bus.cli.frame.programs import (
        beating,
        deadlines_of,
        ended,
        follow_trust,
        heartbeat_of,
        heartbeat_settings,
        open_publisher,
        reading,
        tell_of_bus,
        tracking,
    )
    from bus.cli.frame.sending import (
        NamedDraft,
        dry_run_option,
        marking_options,
        send_drafts,
        send_files,
        wait_option,
        with_marking,
        without_option,
    )
    from bus.cli.frame.session import (
        OUTBOX_FILE,
        STORE_FILE,
        defaults,
        endpoint,
        find_bulletin,
        open_outbox,
        open_registry,
        open_seal_keys,
        open_signer,
        open_store,
        pings,
        query_store,
        registry_store,
        tls_of,
    )
    from bus.cli.frame.text import hint, on_terminal, safe, wrapped
else:
    __getattr__ = opened(__name__, __file__)

__all__ = [
    "DONE",
    "EXIT_CODES",
    "FAILURE",
    "INTERRUPTED",
    "OUTBOX_FILE",
    "PARTLY",
    "QUEUED",
    "REFUSED",
    "STORE_FILE",
    "USAGE",
    "App",
    "Group",
    "InputFileError",
    "NamedDraft",
    "NotFoundError",
    "Since",
    "Unsealer",
    "at_hand",
    "audit_file",
    "beating",
    "command",
    "deadlines_of",
    "defaults",
    "draft_in",
    "dry_run_option",
    "ended",
    "endpoint",
    "exit_code",
    "find_bulletin",
    "follow_phase",
    "follow_trust",
    "global_options",
    "headline",
    "heartbeat_of",
    "heartbeat_settings",
    "hint",
    "interest_of",
    "load",
    "marking",
    "marking_options",
    "on_terminal",
    "one_line",
    "open_outbox",
    "open_publisher",
    "open_registry",
    "open_seal_keys",
    "open_signer",
    "open_store",
    "opened_data",
    "pings",
    "private_folder",
    "query_store",
    "read_draft",
    "read_file",
    "read_passphrase",
    "readable",
    "reading",
    "record",
    "record_context",
    "recorder",
    "registry_store",
    "report_file",
    "retention",
    "safe",
    "send_drafts",
    "send_files",
    "show",
    "show_bulletin",
    "show_inside",
    "signer_of",
    "tell_of_bus",
    "tls_of",
    "tracking",
    "wait_option",
    "with_marking",
    "without_option",
    "wrapped",
    "write_new",
    "write_whole",
]
