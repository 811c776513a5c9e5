"""Pools of workers as data: what each is for, what a worker of it takes of a node, and how many there may be."""

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from unitask.settings import WrongSetting
from unitask.spec.cluster import ClusterName, ProductDemand
from unitask.spec.product import is_named

_MOST_WORKERS: Final = 1000
_DAY_S: Final = 86_400
_PART: Final = 1e-9

Part = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=_DAY_S, allow_inf_nan=False)]


class Pool(BaseModel):
    """Workers of one kind. Numbers of a node's things are what Ray is asked for; times are in seconds.

    `products`: patterns such as `Qubico/flux1-*`. `engines`: none named means all that a node has; of named ones orders
    are taken although no worker runs. `resources`: further ones of Ray. `most`: without it, as many as the cluster
    holds. See `unitask.cluster.scaling` for the rest.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ClusterName
    products: Annotated[tuple[str, ...], Field(min_length=1, max_length=100)] = ("*",)
    engines: Annotated[tuple[str, ...], Field(max_length=100)] = ()
    gpus: Part = 0
    cpus: Part = 1
    memory_gib: Part = 0
    resources: dict[str, Part] = {}
    slots: int = Field(1, ge=1, le=256)
    least: int = Field(0, ge=0, le=_MOST_WORKERS)
    most: int | None = Field(None, ge=1, le=_MOST_WORKERS)
    tasks_per_worker: float = Field(4, gt=0, le=10_000, allow_inf_nan=False)
    wait_s: Seconds = 30
    idle_s: Seconds = 300
    cooldown_s: Seconds = 30
    drain_s: Seconds = 600

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most is {self.most}, below least, which is {self.least}")
        if self.gpus > 1 and self.gpus % 1:
            raise ValueError("gpus above 1 must be a whole number")
        if not self.least and not self.engines:
            raise ValueError("engines must be named where least is 0: while a pool is empty, nobody else can say them")
        if any("," in text or not text.strip() for text in (*self.products, *self.engines)):
            raise ValueError("products and engines are lists of names without commas, none of them empty")
        return self

    def takes(self, line: ProductDemand) -> bool:
        """Tell whether its workers make this product with this engine."""
        made = not self.engines or line.engine in self.engines
        return made and any(is_named(line.product, pattern) for pattern in self.products)

    def needs(self) -> dict[str, float]:
        """List what one worker takes of a node, in Ray's words."""
        needs = {"CPU": self.cpus, "GPU": self.gpus, "memory": self.memory_gib * 2**30, **self.resources}
        return {name: number for name, number in needs.items() if number}

    def held_by(self, resources: dict[str, float]) -> int:
        """Tell how many workers a cluster of these resources holds, at most a thousand."""
        fits = [int(resources.get(name, 0) / number + _PART) for name, number in self.needs().items()]
        return max(self.least, min([*fits, _MOST_WORKERS]))

    def limit(self, resources: dict[str, float]) -> int:
        """Give the most workers there may be on a cluster of these resources."""
        return self.held_by(resources) if self.most is None else self.most

    def settings(self) -> dict[str, str]:
        """Give the settings with which its workers start, beside the address and the token."""
        return {
            "UNITASK_PRODUCTS": ",".join(self.products),
            "UNITASK_SLOTS": str(self.slots),
            "UNITASK_DRAIN_S": f"{self.drain_s:g}",
            **({"UNITASK_ENGINES": ",".join(self.engines)} if self.engines else {}),
            **({} if self.gpus else {"CUDA_VISIBLE_DEVICES": ""}),
        }

    def shape(self, *started_with: str) -> str:
        """Name what a worker is started with: another name, and the workers must be replaced."""
        known: list[Any] = [self.settings(), self.needs(), *started_with]
        return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:8]


class _Plan(BaseModel):
    model_config = ConfigDict(extra="forbid")
    pool: list[Pool] = Field(min_length=1, max_length=100)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        names = [pool.name for pool in self.pool]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two pools have the name {name}")
        return self


def read(path: Path) -> tuple[Pool, ...]:
    """Read the pools of a TOML file, a table `[[pool]]` for each.

    Raises:
        WrongSetting: it cannot be read, or a key is missing, unknown or wrong; the sentence names the key.

    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        return tuple(_Plan.model_validate(document).pool)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        what = first["msg"].removeprefix("Value error, ")
        raise WrongSetting(f"{path} is wrong: {_where(first['loc'], document)}: {what}") from None
    except (OSError, ValueError) as error:
        raise WrongSetting(f"{path} is wrong: {error}") from None


def _where(place: tuple[int | str, ...], document: dict[str, Any]) -> str:
    """Name a key as a person finds it: the pool by its name, or by its place if it has none."""
    if len(place) > 1 and isinstance(place[1], int):
        table = document["pool"][place[1]]
        name = table.get("name") if isinstance(table, dict) else None
        pool = f"pool {name}" if isinstance(name, str) else f"pool number {place[1] + 1}"
        return ", ".join([pool, *map(str, place[2:3])])
    return str(place[0]) if place else "pool"


def everything(resources: dict[str, float], engines: tuple[str, ...]) -> tuple[Pool, ...]:
    """Give the one pool of an installation without a file: a worker for each GPU, or without any for each CPU."""
    gpus = 1 if resources.get("GPU", 0) >= 1 else 0
    least = 0 if engines else 1
    return (Pool.model_validate({"name": "all", "engines": engines, "gpus": gpus, "least": least}),)
