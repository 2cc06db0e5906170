"""A union of three nodes by the command line, in clear and with certificates: each dies once and comes back by the same command."""

from __future__ import annotations

import datetime as dt
import json
import os
import re
import shutil
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from bus.demo.federation import free_port
from bus.server.monitor import read_monitor
from bus.server.running import ports_of
from tests.support.certificates import Ca
from tests.support.office import TOCSIN, Desk
from tests.support.waiting import eventually_sync, longest
from tests.support.world import make_world

NODES = (1, 2, 3)
SECRET = "route.secret"


class Cluster:
    """Three nodes of the union `west`, each with a registry, a context and a folder of its own, on this machine."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, *, secure: bool) -> None:
        self.desk = Desk(folder, patch)
        self.programs: dict[int, subprocess.Popen[bytes]] = {}
        world = make_world(dt.datetime.now(dt.UTC).replace(microsecond=0))
        scheme, host = ("tls", "localhost") if secure else ("nats", "127.0.0.1")
        ca = Ca(folder / "ca") if secure else None
        nodes = []
        for node in NODES:
            place = f"{host}:{free_port()}"
            nodes.append(f'{{ url = "nats://{place}", route = "nats-route://{host}:{free_port()}" }}')
            (folder / f"registry{node}").mkdir()
            (folder / f"registry{node}" / "registry.tocsin.json").write_bytes(world.raw)
            certified: tuple[str, ...] = ()
            if ca is not None:
                client = ca.issue(f"client-{node}", client=True)
                certified = (
                    "--tls-ca",
                    str(ca.file),
                    "--tls-cert",
                    str(client[0]),
                    "--tls-key",
                    str(client[1]),
                )
                files = self.folder(node) / "tls"
                files.mkdir(parents=True)
                cert, key = ca.issue(f"node-{node}", hosts=("localhost",), client=True)
                for source, name in ((cert, "server.pem"), (key, "server.key"), (ca.file, "ca.pem")):
                    shutil.copy(source, files / name)
            self.desk.run(
                *("context", "add", f"node{node}", "--authority", "west", "--domain", world.registry.domain),
                *("--pin", world.pin, "--registry", f"registry{node}/registry.tocsin.json"),
                *("--state", f"state{node}", "--server", f"{scheme}://{place}", *certified),
            )
        carriers = {cc: self.desk.run("server", "carrier-key", f"{cc}/broker").strip() for cc in ("xa", "xb")}
        (folder / "federation.toml").write_text(
            f"[unions.west]\nnodes = [{', '.join(nodes)}]\n"
            + "".join(f'[countries.{cc}]\ncarrier = "{key}"\n' for cc, key in carriers.items())
        )

    def folder(self, node: int) -> Path:
        """Where a node has its store."""
        return self.desk.folder / f"node{node}" / "broker"

    def words(self, verb: str, node: int) -> tuple[str, ...]:
        """A command about a node."""
        joined = ("--federation", "federation.toml", "--as", "west", "--node", str(node))
        return ("server", verb, f"node{node}/broker", *joined, "--context", f"node{node}")

    def said(self, node: int) -> str:
        """What the program of a node has said since it was started."""
        return (self.desk.folder / f"node{node}.said").read_text()

    def start(self, node: int) -> None:
        """Start one."""
        with (self.desk.folder / f"node{node}.said").open("wb") as out:
            self.programs[node] = subprocess.Popen(
                [TOCSIN, *self.words("run", node)],
                cwd=self.desk.folder,
                env=self.desk.env,
                stdout=out,
                stderr=out,
            )

    def until_serving(self, node: int) -> None:
        """Wait for its word."""

        def serves() -> bool:
            assert self.programs[node].poll() is None, self.said(node)
            return re.search(r"^serving ", self.said(node), re.MULTILINE) is not None

        eventually_sync(serves, describe=lambda: self.said(node))

    def check(self, node: int) -> tuple[int, str]:
        """Exit code and what failed."""
        done = subprocess.run(
            [TOCSIN, *self.words("check", node)],
            cwd=self.desk.folder,
            env=self.desk.env,
            capture_output=True,
            text=True,
        )
        failed = [line for line in done.stdout.splitlines() if line.startswith("FAIL")]
        return done.returncode, "\n".join([*failed, done.stderr])

    def until_sound(self) -> None:
        """Wait until the check of each passes."""
        for node in NODES:
            eventually_sync(partial(self.is_sound, node), describe=partial(self.check, node))

    def is_sound(self, node: int) -> bool:
        """Whether its check passes."""
        return self.check(node)[0] == 0

    def pid(self, node: int) -> int:
        """Its nats-server."""
        found = ports_of(self.folder(node))
        assert found is not None
        return found.pid


@pytest.mark.faults
@pytest.mark.parametrize("secure", [False, True], ids=["in clear", "with certificates"])
def test_each_node_of_a_union_dies_and_comes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    """The first waits for the others; the secret is copied as the guide says; then `server run`, nats-server, both."""
    cluster = Cluster(tmp_path, monkeypatch, secure=secure)
    told = cluster.desk.run(*cluster.words("run", 2), code=3)
    assert SECRET in told
    try:
        cluster.start(1)
        eventually_sync((cluster.folder(1) / SECRET).exists)
        for node in (2, 3):
            cluster.folder(node).mkdir(parents=True, exist_ok=True)
            shutil.copy2(cluster.folder(1) / SECRET, cluster.folder(node) / SECRET)
            cluster.start(node)
        for node in NODES:
            cluster.until_serving(node)
        cluster.until_sound()
        _lose_an_import(cluster, 1)
        for node, victims in ((2, "program"), (3, "server"), (1, "both")):
            program = cluster.programs[node]
            dying = {"program": [program.pid], "server": [cluster.pid(node)]}.get(
                victims, [program.pid, cluster.pid(node)]
            )
            for pid in dying:
                os.kill(pid, signal.SIGKILL)
            assert program.wait(longest()) == (7 if victims == "server" else -signal.SIGKILL)
            assert cluster.check(node)[0] != 0
            cluster.start(node)
            cluster.until_serving(node)
            cluster.until_sound()
    finally:
        for program in cluster.programs.values():
            program.send_signal(signal.SIGTERM)
        codes = [program.wait(longest()) for program in cluster.programs.values()]
    assert codes == [0, 0, 0], [cluster.said(node) for node in NODES]


def _lose_an_import(cluster: Cluster, node: int) -> None:
    """Somebody takes an import out of a node's configuration, has it reloaded, and puts it back: the node is mended."""
    file = cluster.folder(node) / "nats-server.conf"
    sound = file.read_text()
    accounts = sound.partition("\naccounts {")[2]
    line = re.findall(r"^      \{ service: \{ account: BUS, subject: .*$", accounts, re.MULTILINE)[-2]
    at = ports_of(cluster.folder(node))
    assert at is not None
    monitor = at.addresses["monitoring"][0]

    def loaded() -> str:
        return str(read_monitor(monitor, "varz")["config_load_time"])

    before = loaded()
    head, _, tail = sound.rpartition(f"{line}\n")
    file.write_text(head + tail)
    os.kill(at.pid, signal.SIGHUP)
    eventually_sync(lambda: loaded() != before)
    file.write_text(sound)
    eventually_sync(lambda: cluster.check(node)[0] == 0, describe=lambda: json.dumps(cluster.check(node)))
    assert "imports lost" in cluster.said(node)
