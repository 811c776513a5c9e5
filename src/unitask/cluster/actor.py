"""What Ray runs on a node for each worker: an actor that keeps one `unitask worker` process.

The worker is a process of its own, so that its signals, its process groups and its engines are as everywhere else.
"""

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any, Final

from unitask.cluster.scaling import pause_s
from unitask.spec.cluster import ActorState

_LATE_S: Final = 15.0
_LIVED_S: Final = 60.0
# Ray has chosen the devices: what the node's own environment says of them would contradict it.
_NOT_OURS: Final = ("UNITASK_DEVICES",)


class WorkerActor:
    """Starts a worker, starts it again when it ends by itself, ends it when it is drained.

    Ray calls `__init__` again wherever it starts the actor again, so that nobody else has to be there for it.
    """

    def __init__(self, settings: Mapping[str, str], drain_s: float) -> None:
        self._settings = dict(settings)
        self._drain_s = drain_s
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._note = ""
        self._ended = False
        # The kernel ends the worker with the thread that started it, and this one lives as long as the actor.
        threading.Thread(target=self._keep, name="keeper", daemon=True).start()

    def look(self) -> dict[str, Any]:
        """Tell how it is, in plain words that a controller of another release understands."""
        process = self._process
        return {
            "state": self._state().value,
            "ended": self._ended,
            "worker": f"{platform.node()}:{process.pid}" if process else "",
            "note": self._note,
        }

    def drain(self) -> None:
        """Let the worker finish what it has, and start no other. Returns at once; a second call changes nothing."""
        with self._lock:
            if self._stop.is_set():
                return
            self._stop.set()
            process = self._process
            if process and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                late = threading.Timer(self._drain_s + _LATE_S, process.kill)
                late.daemon = True
                late.start()

    def _state(self) -> ActorState:
        if self._stop.is_set():
            return ActorState.DRAINING
        if self._process:
            return ActorState.RUNNING
        return ActorState.FAILING if self._note else ActorState.PENDING

    def _keep(self) -> None:
        failures = 0
        while not self._stop.is_set():
            began = time.monotonic()
            said = self._run()
            failures = 0 if time.monotonic() - began > _LIVED_S else failures
            wait_s = pause_s(failures)
            self._note = f"{said}; another is started after {wait_s:g} s"
            self._stop.wait(wait_s)
            failures += 1
        self._ended = True

    def _run(self) -> str:
        """Run a worker to its end; tells how that was."""
        try:
            process = self._start()
        except OSError as error:
            return f"the worker could not be started: {error}"
        status = process.wait() if process else 0
        self._process = None
        return f"the worker ended with status {status}"

    def _start(self) -> subprocess.Popen[bytes] | None:
        """Start a worker, unless none is to run any more."""
        with self._lock:
            if self._stop.is_set():
                return None
            outside = {name: value for name, value in os.environ.items() if name not in _NOT_OURS}
            self._process = subprocess.Popen(
                [sys.executable, "-m", "unitask", "worker", "--embedded"],
                stdin=subprocess.PIPE,
                env={**outside, **self._settings},
                start_new_session=True,
            )
            return self._process
