"""A whole SLURM on this machine: munge, controller and a node on loopback, in a folder of its own, without systemd."""

from __future__ import annotations

import os
import platform
import secrets
import signal
import socket
import subprocess
import time
from pathlib import Path

#: What Debian's packages slurm-wlm and munge bring.
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "sinfo")

CONFIG = """
ClusterName=workbench
SlurmctldHost={host}(127.0.0.1)
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmctldPort={controller}
SlurmdPort={node}
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
SchedulerParameters=sched_interval=2
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} RealMemory=4000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


class Slurm:
    """Runs while the context lasts. Afterwards its jobs, daemons and their processes are gone, whatever happened."""

    def __init__(self, folder: Path, cpus: int = 2) -> None:
        self.folder, self.cpus = folder, cpus
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self.daemons: list[subprocess.Popen] = []

    def __enter__(self) -> Slurm:
        try:
            self._configure()
            self._start("munged", "--foreground", "--force", *self._munge())
            self._until(lambda: (self.folder / "munge.socket").exists(), "munged opened no socket")
            self._start("slurmctld", "-D")
            self._start("slurmd", "-D", "-N", self.host)
            self._until(lambda: "idle" in self.run("sinfo", "-h", "-o", "%T"), "the node didn't become idle")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if len(self.daemons) == 3 and all(daemon.poll() is None for daemon in self.daemons):
            self.run("scancel", "--full", "--state=PENDING")
            self.run("scancel", "--full", "--state=RUNNING")
            end = time.monotonic() + 20
            while self.run("squeue", "-h") and time.monotonic() < end:
                time.sleep(0.5)
        for daemon in reversed(self.daemons):
            daemon.terminate()
        for daemon in self.daemons:
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for process in self.leftovers():  # of a job that outlived its daemon
            os.kill(process, signal.SIGKILL)

    def run(self, *command: str) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment, timeout=30)
        return done.stdout.strip()

    def leftovers(self) -> list[int]:
        """Processes whose environment names this SLURM's folder: its daemons' children and jobs."""
        found = []
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if f"SLURM_CONF={self.folder}/".encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                    found.append(int(path.parent.name))
            except OSError:  # ended meanwhile, or somebody else's
                continue
        return found

    def said(self) -> str:
        """The last lines of every daemon."""
        return "\n".join(f"{log.name}: {log.read_text()[-2000:]}" for log in sorted(self.folder.glob("*.log")))

    def _configure(self) -> None:
        self.folder.chmod(0o755)
        self.host = platform.node().partition(".")[0]
        for name in ("state", "spool"):
            (self.folder / name).mkdir()
        key = self.folder / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        controller, node = free_ports(2)
        text = CONFIG.format(
            host=self.host, folder=self.folder, user=user, controller=controller, node=node, cpus=self.cpus
        )
        (self.folder / "slurm.conf").write_text(text)

    def _munge(self) -> list[str]:
        kinds = {"key-file": "key", "socket": "socket", "pid-file": "pid", "seed-file": "seed"}
        named = [f"--{option}={self.folder}/munge.{ending}" for option, ending in kinds.items()]
        return [*named, f"--log-file={self.folder}/munge-own.log"]

    def _start(self, name: str, *arguments: str) -> None:
        with open(self.folder / f"{name}.log", "w") as log:
            command = [f"/usr/sbin/{name}", *arguments]
            self.daemons.append(subprocess.Popen(command, stdout=log, stderr=log, env=self.environment))

    def _until(self, true, problem: str, seconds: float = 60) -> None:
        end = time.monotonic() + seconds
        while not true():
            ended = [daemon.args[0] for daemon in self.daemons if daemon.poll() is not None]
            if ended or time.monotonic() > end:
                raise RuntimeError(f"{problem}{f' ({ended[0]} ended)' if ended else ''}\n{self.said()}")
            time.sleep(0.3)


def free_ports(count: int) -> list[int]:
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
