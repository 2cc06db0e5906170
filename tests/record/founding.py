"""The founding of the scene's federation by commands: keys, a registry signed by two of three, and contexts."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.record.desk import WITHOUT_TERMINAL, Call, Desk
from tests.record.entries import Form

PIPE = (Form.PIPE,)
REGISTRY = "registry.tocsin.json"
BEACON = "beacon.tocsin.json"
DOMAIN = "nations"
ROOTS = ("root-a", "root-b", "root-c")
OFFICES = (
    ("xa-csirt", "CSIRT of XA", "csirt", "cyber", "XA"),
    ("xa-emb", "Electoral Commission of XA", "emb", "electoral", "XA"),
    ("xb-csirt", "CSIRT of XB", "csirt", "cyber", "XB"),
    ("xa-hub", "Hub of XA", "hub", "coord", "XA"),
    ("xb-hub", "Hub of XB", "hub", "coord", "XB"),
)
SEALED = ("xa-hub", "xb-hub")


def _make(desk: Desk, files: Mapping[str, tuple[str, ...]]) -> None:
    """Make keys and their public halves, unrecorded, and name their thumbprints.

    Args:
        desk: where.
        files: of each name the arguments that `key new` and `key export` share.
    """
    new = {name: ("--new-passphrase",) if "--seal" not in secret else () for name, secret in files.items()}
    desk.ask_all(
        Call(command="key new", arguments=(*secret, *new[name]), forms=PIPE) for name, secret in files.items()
    )
    exported = desk.ask_all(
        Call(command="key export", arguments=secret, forms=PIPE) for secret in files.values()
    )
    for name, outcome in zip(files, exported, strict=True):
        desk.write(f"{name}.jwk", outcome.stdout)
        desk.name(json.loads(outcome.stdout)["kid"], f"kid of {name}")


def keys(desk: Desk) -> None:
    """Make every key of the scene; one of each sort is recorded."""
    secret = ("--passphrase-file", "one-{form}.pass")
    new = ("one-{form}.pem", *secret, "--new-passphrase")
    desk.run(Call(command="key new", arguments=new))
    desk.run(Call(command="key new", title="a transport key", arguments=("--transport", "one-{form}.nk")))
    seal = ("one-{form}.seal.pem", *secret, "--seal")
    desk.run(Call(command="key new", title="a seal key", arguments=seal))
    desk.run(Call(command="key show", arguments=("one-{form}.pem", *secret)))
    desk.run(
        Call(command="key show", title="a seal key", arguments=("one-{form}.seal.pem", *secret, "--seal"))
    )
    desk.run(Call(command="key export", arguments=("one-{form}.pem", *secret)))
    names = (*ROOTS, "beacon", *(office[0] for office in OFFICES), "xa-csirt-next")
    _make(desk, {name: (f"{name}.pem", "--passphrase-file", f"{name}.pass") for name in names})
    for name in SEALED:
        (desk.folder / f"{name}.seals").mkdir()
    # A context has one passphrase file, for its signing key and its seal keys.
    seals = {
        f"{name}.seal": (f"{name}.seals/seal.pem", "--passphrase-file", f"{name}.pass", "--seal")
        for name in SEALED
    }
    _make(desk, seals)
    transport = [
        Call(command="key new", arguments=("--transport", f"{office[0]}.nk"), forms=PIPE)
        for office in OFFICES
    ]
    for office, outcome in zip(OFFICES, desk.ask_all(transport), strict=True):
        desk.name(outcome.stdout.strip(), f"nkey of {office[0]}")


def registry(desk: Desk) -> str:
    """Found the registry and sign it by two of three roots; its digest."""
    roots = [part for name in ROOTS for part in ("--root", f"{name}.jwk")]
    shared = ("--threshold", "2", "--beacon", "beacon.jwk", "--domain", DOMAIN)
    desk.run(Call(command="registry init", arguments=("first-{form}.json", *roots, *shared)))
    desk.ask(Call(command="registry init", arguments=(REGISTRY, *roots, *shared), forms=PIPE))
    nkeys = {name: value for value, name in desk.names.items()}
    for name, title, kind, domain, country in OFFICES:
        words = (
            "--name",
            title,
            "--kind",
            kind,
            "--domain",
            domain,
            "--country",
            country,
            "--key",
            f"{name}.jwk",
        )
        members = ("--member-of", "community") + (("--member-of", "eu-csirts") if name != "xa-emb" else ())
        contact = ("--contact", f"desk@{name}.example")
        arguments = (*words, "--nkey", nkeys[f"nkey of {name}"], *members, *contact)
        if name == "xa-csirt":
            desk.run(
                Call(
                    command="registry add",
                    arguments=(REGISTRY, name, *arguments, "--out", "added-{form}.json"),
                )
            )
        desk.ask(Call(command="registry add", arguments=(REGISTRY, name, *arguments), forms=PIPE))
    network = ("amber+strict:eu-csirts",)
    for name, grants in (
        ("xa-csirt", ("--publish", "green:community", "--publish", *network)),
        ("xa-emb", ("--publish", "green:community")),
        ("xb-csirt", ("--publish", "green:community", "--publish", *network)),
        ("xa-hub", ("--read", "green:community", "--read", *network)),
        ("xb-hub", ("--read", "green:community", "--read", *network)),
    ):
        if name == "xa-csirt":
            out = ("--out", "granted-{form}.json")
            desk.run(Call(command="registry grant", arguments=(REGISTRY, name, *grants, *out)))
        desk.ask(Call(command="registry grant", arguments=(REGISTRY, name, *grants), forms=PIPE))
    # In proposals of their own, so that the registry of the other chapters stays as it is.
    nation = "xa-election-network"
    scope = (REGISTRY, nation, "--scope", "national", "--out", "nation-{form}.json")
    desk.run(Call(command="registry audience", arguments=scope))
    joins = ("nation-{form}.json", "xa-emb", nation, "--out", "joined-{form}.json")
    desk.run(Call(command="registry join", arguments=joins))
    leaves = ("joined-{form}.json", "xa-emb", nation, "--out", "left-{form}.json")
    desk.run(Call(command="registry leave", arguments=leaves))
    desk.write(
        "xa-days.txt", "# of this year and the next\n2026-12-25 Christmas Day\n2027-05-01 Labour Day\n"
    )
    days = (REGISTRY, "XA", "xa-days.txt", "--out", "days-{form}.json")
    desk.run(Call(command="registry holidays", arguments=days))
    for name in SEALED:
        receipts = (REGISTRY, name, "--receipts")
        desk.ask(Call(command="registry grant", arguments=receipts, forms=PIPE))
    sealing = (REGISTRY, "xa-hub", "--key", "xa-hub.seal.jwk")
    desk.run(Call(command="registry seal-key", arguments=(*sealing, "--out", "seal-key-{form}.json")))
    for name in SEALED:
        arguments = (REGISTRY, name, "--key", f"{name}.seal.jwk")
        desk.ask(Call(command="registry seal-key", arguments=arguments, forms=PIPE))
    policy = (REGISTRY, "eu-csirts", "cross-border", "--out", "policy-{form}.json")
    desk.run(Call(command="registry seal-policy", arguments=policy))
    for form, root in ((Form.PIPE, "root-a"), (Form.JSON, "root-b"), (Form.TERMINAL, "root-c")):
        secret = ("--key", f"{root}.pem", "--passphrase-file", f"{root}.pass")
        desk.run(Call(command="registry sign", arguments=(REGISTRY, *secret), forms=(form,)))
        if form is Form.PIPE:
            verify = Call(
                command="registry verify",
                title="one signature is too few",
                arguments=(REGISTRY,),
                forms=(Form.PIPE, Form.JSON),
            )
            desk.run(verify)
    beacon = ("--key", "beacon.pem", "--passphrase-file", "beacon.pass", "--out")
    desk.run(Call(command="registry beacon", arguments=(REGISTRY, *beacon, "beacon-{form}.json")))
    desk.ask(Call(command="registry beacon", arguments=(REGISTRY, *beacon, BEACON), forms=PIPE))
    verified = desk.ask(Call(command="registry verify", arguments=(REGISTRY,), forms=(Form.JSON,)))
    digest: str = json.loads(verified.stdout)["digest"]
    return desk.name(digest, "registry")


def contexts(desk: Desk, digest: str, server: str) -> None:
    """Add every identity to the settings; one is recorded."""
    shared = ("--domain", DOMAIN, "--pin", digest, "--registry", REGISTRY, "--server", server)
    for name, *_ in OFFICES:
        files = ("--key", f"{name}.pem", "--passphrase-file", f"{name}.pass", "--nkey", f"{name}.nk")
        seal = ("--seal-keys", f"{name}.seals") if name in SEALED else ()
        state = ("--beacon", BEACON, "--state", f"state-{name}")
        arguments = (name, "--authority", name, *shared, *files, *seal, *state)
        forms = (Form.PIPE, Form.JSON, Form.TERMINAL) if name == "xa-csirt" else PIPE
        title = "works" if name == "xa-csirt" else f"adds {name}"
        desk.run(Call(command="context add", arguments=arguments, forms=forms, title=title))
    desk.run(Call(command="context current", title="none is chosen", forms=(Form.PIPE, Form.JSON)))
    desk.run(Call(command="context use", arguments=("xa-csirt",)))
    set_, unset = ("xa-csirt", "--tlp", "green"), ("xa-csirt", "--unset", "tlp")
    desk.run(Call(command="context set", arguments=set_, forms=WITHOUT_TERMINAL))
    desk.run(Call(command="context set", title="takes one out", arguments=unset, forms=WITHOUT_TERMINAL))
    desk.run(Call(command="context show", arguments=("xa-csirt",), forms=WITHOUT_TERMINAL))
    # The width of this table, and where it breaks a path, depend on the name of the folder: no terminal.
    shown = Call(command="config show", forms=WITHOUT_TERMINAL)
    origins = Call(
        command="config show", title="with origins", arguments=("--origin",), forms=WITHOUT_TERMINAL
    )
    desk.together((Call(command="context current"), Call(command="context ls"), shown, origins))
