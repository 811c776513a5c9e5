"""The actors on a Ray cluster, found by their names: started, looked at, drained, removed. All that speaks to Ray."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self
from uuid import uuid4

from unitask.cluster.actor import WorkerActor
from unitask.cluster.pools import Pool
from unitask.kit.errors import Unavailable
from unitask.spec.cluster import ActorState

_ANSWER_S: Final = 0.3
_LEAD_S: Final = 5.0
_LOCK: Final = "controller"
_FOR_EVER: Final = -1
_LOCAL_STORE_BYTES: Final = 80_000_000
# Of Ray, read when it is imported: nothing is reported to its makers; alone on a machine, it listens on loopback only.
_QUIET: Final = {"RAY_USAGE_STATS_ENABLED": "0"}
_ALONE: Final = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}


@dataclass(frozen=True, slots=True)
class Member:
    """An actor as it was seen. Its name says its pool and with what it was started, so that nobody has to remember."""

    name: str
    pool: str
    shape: str
    state: ActorState
    ended: bool = False
    worker: str = ""
    node: str = ""
    restarts: int = 0
    note: str = ""


class Lead:
    """An actor that lives as long as the controller that made it: its name can be taken once."""

    def __init__(self, holder: str) -> None:
        self._holder = holder

    def holder(self) -> str:
        """Tell who leads."""
        return self._holder


class _Node(WorkerActor):
    """The worker's actor, which knows where Ray has put it."""

    def look(self) -> dict[str, Any]:
        """Add what Ray knows."""
        import ray  # noqa: PLC0415 - an extra, and slow

        context = ray.get_runtime_context()
        return {
            **super().look(),
            "node": ray.util.get_node_ip_address(),
            "again": context.was_current_actor_reconstructed,
        }


class Fleet:
    """The actors of one controller's name on one Ray cluster. Blocks; for one thread."""

    def __init__(self, ray: Any, name: str) -> None:
        self._ray = ray
        self._namespace = f"unitask-{name}"
        self._holder = uuid4().hex
        self._handles: dict[str, Any] = {}
        self._asked: dict[str, Any] = {}
        self._seen: dict[str, Member] = {}

    @classmethod
    def join(cls, address: str, name: str) -> Self:
        """Connect to a Ray cluster; `local` starts one on this machine that ends with this process.

        Raises:
            Unavailable: Ray is not installed, or there is no such cluster.

        """
        os.environ.update(_QUIET)
        if address == "local":
            os.environ.update(_ALONE)
        try:
            import ray  # noqa: PLC0415 - an extra, and slow
        except ModuleNotFoundError as error:
            if error.name != "ray":
                raise
            raise Unavailable("this needs the extra ray; install it with: pip install 'unitask[ray]'") from None
        alone = {"include_dashboard": False, "object_store_memory": _LOCAL_STORE_BYTES} if address == "local" else {}
        try:
            ray.init(
                address=address,
                namespace=f"unitask-{name}",
                log_to_driver=False,
                configure_logging=False,
                **alone,
            )
        except (OSError, RuntimeError, ValueError, ImportError, AssertionError) as error:
            raise Unavailable(f"Ray at {address} cannot be reached: {error}") from error
        return cls(ray, name)

    def close(self) -> None:
        """Let go of the cluster; what runs there goes on, unless it is `local`."""
        self._ray.shutdown()

    def leads(self) -> bool:
        """Be the one controller of this name on this cluster, or try to become it."""
        options = {"name": _LOCK, "namespace": self._namespace, "num_cpus": 0, "max_restarts": _FOR_EVER}
        try:
            if _LOCK not in self._handles:
                self._handles[_LOCK] = self._ray.remote(Lead).options(**options).remote(self._holder)
            return bool(self._ray.get(self._handles[_LOCK].holder.remote(), timeout=_LEAD_S) == self._holder)
        except ValueError:  # the name is taken
            return False
        except self._ray.exceptions.GetTimeoutError:
            return False
        except self._ray.exceptions.RayActorError:
            self._handles.pop(_LOCK, None)
            return False

    def resources(self) -> dict[str, float]:
        """List what all nodes that live have, in Ray's words."""
        return dict(self._ray.cluster_resources())

    def nodes(self) -> int:
        """Count the nodes that live."""
        return sum(1 for node in self._ray.nodes() if node["Alive"])

    def start(self, pool: Pool, shape: str, settings: Mapping[str, str]) -> None:
        """Ask Ray for one more worker of a pool, on any node that has what it needs, for as long as it is wanted."""
        name = f"{pool.name}.{shape}.{uuid4().hex[:8]}"
        needs = pool.needs()
        handle = (
            self._ray.remote(_Node)
            .options(
                name=name,
                namespace=self._namespace,
                lifetime="detached",
                num_cpus=needs.pop("CPU", 0),
                num_gpus=needs.pop("GPU", 0),
                memory=int(needs.pop("memory", 0)) or None,
                resources=needs,
                max_restarts=_FOR_EVER,
                max_concurrency=4,
                scheduling_strategy="SPREAD",
            )
            .remote(dict(settings), pool.drain_s)
        )
        self._know(name, handle)

    def drain(self, member: Member) -> None:
        """Let a worker finish what it has and start nothing more; one that Ray has not started yet hears it then."""
        self._handles[member.name].drain.remote()

    def remove(self, member: Member) -> None:
        """Take an actor away, so that Ray does not start it again."""
        self._ray.kill(self._handles[member.name], no_restart=True)
        for known in (self._handles, self._asked, self._seen):
            known.pop(member.name, None)

    def look(self) -> list[Member]:
        """Look at all actors, those of earlier controllers too. One that does not answer is as it was seen last."""
        names = {name for name in self._ray.util.list_named_actors() if name.count(".") == 2}  # noqa: PLR2004 - pool, shape, id
        for name in self._seen.keys() - names:
            for known in (self._handles, self._asked, self._seen):
                known.pop(name, None)
        for name in names - self._seen.keys():
            try:
                self._know(name, self._ray.get_actor(name, namespace=self._namespace))
            except ValueError:
                continue  # it has gone in between
        self._hear()
        return list(self._seen.values())

    def _know(self, name: str, handle: Any) -> None:
        pool, shape, _ = name.split(".")
        self._handles[name] = handle
        self._seen[name] = Member(name, pool, shape, ActorState.PENDING)

    def _hear(self) -> None:
        """Ask those who owe no answer, and take the answers that come within a moment."""
        for name in self._seen.keys() - self._asked.keys():
            self._asked[name] = self._handles[name].look.remote()
        refs = {ref: name for name, ref in self._asked.items()}
        if not refs:
            return
        come, _ = self._ray.wait(list(refs), num_returns=len(refs), timeout=_ANSWER_S)
        for ref in come:
            name = refs[ref]
            del self._asked[name]
            self._seen[name] = self._answer(self._seen[name], ref)

    def _answer(self, last: Member, ref: Any) -> Member:
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayActorError:
            # Ray starts it again; if not, its name is gone at the next look.
            return Member(last.name, last.pool, last.shape, ActorState.RESTARTING, note=last.note)
        return Member(
            last.name,
            last.pool,
            last.shape,
            ActorState(said["state"]),
            ended=said["ended"],
            worker=said["worker"],
            node=said["node"],
            restarts=int(said["again"]),
            note=said["note"],
        )
