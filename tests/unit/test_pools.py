"""Pools of workers: what a file may say, and what follows from it."""

from pathlib import Path

import pytest

from unitask.cluster.pools import everything, read
from unitask.settings import WrongSetting
from unitask.spec.cluster import ProductDemand

GOOD = """
[[pool]]
name = "flux"
products = ["Qubico/flux1-*"]
engines = ["diffusers"]
gpus = 1
cpus = 4
memory_gib = 24
most = 8

[[pool]]
name = "rest"
least = 1
"""
GIB = 2**30


def written(folder: Path, text: str) -> Path:
    """Write a file of pools."""
    path = folder / "cluster.toml"
    path.write_text(text)
    return path


def test_a_file_of_pools_is_read_in_its_order(tmp_path: Path) -> None:
    """What is not said has its usual value; what a worker takes is said in Ray's words."""
    flux, rest = read(written(tmp_path, GOOD))
    assert flux.needs() == {"CPU": 4, "GPU": 1, "memory": 24 * GIB}
    assert flux.settings() == {
        "UNITASK_PRODUCTS": "Qubico/flux1-*",
        "UNITASK_ENGINES": "diffusers",
        "UNITASK_SLOTS": "1",
        "UNITASK_DRAIN_S": "600",
    }
    assert (rest.name, rest.products, rest.least, rest.most) == ("rest", ("*",), 1, None)
    assert rest.settings()["CUDA_VISIBLE_DEVICES"] == "", "who asked for no card sees none"
    assert "UNITASK_ENGINES" not in rest.settings(), "without names, all engines of the node"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "pool: Field required"),
        ("pool = 3", "pool: Input should be a valid list"),
        ("[[pool]]\ngpus = 1", "pool number 1, name: Field required"),
        ('[[pool]]\nname = "A b"', "pool A b, name: String should match pattern"),
        ('[[pool]]\nname = "a"\nleast = 1\n[[pool]]\nname = "a"\nleast = 1', "two pools have the name a"),
        ('[[pool]]\nname = "a"\ngpu = 1', "pool a, gpu: Extra inputs are not permitted"),
        ('[[pool]]\nname = "a"\ngpus = 1.5', "pool a: gpus above 1 must be a whole number"),
        ('[[pool]]\nname = "a"\nleast = 3\nmost = 2', "pool a: most is 2, below least, which is 3"),
        ('[[pool]]\nname = "a"\nwait_s = -1', "pool a, wait_s: Input should be greater than or equal to 0"),
        ('[[pool]]\nname = "a"\nidle_s = inf', "pool a, idle_s: Input should be"),
        ('[[pool]]\nname = "a"\ntasks_per_worker = 0', "pool a, tasks_per_worker: Input should be greater than 0"),
        ('[[pool]]\nname = "a"\nproducts = []', "pool a, products: Tuple should have at least 1 item"),
        ('[[pool]]\nname = "a"\nengines = ["cpu,preview"]', "pool a: products and engines are lists of names"),
        ('[[pool]]\nname = "a"', "pool a: engines must be named where least is 0"),
        ("[[pool", "Expected ']]' at the end"),
    ],
)
def test_a_wrong_file_is_refused_with_the_name_of_the_key(tmp_path: Path, text: str, said: str) -> None:
    """A person finds the place by the sentence."""
    path = written(tmp_path, text)
    with pytest.raises(WrongSetting) as refused:
        read(path)
    assert str(path) in str(refused.value)
    assert said in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """And the system's reason."""
    with pytest.raises(WrongSetting, match="No such file"):
        read(tmp_path / "cluster.toml")


def test_a_pool_takes_what_its_patterns_and_its_engines_say(tmp_path: Path) -> None:
    """In any letter case, as patterns of products are read everywhere."""
    flux, rest = read(written(tmp_path, GOOD))

    def line(product: str, engine: str) -> ProductDemand:
        return ProductDemand(product=product, engine=engine, waiting=1, processing=0, oldest_s=1)

    assert flux.takes(line("qubico/FLUX1-dev/txt2img", "diffusers"))
    assert not flux.takes(line("Qubico/flux1-dev/txt2img", "preview"))
    assert not flux.takes(line("Qubico/wanx/txt2video-14b", "diffusers"))
    assert rest.takes(line("Qubico/wanx/txt2video-14b", "diffusers"))


def test_without_a_bound_a_pool_is_as_large_as_the_cluster(tmp_path: Path) -> None:
    """What runs out first decides; what the cluster lacks altogether, holds none."""
    pool = read(
        written(tmp_path, '[[pool]]\nname = "a"\nengines = ["cpu"]\ngpus = 0.5\ncpus = 2\nresources = { box = 0.1 }')
    )[0]
    assert pool.limit({"CPU": 9, "GPU": 1, "box": 1}) == 2
    assert pool.limit({"CPU": 9, "GPU": 8, "box": 0.3}) == 3
    assert pool.limit({"CPU": 64, "GPU": 8}) == 0
    assert read(written(tmp_path, GOOD))[0].limit({}) == 8, "a bound of one's own holds"


def test_an_installation_without_a_file_has_one_pool() -> None:
    """A worker for each card, or for each core where there is none."""
    (cards,) = everything({"CPU": 16, "GPU": 4}, ("diffusers",))
    (cores,) = everything({"CPU": 16}, ())
    assert (cards.gpus, cards.least, cards.limit({"CPU": 16, "GPU": 4})) == (1, 0, 4)
    assert (cores.gpus, cores.least, cores.limit({"CPU": 16})) == (0, 1, 16), "who names no engines keeps a worker"


def test_a_shape_changes_with_what_a_worker_is_started_with(tmp_path: Path) -> None:
    """And with nothing else: other bounds replace no worker."""
    head = '[[pool]]\nname = "a"\nleast = 1\n'
    (pool,) = read(written(tmp_path, head))
    shapes = {pool.shape("1"), pool.shape("2")}
    for more in ("gpus = 1", "cpus = 2", "memory_gib = 1", "slots = 2", 'engines = ["cpu"]', 'products = ["a/*"]'):
        shapes.add(read(written(tmp_path, head + more))[0].shape("1"))
    assert len(shapes) == 8
    assert read(written(tmp_path, f"{head}most = 3\nidle_s = 1"))[0].shape("1") == pool.shape("1")
