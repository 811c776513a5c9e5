"""What deploy/ says is true of the program: settings, commands, paths, ports, times; and its files are well-formed."""

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.source import ROOT, named, no_offenders, text_of
from unitask.api import Application
from unitask.app import Services
from unitask.cli import commands
from unitask.settings import Settings

DEPLOY = ROOT / "deploy"
FILES = sorted(path for path in DEPLOY.rglob("*") if path.is_file())
MANIFESTS = sorted(path for path in (DEPLOY / "kubernetes").rglob("*.yaml") if path.name != "kustomization.yaml")
SETTINGS = {f"UNITASK_{name.upper()}" for name in Settings.model_fields}
PORT = 8000
SCRATCH = "/tmp"  # noqa: S108 - of a container


def documents(path: Path) -> list[dict[str, Any]]:
    """Read the YAML documents of a file."""
    return [one for one in yaml.safe_load_all(text_of(path) or "") if one]


def pods() -> dict[str, dict[str, Any]]:
    """Find what runs in Kubernetes: the specifications of its pods, by name."""
    found = [one for path in MANIFESTS for one in documents(path)]
    return {
        one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found if "template" in one.get("spec", {})
    }


def services_of_compose() -> dict[str, dict[str, Any]]:
    """Read what compose starts, with what is written once filled in."""
    (found,) = documents(DEPLOY / "compose.yml")
    return dict(found["services"])


def seconds(text: str) -> float:
    """Read a time of compose."""
    assert text.endswith("s")
    return float(text[:-1])


def test_every_setting_that_is_named_exists() -> None:
    """A setting with a misspelt name would be ignored."""
    no_offenders(
        (
            f"{named(path)}: {name}"
            for path in FILES
            for name in re.findall(r"\bUNITASK_[A-Z0-9_]+\b", text_of(path) or "")
            if name not in SETTINGS
        ),
        "deploy/ names settings that exist.",
    )


def commands_of_deploy() -> Iterator[tuple[str, list[str]]]:
    """Find the commands that containers run."""
    for name, service in services_of_compose().items():
        if str(service.get("image")).startswith("unitask"):
            yield f"compose {name}", service["command"]
    for name, pod in pods().items():
        yield f"kubernetes {name}", pod["containers"][0]["args"]
    yield "Dockerfile", re.findall(r'^CMD \["(\w+)"\]', text_of(DEPLOY / "Dockerfile") or "", re.MULTILINE)


def test_every_command_that_is_run_exists() -> None:
    """The entry point is `unitask`, so the first word is one of its commands."""
    found = dict(commands_of_deploy())
    assert len(found) == 9
    no_offenders(
        (
            f"{where}: {words}"
            for where, words in found.items()
            if not words or words[0] not in commands.list_commands(None)
        ),  # type: ignore[arg-type]
        "Every container runs a command that exists.",
    )


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_probes_ask_for_paths_and_ports_that_exist(services: Services) -> None:
    """In Kubernetes, in compose and in the image."""
    known = {getattr(one, "path", "") for one in Application(services)._router.routes}
    asked = set()
    for pod in pods().values():
        for container in pod["containers"]:
            ports = {one["name"]: one["containerPort"] for one in container.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                if probe in container:
                    asked.add(container[probe]["httpGet"]["path"])
                    assert ports[container[probe]["httpGet"]["port"]] == PORT
    assert {"/healthz", "/readyz"} == asked
    texts = "".join(text_of(path) or "" for path in (DEPLOY / "Dockerfile", DEPLOY / "compose.yml"))
    asked |= set(re.findall(r"http://127\.0\.0\.1:(?:8000|8080)(/\w+)", texts))
    triggers = documents(DEPLOY / "kubernetes" / "keda" / "scaled-object.yaml")[0]["spec"]["triggers"]
    asked |= {"/" + one["metadata"]["url"].rpartition("/")[2] for one in triggers}
    assert asked <= known
    assert f"UNITASK_PORT={PORT}" in (text_of(DEPLOY / "Dockerfile") or "")


@pytest.mark.parametrize("database_source", ["sqlite"], indirect=True)
async def test_workers_are_counted_by_what_readiness_says(client: Any) -> None:
    """KEDA would fail on a value that is missing."""
    said = (await client.get("/readyz")).json()
    for trigger in documents(DEPLOY / "kubernetes" / "keda" / "scaled-object.yaml")[0]["spec"]["triggers"]:
        above, _, name = trigger["metadata"]["valueLocation"].partition(".")
        assert said[above][name] == 0


def test_workers_have_time_to_finish() -> None:
    """Whoever ends them waits longer than they drain."""
    composed = [one for one in services_of_compose().values() if one.get("command") == ["worker"]]
    times = [(one["environment"]["UNITASK_DRAIN_S"], seconds(one["stop_grace_period"])) for one in composed]
    pod = pods()["unitask-worker"]
    settings = {one["name"]: one["value"] for one in pod["containers"][0]["env"]}
    times.append((settings["UNITASK_DRAIN_S"], pod["terminationGracePeriodSeconds"]))
    assert len(times) == 3
    assert all(float(drain_s) + 20 <= grace_s for drain_s, grace_s in times), times


def test_only_servers_have_the_database_and_only_they_have_the_secret() -> None:
    """A worker needs an address and a token; what it does not have, nobody can take from it."""
    for service in services_of_compose().values():
        if service.get("command") == ["worker"]:
            assert {"UNITASK_API_URL", "UNITASK_WORKER_TOKEN"} <= service["environment"].keys()
            assert not {name for name in service["environment"] if re.search("DATABASE|SECRET|S3|KEY", name)}
    worker = pods()["unitask-worker"]["containers"][0]
    assert worker["envFrom"] == [{"secretRef": {"name": "unitask-worker"}}]


def test_everything_runs_as_nobody_on_a_root_that_it_cannot_write() -> None:
    """Only /data and /tmp are written to."""
    assert re.search(r"^USER 10001:10001$", text_of(DEPLOY / "Dockerfile") or "", re.MULTILINE)
    for name, service in services_of_compose().items():
        if str(service.get("image")).startswith("unitask"):
            assert (service["read_only"], service["cap_drop"], service["tmpfs"]) == (True, ["ALL"], [SCRATCH]), name
    for name, pod in pods().items():
        assert pod["securityContext"]["runAsNonRoot"], name
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"], name
        assert {one["mountPath"] for one in container["volumeMounts"]} == {"/data", SCRATCH}, name


def test_the_image_is_built_from_what_is_there() -> None:
    """Every file that is copied exists, and nothing keeps it out."""
    text = text_of(DEPLOY / "Dockerfile") or ""
    copied = [word for line in re.findall(r"^COPY (?!--)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    kept = {line[1:] for line in (text_of(DEPLOY / "Dockerfile.dockerignore") or "").splitlines() if line[:1] == "!"}
    assert copied
    no_offenders(
        (name for name in copied if not (ROOT / name).exists() or name not in kept), "What is copied is there."
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Copy the folder and let the script write its `.env`."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    (tmp_path / "deploy" / ".env").unlink(missing_ok=True)
    subprocess.run([tmp_path / "deploy" / "make-env.sh", "192.0.2.10"], check=True, capture_output=True)
    return tmp_path / "deploy"


def test_secrets_are_made_once_and_for_the_owner_alone(made: Path) -> None:
    """Every variable that compose needs, each secret another one, and no second run that would change them."""
    path = made / ".env"
    lines = [line.partition("=") for line in path.read_text().splitlines() if line and line[0] != "#"]
    values = {name: value for name, _, value in lines}
    needed = set(re.findall(r"\$\{([A-Z_]+)", text_of(DEPLOY / "compose.yml") or ""))
    assert needed == set(values)
    secrets = [value for value in values.values() if len(value) == 64]
    assert len(secrets) == len(set(secrets)) == 6
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = subprocess.run([made / "make-env.sh", "192.0.2.11"], check=False, capture_output=True, text=True)
    assert again.returncode == 1
    assert "192.0.2.10" in path.read_text()
    Settings.load(**{name.removeprefix("UNITASK_").lower(): values[name] for name in values if name in SETTINGS})


def test_compose_reads_its_file(made: Path) -> None:
    """With the program itself, where it is installed."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed; on Debian: apt-get install docker-compose")
    command = [program, "-f", str(made / "compose.yml"), "--env-file", str(made / ".env"), "config"]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    read = yaml.safe_load(said.stdout)["services"]
    assert read.keys() >= {"postgres", "files", "migrate", "api-1", "api-2", "balancer", "worker"}
    environment = read["api-1"]["environment"]
    assert environment["UNITASK_S3_ENDPOINT"] == "http://192.0.2.10:9000"
    known = {name.removeprefix("UNITASK_").lower(): value for name, value in environment.items()}
    assert Settings.load(**known).base_url == "http://192.0.2.10:8000"


@pytest.mark.parametrize("path", [path for path in MANIFESTS if path.parent.name != "keda"], ids=lambda path: path.stem)
def test_manifests_are_what_kubernetes_expects(path: Path) -> None:
    """Against the schemas of Kubernetes itself; what they do not know is an error."""
    validate = pytest.importorskip("kubernetes_validate", reason="the package kubernetes-validate is not installed")
    for document in documents(path):
        validate.validate(document, "1.32", strict=True)


@pytest.mark.parametrize("with_keda", [False, True], ids=["plain", "keda"])
def test_kustomize_puts_the_manifests_together(tmp_path: Path, *, with_keda: bool) -> None:
    """Images, settings and the namespace are filled in; with KEDA nobody else says how many workers there are."""
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not installed")
    shutil.copytree(DEPLOY / "kubernetes", tmp_path / "kubernetes")
    entry = tmp_path / "kubernetes" / "kustomization.yaml"
    if with_keda:
        entry.write_text(entry.read_text().replace("# components: [keda]", "components: [keda]"))
    command = [program, "kustomize", str(entry.parent)]
    said = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert said.returncode == 0, said.stderr
    found = {(one["kind"], one["metadata"]["name"]): one for one in yaml.safe_load_all(said.stdout)}
    worker = found["Deployment", "unitask-worker"]
    assert worker["spec"]["template"]["spec"]["containers"][0]["image"].startswith("registry.example.com/unitask:")
    assert ("replicas" in worker["spec"]) is not with_keda
    assert (("ScaledObject", "unitask-worker") in found) is with_keda
    assert {one["metadata"].get("namespace", "unitask") for one in found.values()} == {"unitask"}
    (settings,) = [one["data"] for (kind, _), one in found.items() if kind == "ConfigMap"]
    Settings.load(**{name.removeprefix("UNITASK_").lower(): value for name, value in settings.items()})
