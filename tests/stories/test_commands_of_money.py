"""The commands of someone who sells: accounts, plans, credit, keys, the check of the books, the audit log."""

import csv
import io
import os
import re
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from support.keys import WORKER_TOKEN
from support.machine import Api, Machine
from unitask.cli import commands
from unitask.kit.errors import UnitaskError

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"


@dataclass
class Desk:
    """Where commands are run in this process, on an installation that nothing else uses: they are many."""

    folder: Path

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end; a sentence of ours goes where `unitask.cli.main` puts it."""
        ended = CliRunner().invoke(commands, words)
        if isinstance(ended.exception, UnitaskError):
            return subprocess.CompletedProcess(words, 1, ended.stdout, f"unitask: {ended.exception}\n")
        if ended.exception and not isinstance(ended.exception, SystemExit):
            raise ended.exception
        return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)


@pytest.fixture
def desk(tmp_path: Path, sqlite_template: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Prepare an installation that has no account yet."""
    shutil.copy(sqlite_template, tmp_path / "unitask.db")
    for name in [name for name in os.environ if name.startswith("UNITASK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("UNITASK_DATA", str(tmp_path))
    return Desk(tmp_path)


def said(where: Machine | Desk, *words: str) -> str:
    """Run a command that must go well; gives what it prints."""
    ended = where.run(*words)
    assert (ended.returncode, ended.stderr) == (0, ""), ended.stderr
    return ended.stdout


def refused(where: Machine | Desk, *words: str) -> str:
    """Run a command that must be refused with one sentence; gives it."""
    ended = where.run(*words)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("unitask: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.removeprefix("unitask: ").rstrip()


def misused(where: Machine | Desk, *words: str) -> str:
    """Run a command with options that cannot be; gives the sentence below its usage."""
    ended = where.run(*words)
    assert (ended.returncode, ended.stdout) == (2, "")
    return ended.stderr.rstrip().splitlines()[-1]


def shown(where: Machine | Desk, account: str) -> dict[str, str]:
    """Read what `accounts show` tells."""
    return dict(re.split(r"  +", line, maxsplit=1) for line in said(where, "accounts", "show", account).splitlines())


def test_a_customer_is_set_up_and_orders(shared: Machine, api: Api) -> None:
    """Plan, account, credit, key, while the server runs; the order is in the statement, and the books are right."""
    said(shared, "plans", "set", "studio", "--concurrent", "2", "--family", "tester=1")
    assert re.fullmatch(r" +\d+  shop  studio  \$0\.00\n", said(shared, "accounts", "add", "shop", "--plan", "studio"))
    secret = said(shared, "keys", "add", "--account", "shop", "--scope", "tasks").strip()
    shop = Api(str(api.http.base_url), secret)
    assert shop.try_order("ok").status_code == 402
    assert said(shared, "credit", "top-up", "shop", "--usd", "0.005").endswith(
        ": 50,000 points ($0.005). Available: 50,000 points ($0.005).\n"
    )
    shop.said(shop.order("ok"))
    assert shop.http.get("/account/info").status_code == 403
    shop.http.close()
    lines = said(shared, "credit", "statement", "shop").splitlines()
    assert re.fullmatch(rf"{TIME}  0 points \(\$0\.00\) available", lines[0])
    assert [line.split()[1:3] for line in lines[1:-1]] == [
        ["top_up", "+50,000"],
        ["hold", "-10,000"],
        ["capture", "(10,000)"],
    ]
    assert lines[-1].endswith("  40,000 points ($0.004) available")
    assert re.fullmatch(r"The books are right: \d+ accounts\.\n", said(shared, "ledger", "check"))


def test_an_account_is_named_by_name_or_number(desk: Desk) -> None:
    """The name comes first; what is neither is refused with where to look."""
    said(desk, "accounts", "add", "shop")
    said(desk, "accounts", "add", "1", "--unlimited", "--concurrent", "5")
    assert shown(desk, "2")["name"] == "1"
    assert shown(desk, "1")["number"] == "2", "its name is 1"
    assert said(desk, "accounts", "list") == "   1  shop  open  $0.00\n   2  1  open  unlimited\n"
    sentence = "no account named 'nobody'; `unitask accounts list` shows them"
    for words in (
        ("accounts", "show", "nobody"),
        ("accounts", "set", "nobody", "--disable"),
        ("credit", "top-up", "nobody", "5"),
        ("credit", "adjust", "nobody", "5", "--reason", "x"),
        ("credit", "packs", "nobody"),
        ("credit", "statement", "nobody"),
        ("keys", "list", "--account", "nobody"),
        ("audit", "--account", "nobody"),
    ):
        assert refused(desk, *words) == sentence
    assert refused(desk, "accounts", "show", "77") == "no account 77"
    assert refused(desk, "accounts", "show", "9" * 40).startswith("no account named")
    assert refused(desk, "accounts", "add", "shop") == "there is an account named 'shop'"
    assert refused(desk, "accounts", "add", "x", "--plan", "no").startswith("no plan 'no'; there are ")
    assert refused(desk, "keys", "add") == ("no account 'default'; `unitask accounts add default --unlimited` opens it")
    assert refused(desk, "keys", "add", "--account", "my shop") == (
        "no account 'my shop'; `unitask accounts add 'my shop'` opens it"
    )


def test_an_account_is_changed_by_what_is_given(desk: Desk) -> None:
    """Limits too: one that is given leaves the others; `--no-limits` begins anew."""
    every = (
        *("--concurrent", "4", "--family", "flux=2", "--family", "trellis=1", "--staged", "10", "--per-minute", "60"),
        *(
            "--daily-usd",
            "2.50",
            "--model",
            "Qubico/flux*",
            "--network",
            "203.0.113.0/24",
            "--network",
            "2001:db8::/32",
        ),
    )
    said(desk, "accounts", "add", "shop", *every)
    assert shown(desk, "shop")["own limits"] == (
        "4 at once; 2 of flux at once; 1 of trellis at once; 10 staged; 60 requests a minute; $2.50 a day; "
        "only Qubico/flux*; from 203.0.113.0/24, 2001:db8::/32"
    )
    said(desk, "accounts", "set", "shop", "--no-limits", "--concurrent", "7", "--staged", "0")
    assert shown(desk, "shop")["own limits"] == "7 at once; 0 staged"
    said(desk, "plans", "set", "studio", "--per-minute", "5")
    said(desk, "accounts", "set", "shop", "--concurrent", "8", "--plan", "studio")
    after = shown(desk, "shop")
    assert (after["own limits"], after["limits"]) == ("8 at once; 0 staged", "8 at once; 0 staged; 5 requests a minute")
    said(desk, "accounts", "set", "shop", "--disable", "--unlimited")
    after = shown(desk, "shop")
    assert (after["state"], after["kind"], after["plan"]) == ("disabled", "unlimited", "studio")
    assert said(desk, "accounts", "list").endswith("  shop  studio  unlimited  disabled\n")
    said(desk, "accounts", "set", "shop", "--enable", "--prepaid")
    after = shown(desk, "shop")
    assert (after["state"], after["kind"], after["own limits"]) == ("enabled", "prepaid", "8 at once; 0 staged")


def test_one_limit_is_taken_away_by_the_word_none(desk: Desk) -> None:
    """On accounts, plans and keys; the others stay."""
    every = (
        *("--concurrent", "4", "--family", "flux=2", "--family", "trellis=1", "--staged", "10", "--per-minute", "60"),
        *("--daily-usd", "2.50", "--model", "Qubico/flux*", "--network", "203.0.113.0/24"),
    )
    said(desk, "accounts", "add", "shop", *every)
    left = shown(desk, "shop")["own limits"].split("; ")
    for option, value, gone in (
        ("--per-minute", "none", "60 requests a minute"),
        ("--family", "flux=none", "2 of flux at once"),
        ("--concurrent", "none", "4 at once"),
        ("--staged", "none", "10 staged"),
        ("--daily-usd", "none", "$2.50 a day"),
        ("--model", "none", "only Qubico/flux*"),
        ("--network", "none", "from 203.0.113.0/24"),
    ):
        left.remove(gone)
        said(desk, "accounts", "set", "shop", option, value)
        assert shown(desk, "shop")["own limits"].split("; ") == left
    said(desk, "plans", "set", "studio", "--concurrent", "3", "--staged", "9")
    assert said(desk, "plans", "set", "studio", "--concurrent", "none") == "studio  9 staged\n"


def test_a_key_is_changed_by_what_is_given(desk: Desk) -> None:
    """An end and a limit can be taken away by the word none."""
    said(desk, "accounts", "add", "shop")
    said(desk, "keys", "add", "--account", "shop", "--expires-days", "9", "--model", "Qubico/tts", "--staged", "2")
    line = said(desk, "keys", "set", "1", "--name", "web", "--scope", "tasks", "--staged", "none")
    assert re.search(rf"  tasks  only Qubico/tts  works until {TIME}  web\n", line)
    line = said(desk, "keys", "set", "1", "--expires-days", "none", "--model", "none")
    assert line.endswith("  tasks  works  web\n")
    assert said(desk, "keys", "list") == line
    assert re.search(rf"works until {TIME}  web\n", said(desk, "keys", "set", "1", "--expires-days", "1"))
    assert refused(desk, "keys", "set", "9", "--name", "x") == "no key 9 that works; `unitask keys list` shows them"
    assert "--expires-days" in misused(desk, "keys", "set", "1", "--expires-days", "never")


def test_the_name_of_a_plan_fits_an_address(desk: Desk) -> None:
    """What the admin API could not name is not made."""
    assert refused(desk, "plans", "set", "a/b").startswith("invalid request: 'a/b' cannot name a plan: 1 to 64 letters")
    assert "a/b" not in said(desk, "plans", "list")


def test_limits_that_cannot_be_are_told_by_name(desk: Desk) -> None:
    """The same options everywhere, and nothing is made."""
    for words in (("accounts", "add", "x"), ("accounts", "set", "x"), ("plans", "set", "x"), ("keys", "add")):
        assert "networks.0: value is not a valid" in misused(desk, *words, "--network", "here")
    assert misused(desk, "plans", "set", "x", "--family", "flux").endswith(
        "--family is a name and a number, such as flux=2, or flux=none"
    )
    assert misused(desk, "plans", "set", "x", "--daily-usd", "1,5").endswith(
        "no amount in dollars, such as 20 or 19.99"
    )
    assert "--per-minute" in misused(desk, "plans", "set", "x", "--per-minute", "0")
    assert "x  " not in said(desk, "plans", "list")


def test_a_plan_is_set_and_removed(desk: Desk) -> None:
    """A limit that is given leaves the others; with accounts on it, it stays."""
    assert said(desk, "plans", "set", "studio", "--concurrent", "3") == "studio  3 at once\n"
    assert said(desk, "plans", "set", "studio", "--staged", "9") == "studio  3 at once; 9 staged\n"
    assert "studio  3 at once; 9 staged\n" in said(desk, "plans", "list")
    said(desk, "accounts", "add", "shop", "--plan", "studio")
    assert refused(desk, "plans", "remove", "studio").endswith("there is none, or accounts are on it")
    said(desk, "accounts", "set", "shop", "--plan", "open")
    assert said(desk, "plans", "remove", "studio") == "The plan studio is removed.\n"
    assert "studio" not in said(desk, "plans", "list")
    assert refused(desk, "plans", "remove", "open").endswith("set its limits instead")


def test_credit_comes_in_is_corrected_and_told(desk: Desk) -> None:
    """In points or dollars; a payment counts once; a correction needs a reason and an amount that is there."""
    said(desk, "accounts", "add", "shop")
    top_up = ("credit", "top-up", "shop", "--usd", "20", "--reference", "pay-1", "--reason", "=invoice 1")
    answer = "Pack 1: 200,000,000 points ($20.00). Available: 200,000,000 points ($20.00).\n"
    assert said(desk, *top_up, "--expires-days", "30") == answer
    assert said(desk, *top_up) == answer
    assert refused(desk, "credit", "top-up", "shop", "5", "--reference", "pay-1") == (
        "the reference 'pay-1' was used for another top-up of this account"
    )
    said(desk, "credit", "top-up", "shop", "1000")
    adjust = ("credit", "adjust", "shop", "--reason", "sorry")
    assert said(desk, *adjust, "-500") == "Available: 200,000,500 points ($20.00005).\n"
    assert said(desk, *adjust, "--usd", "-1.50") == "Available: 185,000,500 points ($18.50005).\n"
    assert said(desk, *adjust, "--usd", "1.50") == "Available: 200,000,500 points ($20.00005).\n"
    assert refused(desk, *adjust, "--usd", "-100").startswith("insufficient credits: 200000500 points are available")
    first, *rest = said(desk, "credit", "packs", "shop").splitlines()
    ends = rf"expires {TIME}  pay-1  =invoice 1"
    assert re.fullmatch(rf" +1  184,999,500 of 200,000,000 points left  {ends}", first)
    assert [line.strip() for line in rest] == [
        "2  1,000 of 1,000 points left  does not expire",
        "3  15,000,000 of 15,000,000 points left  does not expire  sorry",
    ]
    table = list(csv.DictReader(io.StringIO(said(desk, "credit", "statement", "shop", "--csv"))))
    assert [(row["kind"], row["change_points"], row["reason"]) for row in table] == [
        ("top_up", "200000000", "'=invoice 1"),
        ("top_up", "1000", ""),
        ("adjust_down", "-500", "sorry"),
        ("adjust_down", "-15000000", "sorry"),
        ("adjust_up", "15000000", "sorry"),
    ]
    dollars = ["20.0000000", "0.0001000", "-0.0000500", "-1.5000000", "1.5000000"]
    assert [row["change_usd"] for row in table] == dollars


def test_an_amount_is_given_once(desk: Desk) -> None:
    """As points or as dollars."""
    said(desk, "accounts", "add", "shop")
    for words in (("top-up", "shop"), ("top-up", "shop", "5", "--usd", "5"), ("adjust", "shop", "--reason", "x")):
        assert misused(desk, "credit", *words) == "Error: give either POINTS or --usd"
    assert "no amount in dollars" in misused(desk, "credit", "top-up", "shop", "--usd", "5 dollars")
    assert "--reason" in misused(desk, "credit", "adjust", "shop", "5")
    assert refused(desk, "credit", "top-up", "shop", "0").startswith("invalid request: points must be 1 to ")
    assert refused(desk, "credit", "top-up", "shop", "--", "-5").startswith("invalid request: points must be 1 to ")
    assert refused(desk, "credit", "adjust", "shop", "0", "--reason", "x").startswith("invalid request: an adjust")


def test_a_key_is_added_with_rights_rotated_and_revoked(shared: Machine, api: Api) -> None:
    """The list tells what it may do; after a rotation both work until the overlap is over."""
    said(shared, "accounts", "add", "keyed", "--unlimited")
    options = ("--scope", "account", "--scope", "tasks", "--expires-days", "9", "--model", "tester", "--name", "web")
    old = said(shared, "keys", "add", "--account", "keyed", *options).strip()
    (line,) = said(shared, "keys", "list", "--account", "keyed").splitlines()
    rights = rf"account,tasks  only tester  works until {TIME}  web"
    assert re.fullmatch(rf" *\d+  keyed  \.\.\.{old[-4:]}  {TIME}  {rights}", line)
    number = line.split()[0]
    new = said(shared, "keys", "rotate", number).strip()
    assert [_status(api, key) for key in (old, new)] == [200, 200]
    last = said(shared, "keys", "rotate", said(shared, "keys", "list").split("\n")[-2].split()[0], "--overlap-s", "0")
    assert _status(api, last.strip()) == 200
    listed = said(shared, "keys", "list", "--account", "keyed")
    assert re.search(rf"\.\.\.{new[-4:]}.*  expired {TIME}  web", listed)
    assert all(key not in listed for key in (old, new, last.strip()))
    said(shared, "keys", "revoke", number)
    assert refused(shared, "keys", "rotate", number) == f"key {number} does not work any more; make a new one"
    assert refused(shared, "keys", "rotate", "999") == "no key 999 that works; `unitask keys list` shows them"
    assert "--scope" in misused(shared, "keys", "add", "--scope", "root")


def _status(api: Api, key: str) -> int:
    url = f"{api.http.base_url}/account/info"
    return httpx.get(url, headers={"X-API-Key": key}, trust_env=False).status_code


def test_wrong_books_are_told_and_end_with_1(desk: Desk) -> None:
    """A sentence for each trouble."""
    assert said(desk, "ledger", "check") == "The books are right: 0 accounts.\n"
    said(desk, "accounts", "add", "shop")
    said(desk, "credit", "top-up", "shop", "1000")
    assert said(desk, "ledger", "check") == "The books are right: 1 account.\n"
    with closing(sqlite3.connect(desk.folder / "unitask.db")) as connection:
        connection.execute("update accounts set available_points = 999, active_tasks = 1")
        connection.commit()
    ended = desk.run("ledger", "check")
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.splitlines() == [
        "account 1: available is 999 points, the ledger says 1000",
        "account 1: 1 tasks are counted as active, the queue has 0",
    ]


def test_every_decision_is_in_the_audit_log(desk: Desk) -> None:
    """Newest first, with who, what and for whom; of one account, or only so many, if asked; never a secret."""
    said(desk, "plans", "set", "studio", "--staged", "3")
    said(desk, "accounts", "add", "shop", "--plan", "studio", "--concurrent", "2")
    said(desk, "accounts", "add", "other")
    said(desk, "accounts", "set", "shop", "--disable")
    said(desk, "credit", "top-up", "shop", "5", "--reference", "pay-1", "--expires-days", "1")
    said(desk, "credit", "adjust", "shop", "-1", "--reason", "sorry")
    secrets = [said(desk, "keys", "add", "--account", "shop").strip(), said(desk, "keys", "rotate", "1").strip()]
    said(desk, "keys", "revoke", "2")
    said(desk, "plans", "set", "empty")
    said(desk, "plans", "remove", "empty")
    log = said(desk, "audit")
    assert not [secret for secret in secrets if secret in log]
    told = [re.fullmatch(rf"{TIME}  command line  (\S+)  (.*)", line) for line in log.splitlines()]
    told = [(found[2], found[3]) for found in told if found]
    assert [action for action, _ in told] == [
        *("plan.remove", "plan.put", "key.revoke", "key.rotate", "key.add", "credit.adjust", "credit.top_up"),
        *("account.set", "account.open", "account.open", "plan.put"),
    ]
    details = dict(told[2:])
    assert details["plan.put"] == 'name=studio limits={"staged_tasks":3}'
    assert details["credit.adjust"] == "account 1  points=-1 reason=sorry"
    assert re.fullmatch(rf"account 1  points=5 reference=pay-1 expires_at={TIME}", details["credit.top_up"])
    assert details["key.rotate"] == "account 1  key=2 old=1 overlap_s=86400"
    assert details["account.set"].startswith('account 1  plan=studio limits={"concurrent_tasks":2} enabled=false')
    assert said(desk, "audit", "--most", "2").count("\n") == 2
    (line,) = said(desk, "audit", "--account", "other").splitlines()
    assert line.endswith("account.open  account 2  name=other plan=open unlimited=false")


def test_a_weak_admin_key_stops_the_start(machine: Machine) -> None:
    """The door that opens everything is not left with a lock that anybody guesses."""
    ended = machine.run("serve", WORKER_TOKEN=WORKER_TOKEN, ADMIN_KEY="a" * 40)
    assert ended.returncode == 1
    assert ended.stderr.startswith("unitask: UNITASK_ADMIN_KEY is wrong: must be hard to guess")
    assert "a" * 40 not in ended.stderr


def test_every_command_says_what_it_is_for(desk: Desk) -> None:
    """In a line that the list of commands shows whole."""
    for group in ("accounts", "credit", "plans", "keys", "ledger"):
        for line in said(desk, group, "--help").partition("Commands:\n")[2].splitlines():
            assert re.fullmatch(r"  [a-z-]+ +[A-Z].*\.", line)
            assert not line.endswith("..."), line
