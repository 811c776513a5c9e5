"""What a controller of workers on Ray and the API say to each other, over HTTP with the worker token."""

from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, Field

from unitask.spec.protocol import PREFIX

DEMAND: Final = f"{PREFIX}/demand"
REPORT: Final = f"{PREFIX}/cluster"
REPORTS: Final = f"{PREFIX}/clusters"
COUNTED: Final = 1000
"""So many waiting tasks of one product at one engine are counted and looked at, however many there are."""
REPORT_S: Final = 30.0
"""How long a report is shown; a controller sends one every few seconds."""

ClusterName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Count = Annotated[int, Field(ge=0, le=2**31 - 1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Word = Annotated[str, Field(max_length=200)]


class ActorState(StrEnum):
    """Where a worker's actor stands.

    `pending`: Ray looks for a place, or starts it. `restarting`: its node or process died, and Ray starts it again.
    `failing`: its worker process ended, and it waits before it starts another.
    """

    PENDING = "pending"
    RUNNING = "running"
    RESTARTING = "restarting"
    FAILING = "failing"
    DRAINING = "draining"


class ProductDemand(BaseModel):
    """What is wanted of one product at one engine. `waiting` and `oldest_s` are of the first `COUNTED` in turn."""

    product: str
    engine: str
    waiting: int
    processing: int
    oldest_s: float | None


class DemandAnswer(BaseModel):
    """What is wanted of workers, and how many tasks each of them holds, by its name."""

    lines: list[ProductDemand]
    holding: dict[str, int]


class ActorReport(BaseModel):
    """One actor. `worker` is the name that its worker has at the API, `tasks` what that holds."""

    id: Word
    state: ActorState
    node: Word = ""
    worker: Word = ""
    tasks: Count = 0
    restarts: Count = 0
    note: Word = ""


class PoolReport(BaseModel):
    """One pool, and what is wanted of it. It makes `products`, by pattern, with `engines`; none named: nobody knows."""

    name: ClusterName
    products: list[Word] = Field(max_length=100)
    engines: list[Word] = Field(max_length=100)
    wanted: Count
    most: Count
    waiting: Count
    processing: Count
    oldest_s: Seconds | None
    actors: list[ActorReport] = Field(max_length=2000)


class ClusterReport(BaseModel):
    """What a controller sees and wants. `nodes`: those of Ray that live."""

    name: ClusterName
    version: Word
    nodes: Count
    pools: list[PoolReport] = Field(max_length=100)


class ReportSeen(ClusterReport):
    """A report, and how many seconds ago it came."""

    age_s: float


class ReportsAnswer(BaseModel):
    """The newest report of every controller that has been heard of in the last `REPORT_S` seconds."""

    clusters: list[ReportSeen]
