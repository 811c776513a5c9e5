"""`unitask doctor`, and other commands, on a machine with providers."""

import json
import re
from pathlib import Path

import pytest

from support.answering import answering
from support.keys import WORKER_TOKEN
from support.machine import Api, Machine, free_port
from support.wait import until

NODES = Path(__file__).parents[1] / "sim" / "object_info.json"
KEY = "the-key-of-the-hub-0123456789"
SET_KEY = (
    "it serves nobody without a key: set UNITASK_KEY_HUB, or own_key_only = true if accounts are to bring their own"
)
UNITASK = {
    "/account/info": {"code": 200, "data": {}},
    "/healthz": {"status": "ok", "server": "unitask"},
    "/api/v1/catalogue": {"data": [{"model": "Qubico/flux1-dev", "task_type": "txt2img", "engine": "diffusers"}]},
}


@pytest.fixture(autouse=True)
def nothing_else_is_wrong(machine: Machine) -> None:
    """Leave out the engine of tests that lacks something; have a database."""
    machine.found_by = {}
    machine.prepare()


def provided(machine: Machine, text: str) -> None:
    """Write the file of providers."""
    file = machine.folder / "providers.toml"
    file.write_text(text)
    machine.settings["PROVIDERS"] = str(file)


def doctor(machine: Machine, **settings: str) -> dict[str, list[str]]:
    """Run it; gives the lines of what it says by title. It shows no key, and ends with 1 if there are troubles."""
    ended = machine.run("doctor", **settings)
    assert KEY not in ended.stdout + ended.stderr
    parts = (part.splitlines() for part in ended.stdout.split("\n\n"))
    said = {title: lines for title, *lines in parts}
    assert ended.returncode == (1 if "Troubles" in said else 0), ended.stdout + ended.stderr
    return said


def hub(address: str) -> str:
    """Write the table of another Unitask."""
    return f'[provider.hub]\nengine = "upstream"\nurl = "{address}"\nproducts = ["Qubico/flux1-dev"]\n'


def maker(api: Api) -> str:
    """Ask a server who would make a picture now."""
    listed = api.http.get("/api/v1/catalogue").json()["data"]
    return next(one["engine"] for one in listed if (one["model"], one["task_type"]) == ("Qubico/flux1-dev", "txt2img"))


def test_a_provider_that_answers_is_shown_with_what_it_makes_and_lacks(machine: Machine) -> None:
    """It is asked with its key, which is not shown, nor is what its address holds after a question mark."""
    with answering(UNITASK) as other:
        provided(machine, hub(other.address))
        said = doctor(machine, KEY_HUB=KEY)
        provided(machine, hub(f"{other.address}?token=hush"))
        assert "hush" not in str(doctor(machine, KEY_HUB=KEY))
    first, makes, lacks = said["Providers"]
    line = rf"   hub        upstream at {re.escape(other.address)}, UNITASK_KEY_HUB is set: answers in \d+ ms"
    assert re.fullmatch(line, first)
    assert makes == "      makes Qubico/flux1-dev/txt2img, Qubico/flux1-dev/img2img"
    assert lacks == "      lacks, for Qubico/flux1-dev/img2img: it has no engine for it"
    assert other.asked["/account/info"]["x-api-key"] == KEY
    assert f"   {'Qubico/flux1-dev/txt2img':48} full by hub" in said["Products"]
    assert "Troubles" not in said


def test_a_provider_that_is_down_is_a_trouble(machine: Machine) -> None:
    """Its products are made by others meanwhile."""
    address = f"http://127.0.0.1:{free_port()}"
    provided(machine, f'[provider.box]\nengine = "comfyui"\nurl = "{address}"\nproducts = ["Qubico/flux1-dev"]')
    said = doctor(machine)
    why = "does not answer: no connection: All connection attempts failed"
    assert said["Providers"][0] == f"   box        comfyui at {address}, no key: {why}"
    assert said["Troubles"] == [f" ! the provider box {why}; see that it runs at {address}"]
    (made,) = [line for line in said["Products"] if "Qubico/flux1-dev/txt2img" in line]
    assert made.split()[1:4] == ["preview", "by", "preview"]
    assert "box: it does not answer at present" in "".join(said["What would be made better"])


def test_a_provider_that_does_not_take_the_key_is_a_trouble(machine: Machine) -> None:
    """The sentence names the variable that holds it."""
    with answering({"/account/info": {"message": "wrong api key"}}, status=401) as other:
        provided(machine, hub(other.address))
        said = doctor(machine, KEY_HUB=KEY)
    cure = f"see that it runs at {other.address} and that UNITASK_KEY_HUB is right"
    assert said["Troubles"] == [f" ! the provider hub does not answer: it answered 401: wrong api key; {cure}"]


def test_a_provider_without_the_key_that_it_asks_is_a_trouble(machine: Machine) -> None:
    """It is not even asked; a provider for accounts' own keys needs none."""
    with answering(UNITASK) as other:
        provided(machine, hub(other.address))
        said = doctor(machine)
        assert said["Providers"][0] == f"   hub        upstream at {other.address}, no key: it is not used"
        assert said["Troubles"] == [f" ! the provider hub is not used: {SET_KEY}"]
        provided(machine, f"{hub(other.address)}own_key_only = true")
        said = doctor(machine)
    assert said["Providers"][0].endswith(": it is for accounts that leave their own key, and not asked without one")
    assert "Troubles" not in said
    assert other.asked == {}


def test_a_provider_that_is_off_is_not_asked(machine: Machine) -> None:
    """Nor is its key missed."""
    with answering(UNITASK) as other:
        provided(machine, hub(other.address))
        said = doctor(machine, ENGINES="cpu,preview,espeak")
    assert said["Providers"][0].endswith("no key: it is off (UNITASK_ENGINES)")
    assert "Troubles" not in said
    assert other.asked == {}


def test_what_a_comfyui_lacks_is_said_once_with_the_products_it_is_for(machine: Machine) -> None:
    """A pack of nodes, and the file of a model."""
    nodes = {
        name: node
        for name, node in json.loads(NODES.read_text()).items()
        if node["python_module"] != "custom_nodes.ComfyUI_ACE-Step"
    }
    nodes["UNETLoader"]["input"]["required"]["unet_name"][0] = ["other.safetensors"]
    with answering({"/system_stats": {}, "/object_info": nodes}) as box:
        made = '["Qubico/ace-step/edit", "Qubico/ace-step/extend", "Qubico/flux1-schnell"]'
        provided(machine, f'[provider.box]\nengine = "comfyui"\nurl = "{box.address}"\nproducts = {made}')
        said = doctor(machine)
    _, _, *lacks = said["Providers"]
    packs = [line for line in lacks if "install the node pack ComfyUI_ACE-Step (https://" in line]
    assert packs[0].startswith("      lacks, for Qubico/ace-step/edit")
    (file,) = [line for line in lacks if "UNETLoader" in line]
    assert file.startswith("      lacks, for Qubico/flux1-schnell/txt2img, Qubico/flux1-schnell/img2img: ")
    assert not [line for line in said["Products"] if line.endswith("full by box")]
    assert "Troubles" not in said, "it makes what it can"


def test_a_server_that_is_not_what_it_is_taken_for_costs_one_line(machine: Machine) -> None:
    """It answers, and says nothing that can be understood."""
    with answering({"/system_stats": {}, "/object_info": [1, 2]}) as box:
        provided(machine, f'[provider.box]\nengine = "comfyui"\nurl = "{box.address}"')
        said = doctor(machine)
    assert "ms, but does not say what it has: " in said["Providers"][0]


def test_routes_are_written_out(machine: Machine) -> None:
    """With the conditions of each step, and one that no order can meet."""
    provided(
        machine,
        f"""
        [provider.hub]
        engine = "upstream"
        url = "http://127.0.0.1:{free_port()}"
        own_key_only = true
        costs = {{ "Qubico/flux1-dev" = "0.002" }}
        [[route]]
        products = ["Qubico/flux1-dev"]
        order = [
            "diffusers",
            {{ engine = "hub", cost_at_most = "0.01", plans = ["pro"], at_most = {{ width = 1024 }} }},
            "preview",
        ]
        [[route]]
        products = ["Qubico/flux1-schnell/txt2img"]
        order = [{{ engine = "hub", cost_at_most = "2.00" }}, "preview"]
        failover = false
        """,
    )
    own = "for accounts with a key of their own"
    step = f"hub (full, up to $0.01, for the plans pro, width up to 1024, {own})"
    never = f"hub (full, up to $2, {own}, never taken: its provider has no costs)"
    assert doctor(machine)["Routes"] == [
        f"   Qubico/flux1-schnell/txt2img: {never} -> preview (preview), without failover",
        f"   Qubico/flux1-dev/txt2img: diffusers (full) -> {step} -> preview (preview)",
        f"   Qubico/flux1-dev/img2img: diffusers (full) -> {step} -> preview (preview)",
    ]


def test_the_catalogue_counts_on_providers_that_have_their_key(machine: Machine) -> None:
    """Those without are no engine for anything."""
    provided(machine, hub("http://127.0.0.1:9"))
    made = {key: machine.run("catalogue", KEY_HUB=key).stdout.count("full by hub") for key in ("", KEY)}
    assert made == {"": 0, KEY: 2}


def test_a_worker_leaves_out_a_provider_that_asks_a_key_it_has_not(machine: Machine) -> None:
    """It says so once, names the variable, and makes what it can besides."""
    provided(machine, hub("http://127.0.0.1:9"))
    server, api = machine.serve()
    worker = machine.work()
    worker.logged("the provider hub is not used: it serves nobody without a key; set UNITASK_KEY_HUB")
    until(lambda: maker(api) == "preview", within_s=10, what="the worker's offers")
    order = {"model": "Qubico/flux1-dev", "task_type": "txt2img", "input": {"prompt": "a cat"}}
    task = api.http.post("/api/v1/task", json=order).json()["data"]["task_id"]
    ended = api.ended(task)
    assert (ended["status"], ended["meta"]["engine"]) == ("completed", "preview")
    assert worker.err.count("UNITASK_KEY_HUB") == 1
    assert "Traceback" not in server.err + worker.err


def test_a_worker_with_nothing_but_such_a_provider_cannot_work(machine: Machine) -> None:
    """The last line says who knows more."""
    provided(machine, hub("http://127.0.0.1:9"))
    ended = machine.run("worker", API_URL="http://127.0.0.1:9", WORKER_TOKEN=WORKER_TOKEN, ENGINES="hub")
    assert ended.returncode == 1
    assert ended.stderr.endswith("unitask: no engine can run here; `unitask doctor` says what is missing\n")


def test_up_greets_with_what_providers_make(machine: Machine) -> None:
    """Without its key, a provider makes nothing."""
    provided(machine, hub("http://127.0.0.1:9"))
    for key, made in ((KEY, True), ("", False)):
        program = machine.start("up", KEY_HUB=key)
        machine.client(program)
        _ = program.first_key
        assert ("full     by hub" in program.out) is made
        program.end()


def test_the_emulator_ignores_providers(machine: Machine) -> None:
    """Even a file that is wrong."""
    provided(machine, "[provider.none]\n")
    program = machine.start("up", "--emulator")
    assert machine.client(program).http.get("/readyz").status_code == 200
