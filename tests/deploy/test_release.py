"""What a release is made of: wheels that anyone builds to the same bytes, that work alone, and a bill of materials."""

import importlib.util
import os
import re
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest

from support.keys import API_KEY
from support.machine import Api, Program
from support.source import ROOT, text_of

SCRIPTS = ROOT / "scripts"


def script(name: str) -> ModuleType:
    """Import a script."""
    spec = importlib.util.spec_from_file_location(f"script_{name}", SCRIPTS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build a release; that fails if a second build differs."""
    if subprocess.run(["git", "rev-parse"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("this is no checkout: what belongs to the project is not known")
    folder = tmp_path_factory.mktemp("release") / "dist"
    done = subprocess.run(
        [sys.executable, SCRIPTS / "wheel.py", folder], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_a_release_has_the_sums_of_its_files(dist: Path) -> None:
    """As the usual program reads them."""
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=dist, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = {re.sub(r"-\d[\d.]*\d", "", path.name) for path in dist.iterdir()}
    assert kinds == {
        "SHA256SUMS",
        "unitask-py3-none-any.whl",
        "unitask.tar.gz",
        "unitask_sdk-py3-none-any.whl",
        "unitask_sdk.tar.gz",
    }


def test_the_wheel_has_every_file_of_the_package(dist: Path) -> None:
    """Statements, cards, graphs and the files of the dashboard among them."""
    command = ["git", "ls-files", "src/unitask"]
    known = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    (wheel,) = dist.glob("unitask-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        inside = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert inside == {name.removeprefix("src/") for name in known if name and (ROOT / name).is_file()}


@pytest.fixture
def installed(dist: Path, tmp_path: Path) -> Iterator[Api]:
    """Install the wheels, without the network, where this checkout is not seen, and start a server."""
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True, timeout=60)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", place / "bin" / "python"]
    wheels = sorted(dist.glob("*.whl"))
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", *wheels], check=True, timeout=60)
    ours = {"DATA": str(tmp_path / "data"), "PORT": "0", "API_KEY": API_KEY, "ENGINES": "cpu,preview"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UNITASK_")}
    environment |= {f"UNITASK_{name}": value for name, value in ours.items()}
    environment["PYTHONPATH"] = sysconfig.get_path("purelib")  # what they need; the checkout is in no folder of it
    command = [str(place / "bin" / "python"), "-c", "import unitask; print(unitask.__file__)"]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout).is_relative_to(place)
    out, err = tmp_path / "out", tmp_path / "err"
    with out.open("wb") as out_file, err.open("wb") as err_file:
        program = Program(
            subprocess.Popen(
                [place / "bin" / "unitask", "up"],
                cwd=tmp_path,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out_file,
                stderr=err_file,
                start_new_session=True,
            ),
            out,
            err,
        )
    try:
        api = Api(program.address)
        yield api
        api.http.close()
    finally:
        program.clear_away()


def test_the_wheel_alone_makes_a_picture(installed: Api) -> None:
    """With nothing of the checkout: a migration, an order, a file, and the dashboard."""
    body = {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": {"prompt": "a cat"}}
    task_id = installed.http.post("/api/v1/task", json=body).json()["data"]["task_id"]
    task = installed.ended(task_id, within_s=40)
    assert task["status"] == "completed", task["error"]
    path = "/files/" + task["output"]["image_url"].partition("/files/")[2]
    assert installed.http.get(path).content[:4] in {b"\x89PNG", b"\xff\xd8\xff\xe0"}
    assert "<title>" in installed.http.get("/dashboard").text


def test_a_build_that_differs_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte is enough, and the file is named."""
    wheel = script("wheel")
    build = wheel.build

    def changing(source: Path, target: Path, epoch: str, changes: dict[str, str]) -> None:
        build(source, target, epoch, changes)
        if changes is wheel.ELSEWHERE:
            (made,) = target.glob("*.whl")
            made.write_bytes(made.read_bytes() + b" ")

    monkeypatch.setattr(wheel, "PACKAGES", {"unitask-sdk": Path("sdk")})
    monkeypatch.setattr(wheel, "build", changing)
    with pytest.raises(SystemExit, match=r"not reproducible: \['unitask_sdk-[^']*whl'"):
        wheel.release(tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


@pytest.fixture(scope="module")
def bills(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """Write the bill of materials twice, at once, in two time zones."""
    folder = tmp_path_factory.mktemp("bills")
    running = [
        subprocess.Popen(
            [sys.executable, SCRIPTS / "sbom.py", folder / str(number)],
            cwd=folder,
            env={**os.environ, "TZ": zone, "PYTHONHASHSEED": str(number)},
            stdout=subprocess.DEVNULL,
        )
        for number, zone in enumerate(["UTC", "Pacific/Auckland"])
    ]
    for one in running:
        one.communicate(timeout=60)
    assert [one.returncode for one in running] == [0, 0]
    return [(folder / str(number)).read_bytes() for number in range(2)]


def test_the_bill_of_materials_has_no_time_and_no_chance(bills: list[bytes]) -> None:
    """Whoever writes it from the same lock has the same bytes."""
    assert bills[0] == bills[1]
    found = orjson.loads(bills[0])
    assert "serialNumber" not in found
    assert "timestamp" not in found["metadata"]


def test_the_bill_of_materials_is_the_lock(bills: list[bytes]) -> None:
    """Every package in its version with the hashes of its files and its licence, and our own two packages."""
    found: dict[str, Any] = orjson.loads(bills[0])
    lock = text_of(ROOT / "requirements" / "run.txt") or ""
    locked = set(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([^\s;]+)", lock, re.MULTILINE))
    parts = {one["name"]: one for one in found["components"]}
    root = found["metadata"]["component"]
    named = {(one["name"], one["version"]) for one in found["components"]}
    assert named == locked | {("unitask-sdk", root["version"])}
    assert root["name"] == "unitask"
    for one in found["components"]:
        name = one["name"]
        assert one["licenses"][0]["expression"], name
        hashes = [value for place in one.get("externalReferences", []) for value in place["hashes"]]
        assert bool(hashes) is (name != "unitask-sdk"), name
    direct = next(one["dependsOn"] for one in found["dependencies"] if one["ref"] == root["bom-ref"])
    assert {"pkg:pypi/unitask-sdk@" + root["version"], parts["httpx"]["bom-ref"]} <= set(direct)
    assert parts["idna"]["bom-ref"] not in direct
