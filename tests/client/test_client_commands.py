"""The commands that speak to a server, as programs and people without a terminal run them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.hosted import API_KEY as HOSTED_KEY
from support.hosted import RESULT, Hosted
from support.machine import Machine
from support.sink import receiving
from support.tester import PNG_HEAD
from support.wait import until
from unitask.emulator.run import Emulator
from unitask_sdk import Client

Run = Callable[..., subprocess.CompletedProcess[str]]
SMALL = ("-i", "width=256", "-i", "height=256")


@pytest.fixture
def unitask(machine: Machine, emulated: Emulator) -> Run:
    """Run commands that speak to the emulator."""
    return lambda *words, **more: machine.run(*words, **{"ADDRESS": emulated.url, "API_KEY": emulated.api_key, **more})


@pytest.fixture
def sdk(emulated: Emulator) -> Iterator[Client]:
    """Look at the emulator from another side."""
    with Client(emulated.url, emulated.api_key) as client:
        yield client


def scripted(sdk: Client, **script: Any) -> str:
    """Order a task that does as the script says; gives its id."""
    order = {"prompt": "a cat", "width": 256, "height": 256}
    return sdk.create("Qubico/flux1-dev", "txt2img", order, config={"emulator": script}).id


def test_words_become_a_file(unitask: Run, machine: Machine, sdk: Client) -> None:
    """The model without its vendor, the one task type that takes words, and a picture where it was wanted."""
    ran = unitask("run", "flux1-dev", "a little cat", *SMALL, "-o", "made/cat.png")
    assert (ran.returncode, ran.stdout) == (0, "made/cat.png\n"), ran.stderr
    assert (machine.folder / "made/cat.png").read_bytes().startswith(PNG_HEAD)
    assert "Qubico/flux1-dev txt2img: task " in ran.stderr
    assert "completed" in ran.stderr
    assert "note: " in ran.stderr
    newest = sdk.list(limit=1).tasks[0]
    assert newest.input["prompt"] == "a little cat"
    assert newest.input["width"] == 256


def test_a_local_file_is_an_input(unitask: Run, machine: Machine, sdk: Client) -> None:
    """Where the schema has media, also deep inside, a name of a file stands for the file."""
    made = unitask("run", "Qubico/flux1-dev", "a cat", *SMALL, "-o", "cat.png")
    assert made.returncode == 0
    cut = unitask("run", "image-toolkit", "-t", "background-remove", "-i", "image=cat.png", "-o", "cut.png")
    assert (cut.returncode, cut.stdout) == (0, "cut.png\n"), cut.stderr
    controls = {"control_net_settings": [{"control_type": "depth", "control_image": "cat.png"}]}
    deep = unitask("run", "flux1-dev-advanced", "a dog", "-t", "controlnet-lora", "--input-json", json.dumps(controls))
    assert deep.returncode == 0, deep.stderr
    assert "://" in sdk.list(limit=1).tasks[0].input["control_net_settings"][0]["control_image"]
    missing = unitask("run", "image-toolkit", "-t", "background-remove", "-i", "image=dog.png")
    assert (missing.returncode, missing.stderr.splitlines()[-1]) == (2, "Error: there is no file dog.png")
    assert not (machine.folder / "cut.png.part").exists()


def test_several_files_are_numbered_or_go_into_a_folder(unitask: Run, machine: Machine) -> None:
    """Each under its own ending; a 3D model comes as a picture, a video and a model."""
    picture = unitask("run", "flux1-dev", "a chair", *SMALL, "-o", "chair.png")
    assert picture.returncode == 0
    words = ("run", "trellis", "-i", "image=chair.png")
    numbered = unitask(*words, "-o", "chair.glb")
    assert numbered.returncode == 0, numbered.stderr
    names = numbered.stdout.split()
    assert [name.partition(".")[0] for name in names] == ["chair", *(f"chair-{n}" for n in range(2, len(names) + 1))]
    assert {name.rpartition(".")[2] for name in names} >= {"mp4", "glb"}
    assert all((machine.folder / name).stat().st_size for name in names)
    by_words = unitask("run", "trellis", "a chair")
    assert "Qubico/trellis text-to-3d: task" in by_words.stderr, "the one that cannot do without words is meant"
    inside = unitask(*words, "-o", "all/")
    assert len(list((machine.folder / "all").iterdir())) == len(names) == len(inside.stdout.split())


def test_a_program_gets_one_document(unitask: Run, machine: Machine) -> None:
    """The task as the API has it, and what was saved."""
    ran = unitask("run", "flux1-dev", "a cat", *SMALL, "--json", "-o", "cat.png")
    document = json.loads(ran.stdout)
    assert (document["status"], document["saved"]) == ("completed", ["cat.png"])
    detached = unitask("run", "flux1-dev", "a cat", *SMALL, "--detach").stdout.strip()
    watched = unitask("watch", detached, "--json", "-o", "watched.png")
    lines = [json.loads(line) for line in watched.stdout.splitlines()]
    assert lines[0]["status"] == "accepted"
    assert (lines[-1]["task"]["task_id"], lines[-1]["status"]) == (detached, "completed")
    assert (machine.folder / "watched.png").exists()
    assert unitask("watch", detached, "-o", "again.png").stdout == "again.png\n"
    assert (machine.folder / "again.png").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ("flux1-dve", "a cat"),
            "no model is called 'flux1-dve'; did you mean Qubico/flux1-dev or Qubico/flux1-schnell?",
        ),
        (("image-toolkit", "-i", "image=https://example.com/a.png"), "-t upscale                  needs image"),
        (("flux1-dev", "a cat", "-i", "width"), "--input is a name and a value, such as width=512, not 'width'"),
        (("flux1-dev", "a cat", "--input-json", "{"), "--input-json is not JSON"),
    ],
)
def test_what_is_typed_wrongly_is_said_before_anything_is_ordered(
    unitask: Run, sdk: Client, words: tuple[str, ...], sentence: str
) -> None:
    """With what there is instead, and status 2."""
    before = [task.id for task in sdk.tasks()]
    ran = unitask("run", *words)
    assert ran.returncode == 2
    assert sentence in ran.stderr
    assert [task.id for task in sdk.tasks()] == before


def test_exit_statuses_say_what_happened(unitask: Run, sdk: Client) -> None:
    """1 refused, 3 failed, 4 not finished in time; the sentence is on standard error alone."""
    refused = unitask("run", "flux1-dev", "a cat", "-i", "steps=many")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.splitlines()[-1].startswith("unitask: invalid request: ")
    failed = unitask("watch", scripted(sdk, end="failed", error={"message": "no face \x1b[2J was found"}))
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr.splitlines()[-1] == "unitask: no face  [2J was found"
    told = unitask("watch", scripted(sdk, end="failed"), "--json")
    assert (told.returncode, json.loads(told.stdout.splitlines()[-1])["status"]) == (3, "failed")
    unwritable = unitask("run", "flux1-dev", "a cat", "-o", "/proc/cat.png")
    assert unwritable.returncode == 1
    assert "/proc/cat.png cannot be written: " in unwritable.stderr
    assert unitask("run", "flux1-dev", "a cat", "-o", "/proc/none/cat.png").returncode == 2, "nothing is ordered"
    endless = scripted(sdk, end="never")
    late = unitask("watch", endless, "--timeout", "0.3")
    assert (late.returncode, late.stderr.splitlines()[-1].endswith("it goes on")) == (4, True)
    assert unitask("cancel", endless).returncode == 0
    assert unitask("watch", endless).returncode == 3, "it ends when its worker hears of it"
    assert unitask("cancel", endless).stderr.startswith("unitask: the task is failed already")
    keyless = unitask("tasks", API_KEY="")
    assert (keyless.returncode, keyless.stderr) == (
        1,
        "unitask: there is no API key: set UNITASK_API_KEY, or give api_key\n",
    )


def test_tasks_are_listed_and_cancelled(unitask: Run, sdk: Client) -> None:
    """For people a line each, for programs documents; filters are the API's."""
    waiting = scripted(sdk, pending_s=3600)
    lines = unitask("tasks", "--limit", "2").stdout.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(f"{waiting}  20")
    assert "Qubico/flux1-dev txt2img  $0.015" in lines[0]
    listed = json.loads(unitask("tasks", "--status", "pending", "--json").stdout)
    assert waiting in [task["task_id"] for task in listed]
    assert unitask("cancel", waiting).stdout == f"{waiting}: cancelled\n"
    assert json.loads(unitask("tasks", "--status", "pending", "--json").stdout) == []
    assert "the task was cancelled" in unitask("tasks", "--limit", "1").stdout


def test_usage_shows_what_is_left_and_what_went_out(unitask: Run, sdk: Client) -> None:
    """The account's points in both units, and the totals of a time."""
    assert unitask("run", "flux1-dev", "a cat", *SMALL).returncode == 0
    used = sdk.account().used_points
    assert used > 0
    assert f"used       {used:>16,} points" in unitask("usage").stdout
    document = json.loads(unitask("usage", "--days", "1", "--json").stdout)
    assert document["account"]["credit_pack_info"]["used_credits"] == used
    assert document["statement"]["totals"]["capture"]["points"] == used


def test_webhooks_are_sent_again(unitask: Run, sdk: Client) -> None:
    """By the task, and by the message; without one it is said."""
    with receiving() as sink:
        config = {"webhook_config": {"endpoint": sink.url()}}
        task = sdk.run("Qubico/flux1-dev", "txt2img", {"prompt": "a cat", "width": 256, "height": 256}, config=config)
        until(lambda: [one for one in sdk.deliveries(task_id=task.id) if one.state == "delivered"], within_s=20)
        (delivery,) = sdk.deliveries(task_id=task.id)
        by_task = unitask("replay", task.id)
        assert by_task.stdout == f"{delivery.id}: task.completed goes to {sink.url()} again\n", by_task.stderr
        until(lambda: len(sink.received) == 2, within_s=20, what="the message again")
        assert json.loads(unitask("replay", delivery.id, "--json").stdout)["id"] == delivery.id
        until(lambda: len(sink.received) == 3, within_s=20, what="the message a third time")
    silent = unitask("replay", scripted(sdk))
    assert (silent.returncode, silent.stdout) == (0, "")
    assert "has no webhook messages" in silent.stderr


def test_models_are_shown_with_what_makes_them_better(machine: Machine) -> None:
    """What is here, at which level, and the command that brings more."""
    lines = machine.run("models").stdout.splitlines()
    place = next(number for number, line in enumerate(lines) if line.startswith("Qubico/flux1-dev "))
    assert lines[place].split()[1:4] == ["preview", "by", "preview"]
    assert lines[place].endswith("txt2img, img2img")
    assert lines[place + 1].endswith("get them with: unitask models pull flux1-dev") or "extra" in lines[place + 1]
    entries = json.loads(machine.run("models", "--json").stdout)
    (needy,) = [one for one in entries if one["model"] == "tester" and one["task_types"] == ["needy"]]
    assert (needy["level"], needy["missing"]) == (None, "needy: install the package needy-weights")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_ask_the_command(machine: Machine, shell: str) -> None:
    """With the variable in which the command is asked, and it answers with what could follow."""
    script = machine.run("completion", shell)
    assert script.returncode == 0
    assert f"_UNITASK_COMPLETE={shell}_complete" in script.stdout
    asking = {"_UNITASK_COMPLETE": f"{shell}_complete", "COMP_WORDS": "unitask tas", "COMP_CWORD": "1"}
    if shell == "fish":
        asking["COMP_CWORD"] = "tas"
    answer = subprocess.run(
        [sys.executable, "-m", "unitask"],
        env=machine.environment() | asking,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "tasks" in answer.stdout
    assert "watch" not in answer.stdout


def test_the_commands_work_with_a_service_that_knows_two_calls(machine: Machine, hosted: Hosted) -> None:
    """Products are those of this release; what is not there is said."""
    there = {"ADDRESS": hosted.address, "API_KEY": HOSTED_KEY}
    ran = machine.run("run", "flux1-dev", "a cat", "-o", "cat.png", **there)
    assert (ran.returncode, ran.stdout) == (0, "cat.png\n"), ran.stderr
    assert (machine.folder / "cat.png").read_bytes() == RESULT
    assert hosted.orders == [{"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a cat"}}]
    unknown = machine.run("run", "kling", "a cat", "-t", "video_generation", **there)
    assert unknown.returncode == 0, unknown.stderr
    assert hosted.orders[1]["model"] == "kling"
    listing = machine.run("tasks", **there)
    assert (listing.returncode, listing.stderr) == (1, "unitask: this server cannot list tasks; Unitask can\n")
