"""The small commands: keys, migrate, catalogue, doctor."""

import json
import re
import sqlite3
from contextlib import closing

import httpx

from support.keys import WORKER_TOKEN
from support.machine import Api, Machine


def test_a_key_can_be_added_listed_and_revoked_while_the_server_runs(shared: Machine, api: Api) -> None:
    """It is printed once and works at once; a revoked one does not."""
    added = shared.run("keys", "add", "--name", "for the gallery")
    key = added.stdout.strip()
    assert (added.returncode, added.stdout.count("\n")) == (0, 1)
    assert _status(api, key) == 404
    revoked = shared.run("keys", "add", "--name", "short-lived").stdout.strip()
    listed = shared.run("keys", "list").stdout
    assert key not in listed
    (line,) = [line for line in listed.splitlines() if line.endswith("works  short-lived")]
    assert f"...{revoked[-4:]}" in line
    number = line.split()[0]
    assert shared.run("keys", "revoke", number).stdout == f"Key {number} is revoked.\n"
    assert _status(api, revoked) == 401
    assert re.search(rf"^ *{number} .* revoked ", shared.run("keys", "list").stdout, re.MULTILINE)
    again = shared.run("keys", "revoke", number)
    assert again.returncode == 1
    assert again.stderr == f"unitask: no key {number} that works; `unitask keys list` shows them\n"


def _status(api: Api, key: str) -> int:
    url = f"{api.http.base_url}/api/v1/task/0192f0c0-0000-7000-8000-000000000001"
    return httpx.get(url, headers={"X-API-Key": key}, trust_env=False).status_code


def test_commands_on_a_database_without_schema_say_what_to_run(machine: Machine) -> None:
    """And after it was run they work."""
    refused = machine.run("keys", "list")
    assert refused.returncode == 1
    assert refused.stderr.startswith("unitask: the database has schema none")
    assert "run `unitask migrate`" in refused.stderr
    assert machine.run("migrate").stdout == "The database has the schema of this release.\n"
    assert machine.run("keys", "list").returncode == 0


def test_a_server_refuses_a_database_of_another_release(machine: Machine) -> None:
    """`serve` changes no schema: with several servers, one person decides when."""
    machine.prepare()
    with closing(sqlite3.connect(machine.folder / "data" / "unitask.db")) as connection:
        connection.execute("update alembic_version set version_num = '0000'")
        connection.commit()
    refused = machine.run("serve", WORKER_TOKEN=WORKER_TOKEN)
    assert refused.returncode == 1
    assert refused.stderr.startswith("unitask: the database has schema 0000, this release needs ")


def test_the_catalogue_lists_price_engine_and_what_is_missing(machine: Machine) -> None:
    """A line for each product."""
    lines = machine.run("catalogue").stdout.splitlines()
    (made,) = [line for line in lines if line.startswith("tester ") and " do " in line]
    assert re.fullmatch(r"tester +do +10,000 points .*0\.001.* basic by tester", made)
    (not_made,) = [line for line in lines if " needy " in line]
    assert not_made.endswith("not here: needy: install the package needy-weights")


def test_the_catalogue_knows_which_engines_are_off(machine: Machine) -> None:
    """What `UNITASK_ENGINES` leaves out makes nothing."""
    listed = json.loads(machine.run("catalogue", "--json", ENGINES="tester").stdout)
    made = {(one["model"], one["task_type"]): one for one in listed}
    assert made["tester", "do"]["engine"] == "tester"
    flux = made["Qubico/flux1-dev", "txt2img"]
    off = "the engine diffusers is off (UNITASK_ENGINES); the engine preview is off (UNITASK_ENGINES)"
    assert (flux["engine"], flux["missing"]) == (None, off)


def test_the_doctor_shows_settings_without_secrets(machine: Machine) -> None:
    """What is set is marked; what is secret is not shown, nor is a password inside an address."""
    said = machine.run(
        "doctor",
        SECRET="hush-hush-hush-hush",
        DATABASE_URL="postgresql://me:hush-hush@127.0.0.1:1/unitask?password=hush-hush&sslmode=disable",
        SLOTS="3",
    ).stdout
    assert "hush" not in said
    assert re.search(r"^ \* UNITASK_SECRET +set, not shown", said, re.MULTILINE)
    assert re.search(r"^ \* UNITASK_SLOTS +3 ", said, re.MULTILINE)
    assert re.search(r"^   UNITASK_MAX_ATTEMPTS +3 ", said, re.MULTILINE)
    assert "postgresql://me:...@127.0.0.1:1/unitask" in said


def test_the_doctor_explains_what_is_wrong_and_ends_with_1(machine: Machine) -> None:
    """Every trouble with what to do about it."""
    ended = machine.run("doctor", DATABASE_URL="postgresql://127.0.0.1:1/unitask", ENGINES="tester,needy,testr")
    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    troubles = ended.stdout.partition("Troubles")[2]
    assert " ! tester/needy cannot be made: needy: install the package needy-weights\n" in troubles
    assert "Qubico/flux1-dev/txt2img" not in troubles, "what the operator left out is no trouble"
    assert re.search(r"^   Qubico/flux1-dev/txt2img +not here: all its engines are off", ended.stdout, re.MULTILINE)
    assert " ! UNITASK_ENGINES is wrong: no engine 'testr' is installed; there are: " in troubles
    (away,) = [
        line for line in troubles.splitlines() if line.startswith(" ! the database cannot be reached: Connection")
    ]
    assert away.endswith("; see that it runs and that UNITASK_DATABASE_URL is right")


def test_the_doctor_tries_the_folder_of_files(machine: Machine) -> None:
    """It writes, reads and deletes a file there."""
    machine.prepare()
    (machine.folder / "data" / "files").write_text("a file where a folder should be")
    ended = machine.run("doctor", ENGINES="tester")
    assert ended.returncode == 1
    assert "the store of files does not work: the file cannot be stored: Not a directory" in ended.stdout


def test_the_doctor_finds_no_troubles_where_there_are_none(machine: Machine) -> None:
    """A machine with a database and every engine is ready, and the command ends with 0."""
    machine.found_by = {}
    machine.prepare()
    ended = machine.run("doctor")
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.endswith("No troubles found.\n")
