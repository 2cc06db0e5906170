"""What must be kept up: the beacon, units of systemd, copies of a context, and a record that has grown."""

from __future__ import annotations

from bus.keys import write_secret
from tests.record.desk import WITHOUT_TERMINAL, Call, Desk
from tests.record.founding import REGISTRY
from tests.record.serving import FOLDER

_KEEP = (
    *("--key", "beacon.pem", "--passphrase-file", "beacon.pass"),
    *("--provisioner", f"{FOLDER}/provisioner.nk"),
)
RULES = """\
networks = ["127.0.0.0/8"]

[channel.duty]
kind = "webhook"
address = "http://127.0.0.1:9/"
secret_file = "hook.secret"

[[rule]]
name = "duty"
channel = "duty"
hours = ["08:00"]
"""
# How large a file is differs from run to run.
_SIZES = {r"\d+ bytes": "<n> bytes", r'(\.db|\.json|\.jsonl|files/\w+)":\d+': r'\1":<n>'}


def play(desk: Desk) -> None:
    """While the broker runs."""
    desk.run(Call(command="registry renew", arguments=(REGISTRY, "--out", "renewed-{form}.json")))
    desk.run(Call(command="registry keep", arguments=(*_KEEP, "--once")))
    hub = ("hub", "--user")
    shown = ("--print",)
    desk.run(Call(command="service install", title="shown", arguments=(*hub, *shown), forms=WITHOUT_TERMINAL))
    units = ("--dir", "units-{form}")
    for command, arguments in (
        ("service install", (*hub, *units)),
        ("service list", units),
        ("service remove", ("tocsin-hub-xa-csirt", *units)),
    ):
        desk.run(Call(command=command, arguments=arguments))
    desk.run(Call(command="backup", arguments=("kept-{form}.tar",), hidden=_SIZES))
    put_back = ("kept-pipe.tar", "--force", "--dry-run")
    # The width of its table depends on the name of the folder: no terminal.
    aside = {r"\.\d{8}T\d{6}Z": ".<time>"}
    desk.run(Call(command="restore", arguments=put_back, forms=WITHOUT_TERMINAL, hidden=aside))
    _people(desk)
    _notify(desk)
    desk.run(Call(command="audit archive", arguments=("record-{form}.jsonl",), context="xa-emb"))


def _people(desk: Desk) -> None:
    """Who may use the console of a hub; nobody has signed in here."""
    secret = {r"[A-Za-z0-9_-]{43}": "<secret>"}
    person = "ann-{form}"
    for command, arguments in (
        ("add", (person, "--name", "Ann Example", "--role", "analyst", "--role", "duty-officer")),
        ("list", ()),
        ("role", (person, "reader", "--tlp", "amber", "--audience", "eu-csirts")),
        ("link", (person, "--oidc", "248289761001", "--issuer", "https://id.example/")),
        ("token", (person,)),
        ("sessions", ()),
        ("feeds", ()),
        ("end-session", ("--all", person)),
        ("disable", (person,)),
        ("audit", ("--limit", "3")),
    ):
        desk.run(Call(command=f"people {command}", arguments=arguments, context="xa-hub", hidden=secret))
    desk.run(
        Call(
            command="people audit", arguments=("--verify",), title="verified", context="xa-hub", hidden=secret
        )
    )


def _notify(desk: Desk) -> None:
    """Whom to tell of what; nothing answers at the address."""
    write_secret(desk.folder / "home" / "hook.secret", b"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=")
    desk.write("home/notify.toml", RULES)
    ids = {r"ntf_[0-9a-f]{32}": "<delivery>"}
    desk.run(Call(command="notify check", context="xa-hub", hidden={r"\d+": "<n>"}))
    desk.run(Call(command="notify test", arguments=("duty",), context="xa-hub", hidden=ids))
    desk.run(Call(command="notify log", context="xa-hub", hidden=ids))
    desk.run(Call(command="notify run", context="xa-hub", stop_at="telling people", forms=WITHOUT_TERMINAL))
