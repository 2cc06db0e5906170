"""One typical error of every command: a wrong id, a file that is not there, a context that nobody has added."""

from __future__ import annotations

from tests.record.desk import WITHOUT_TERMINAL, Call, Desk

NOBODY = "0196fe2f-9be0-7000-8000-000000000009"
UNKNOWN_KEY = "A" * 43

# These wait for the lease of the outbox, and are run one after the other.
_ALONE = frozenset(
    (
        "publish",
        "bulletin cancel",
        "bulletin update",
        "outbox reanchor",
        "outbox recover",
        "drill answer",
        "adapter run",
    )
)

_FOUNDERS = ("--root", "root-a.jwk", "--threshold", "1", "--beacon", "beacon.jwk")

# command, title, arguments; run as the chosen context
_CALLS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("demo", "too short", ("--for", "1")),
    ("publish", "no such file", ("drafts/nowhere.toml",)),
    ("publish", "an unfit draft", ("drafts/unfit.toml",)),
    ("publish", "no grant", ("drafts/flood.toml", "--tlp", "clear", "--audience", "community")),
    ("publish", "no such audience", ("drafts/flood.toml", "--tlp", "green", "--audience", "comunity")),
    ("watch", "no such topic", ("--topic", "cybr")),
    ("verify", "no bulletin", ("native/broken.misp.json",)),
    ("bulletin ack", "not held", (NOBODY,)),
    ("bulletin cancel", "not held", (NOBODY, "Because.")),
    ("bulletin check", "an unfit draft", ("drafts/unfit.toml",)),
    ("bulletin draft", "no such kind", ("data-breech",)),
    ("bulletin new", "no such kind", ("data-breech",)),
    ("explain", "no such code", ("key-revokd",)),
    ("audiences", "not mine", ("eu-csrts",)),
    ("bulletin endorse", "no such file", ("nowhere.tocsin.json",)),
    ("bulletin list", "no such kind", ("--kind", "data-breech")),
    ("bulletin open", "not held", (NOBODY,)),
    ("bulletin proof", "no such channel", ("xa-csirt/actual.green.nobody",)),
    ("bulletin seal", "no such file", ("drafts/nowhere.toml",)),
    ("bulletin show", "not held", (NOBODY,)),
    ("bulletin update", "not held", (NOBODY, "drafts/flood.toml")),
    ("preview", "no such file", ("drafts/nowhere.toml",)),
    ("trace", "not held", (NOBODY,)),
    ("clocks", "too low a limit", ("--limit", "0")),
    ("incident list", "too low a limit", ("--limit", "0")),
    ("incident suggested", "too far back", ("--days", "0")),
    ("incident show", "not held", (NOBODY,)),
    ("incident join", "one id", (NOBODY,)),
    ("incident reject", "one id", (NOBODY,)),
    ("incident split", "not held", (NOBODY, NOBODY)),
    ("incident undo", "not decided", ("9999",)),
    ("channels", "unknown option", ("--alarm",)),
    ("picture", "too many arguments", ("now",)),
    ("election list", "too many arguments", ("now",)),
    ("election show", "not held", ("xa-pres-2024",)),
    ("quarantine", "too low a limit", ("--limit", "0")),
    ("key export", "no such file", ("nowhere.pem", "--passphrase-file", "xa-csirt.pass")),
    ("key new", "it exists", ("xa-csirt.pem", "--passphrase-file", "xa-csirt.pass")),
    ("key revoke", "no such key", ("--kid", UNKNOWN_KEY, "--out", "nothing.json", "--yes")),
    ("key show", "another passphrase", ("xa-csirt.pem", "--passphrase-file", "xa-emb.pass")),
    ("registry accept", "no such file", ("nowhere.json",)),
    ("registry add", "it is there already", ("registry.tocsin.json", "xa-emb", "--name", "E", "--kind", "emb", "--domain", "electoral", "--country", "XA")),
    ("registry beacon", "no such file", ("nowhere.json", "--key", "beacon.pem", "--passphrase-file", "beacon.pass", "--out", "nothing.json")),
    ("registry keep", "no beacon key", ("--key", "xa-csirt.pem", "--passphrase-file", "xa-csirt.pass", "--provisioner", "xa-csirt.nk", "--once")),
    ("registry renew", "no such file", ("nowhere.json",)),
    ("registry export", "no such file", ("nowhere.json", "--jwks")),
    ("registry audience", "another country's member", ("registry.tocsin.json", "community", "--scope", "national", "--out", "nothing.json")),
    ("registry holidays", "no file of days", ("registry.tocsin.json", "XA", "--out", "nothing.json")),
    ("registry join", "another country's authority", ("joined-pipe.json", "xb-csirt", "xa-election-network", "--out", "nothing.json")),
    ("registry leave", "no member", ("joined-pipe.json", "xa-csirt", "xa-election-network", "--out", "nothing.json")),
    ("registry grant", "no such audience", ("registry.tocsin.json", "xa-emb", "--publish", "green:nobody", "--out", "nothing.json")),
    ("registry init", "a demonstration's domain", ("nothing.json", "--domain", "demo-mine", *_FOUNDERS)),
    ("registry publish", "no such file", ("nowhere.json",)),
    ("registry revoke", "nobody says yes", ("registry.tocsin.json", "xa-emb", "--out", "nothing.json")),
    ("registry rotate", "no such authority", ("registry.tocsin.json", "xa-nobody", "--key", "xa-csirt-next.jwk", "--out", "nothing.json")),
    ("registry seal-key", "no such authority", ("registry.tocsin.json", "xa-nobody", "--key", "xa-hub.seal.jwk", "--out", "nothing.json")),
    ("registry seal-policy", "no such audience", ("registry.tocsin.json", "eu-nobody", "always", "--out", "nothing.json")),
    ("registry show", "no such authority", ("--authority", "xa-nobody")),
    ("registry sign", "no root keeper", ("registry.tocsin.json", "--key", "xa-emb.pem", "--passphrase-file", "xa-emb.pass")),
    ("registry verify", "another digest", ("registry.tocsin.json", "--pin", UNKNOWN_KEY)),
    ("server carrier-key", "no folder", ("registry.tocsin.json",)),
    ("server conf", "no such federation", ("nothing", "--federation", "nowhere.toml", "--as", "xa")),
    ("server run", "no such federation", ("nothing", "--federation", "nowhere.toml", "--as", "xa")),
    ("hub decide", "nothing to decide", ("xa-csirt/actual.green.community", "--reason", "Asked.", "--yes")),
    ("hub prune", "unknown context", ("--context", "xc-hub")),
    ("hub rebuild", "unknown context", ("--context", "xc-hub")),
    ("hub run", "unknown context", ("--context", "xc-hub")),
    ("hub scrub", "unknown context", ("--context", "xc-hub")),
    ("hub status", "unknown context", ("--context", "xc-hub")),
    ("notify check", "no rules", ()),
    ("notify log", "too low a limit", ("--limit", "0")),
    ("notify run", "no rules", ()),
    ("notify test", "no rules", ("duty",)),
    ("service install", "another option", ("hub", "--user", "--print", "--", "--nonsense")),
    ("service list", "too many arguments", ("now",)),
    ("service remove", "no such unit", ("tocsin-hub-xc", "--dir", "nowhere")),
    ("backup", "it exists", ("xa-csirt.pem",)),
    ("restore", "no archive", ("native/broken.misp.json",)),
    ("drill answer", "not held", (NOBODY, "--exercise", "check")),
    ("drill comcheck", "no such audience", ("--to", "nobody", "--within", "1")),
    ("drill run", "no such file", ("drills/nowhere.toml",)),
    ("bundle export", "nobody says yes", ("--out", "nothing.tocsin")),
    ("bundle import", "no bundle", ("native/broken.misp.json",)),
    ("bundle inspect", "no bundle", ("native/broken.misp.json",)),
    ("people add", "no role", ("ann", "--name", "Ann Example", "--context", "xa-hub")),
    ("people audit", "another head", ("--verify", "--head", UNKNOWN_KEY, "--context", "xa-hub")),
    ("people disable", "nobody of that id", ("nobody", "--context", "xa-hub")),
    ("people end-feed", "no such address", ("9999", "--context", "xa-hub")),
    ("people end-session", "no such session", ("9999", "--context", "xa-hub")),
    ("people feeds", "nobody of that id", ("nobody", "--context", "xa-hub")),
    ("people link", "nobody of that id", ("nobody", "--context", "xa-hub")),
    ("people list", "unknown context", ("--context", "xc-hub")),
    ("people role", "nobody of that id", ("nobody", "reader", "--context", "xa-hub")),
    ("people sessions", "nobody of that id", ("nobody", "--context", "xa-hub")),
    ("people token", "nobody of that id", ("nobody", "--context", "xa-hub")),
    ("audit head", "no such file", ("--file", "nowhere.log")),
    ("audit archive", "it exists", ("xa-csirt.pem",)),
    ("audit show", "no such file", ("--file", "nowhere.log")),
    ("audit verify", "another head", ("--head", UNKNOWN_KEY)),
    ("outbox prune", "unknown context", ("--context", "xc-csirt")),
    ("outbox reanchor", "no such channel", ("actual.green.nobody", "--reason", "Theft.", "--yes", "--timeout", "1")),
    ("outbox receipts", "not held", (NOBODY, "--offline")),
    ("outbox recover", "nobody says yes", ()),
    ("outbox retry", "unknown context", ("--context", "xc-csirt")),
    ("outbox scrub", "unknown context", ("--context", "xc-csirt")),
    ("outbox status", "unknown context", ("--context", "xc-csirt")),
    ("heartbeat once", "unknown context", ("--context", "xc-csirt")),
    ("heartbeat run", "unknown context", ("--context", "xc-csirt")),
    ("adapter convert", "a broken file", ("native/broken.misp.json", "--from", "misp-event")),
    ("adapter convert", "no such format", ("native/portal.misp.json", "--from", "misp")),
    ("adapter list", "too many arguments", ("now",)),
    ("adapter run", "no such adapter", ("cybr", "--stdin")),
    ("schema export", "no such document", ("--name", "buletin")),
    ("vocab", "no such vocabulary", ("distarm", "T0086")),
    ("bench", "too few rounds", ("--rounds", "0")),
    ("doctor", "unknown context", ("--context", "xc-hub")),
    ("context add", "options are missing", ("xc-hub",)),
    ("context current", "unknown context", ("--context", "xc-hub")),
    ("context ls", "too many arguments", ("now",)),
    ("context set", "nothing to change", ("xa-csirt",)),
    ("context show", "unknown context", ("xa-csrit",)),
    ("context use", "unknown context", ("xa-csrit",)),
    ("config show", "too many arguments", ("now",)),
    ("completion", "no such shell", ("tcsh",)),
    ("help", "no such topic", ("exit-code",)),
)  # fmt: skip


def play(desk: Desk) -> None:
    """Run each, on settings that name no broker that runs."""
    desk.name(NOBODY, "id of nobody")
    calls = [
        Call(command=command, title=title, arguments=arguments, forms=WITHOUT_TERMINAL)
        for command, title, arguments in _CALLS
    ]
    desk.together(call for call in calls if call.command not in _ALONE)
    for call in calls:
        if call.command in _ALONE:
            desk.run(call)
