"""Keys for providers that an account brings itself: used for it alone, and shown to nobody."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from support.accounts import ACTOR, Person, open_account
from support.answers import accepted, refused
from support.clock import ManualClock
from support.providers import providers_file
from support.secrets import Secrets
from support.sql import rows
from unitask.accounts.credentials import MOST_CREDENTIALS, Credentials
from unitask.administration.providers import ProviderKeys
from unitask.api import Application
from unitask.app import Services
from unitask.db.transfer import reading
from unitask.kit.errors import Unavailable
from unitask.settings import Settings

ALL = "/api/v1/account/credentials"
FAL = f"{ALL}/fal"
KEY = "fal-key-0123456789-abcd"
NOW = "2027-01-15T08:00:00Z"
NAMES = ("fal", "hub", "a1-x", "one-more", "f" * 64, *(f"p{number}" for number in range(MOST_CREDENTIALS + 7)))


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    """Know providers."""
    return settings.model_copy(update={"providers": providers_file(tmp_path, *NAMES)})


@pytest.fixture
async def person(services: Services) -> Person:
    """Give someone who has keys."""
    return await open_account(services, "person")


@pytest.fixture
async def mine(client: httpx.AsyncClient, person: Person) -> httpx.AsyncClient:
    """Come as this person."""
    client.headers.update(person.headers)
    return client


@pytest.fixture
async def beside(services: Services, settings: Settings, clock: ManualClock) -> AsyncIterator[Services]:
    """Give another API process on the same database."""
    opened = await Services.open(settings, clock)
    yield opened
    await opened.close()


async def give(mine: httpx.AsyncClient, provider: str, key: str) -> httpx.Response:
    """Leave a key for a provider."""
    return await mine.put(f"{ALL}/{provider}", json={"key": key})


def database_files(folder: Path) -> list[bytes]:
    """Read what SQLite has on the disk."""
    return [path.read_bytes() for path in folder.rglob("unitask.db*")]


async def test_a_key_is_given_replaced_and_taken_back(
    mine: httpx.AsyncClient, services: Services, person: Person, clock: ManualClock
) -> None:
    """Each step holds at once, and the audit log names who did it, not the key."""
    own = services.credentials
    assert accepted(await mine.get(ALL)) == []
    assert await own.providers(person.account_id) == frozenset()
    shown = {"provider": "fal", "hint": "abcd", "created_at": NOW}
    assert accepted(await give(mine, "fal", KEY)) == shown
    assert accepted(await give(mine, "a1-x", "short")) == {"provider": "a1-x", "hint": "", "created_at": NOW}
    assert accepted(await mine.get(ALL)) == [{"provider": "a1-x", "hint": "", "created_at": NOW}, shown]
    assert await own.providers(person.account_id) == {"fal", "a1-x"}
    assert await own.find(person.account_id, "fal") == KEY

    clock.pass_s(5)
    newer = accepted(await give(mine, "fal", "another-key-wxyz"))
    assert newer == {"provider": "fal", "hint": "wxyz", "created_at": "2027-01-15T08:00:05Z"}
    assert accepted(await mine.get(ALL))[1] == newer
    assert await own.find(person.account_id, "fal") == "another-key-wxyz"

    assert accepted(await mine.delete(FAL)) is None
    assert [one["provider"] for one in accepted(await mine.get(ALL))] == ["a1-x"]
    assert await own.find(person.account_id, "fal") is None
    assert await own.providers(person.account_id) == {"a1-x"}
    said = "no key for a provider 'fal'; GET /api/v1/account/credentials lists them"
    assert refused(await mine.delete(FAL), 404) == said

    found = await rows(services.database, "select actor, action, account_id, detail from audit order by id")
    (key,) = await rows(services.database, "select id from api_keys where account_id = :id", id=person.account_id)
    assert [tuple({**row, "detail": json.loads(row["detail"])}.values()) for row in found][-4:] == [
        (f"key {key['id']}", action, person.account_id, {"provider": provider})
        for action, provider in (
            ("credential.put", "fal"),
            ("credential.put", "a1-x"),
            ("credential.put", "fal"),
            ("credential.remove", "fal"),
        )
    ]


async def test_a_refused_change_leaves_no_line_in_the_log(mine: httpx.AsyncClient, services: Services) -> None:
    """What is not there cannot be taken back."""
    before = await rows(services.database, "select count(*) as n from audit")
    refused(await mine.delete(FAL), 404)
    refused(await give(mine, "FAL", KEY), 404)
    assert await rows(services.database, "select count(*) as n from audit") == before


async def test_another_account_neither_sees_nor_changes_it(
    mine: httpx.AsyncClient, services: Services, person: Person
) -> None:
    """Its own key for the same provider is another one."""
    accepted(await give(mine, "fal", KEY))
    other = await open_account(services, "other")
    mine.headers.update(other.headers)
    assert accepted(await mine.get(ALL)) == []
    refused(await mine.delete(FAL), 404)
    accepted(await give(mine, "fal", "the-others-key"))
    accepted(await mine.delete(FAL))
    assert await services.credentials.find(other.account_id, "fal") is None
    assert await services.credentials.find(person.account_id, "fal") == KEY
    assert await services.credentials.providers(other.account_id) == frozenset()
    assert await services.credentials.providers(person.account_id) == {"fal"}


async def test_another_process_learns_of_a_change_within_a_second(
    mine: httpx.AsyncClient, beside: Services, person: Person, clock: ManualClock
) -> None:
    """It remembers for which providers there are keys, and never a key."""
    known, opened = beside.credentials.providers, beside.credentials.find
    assert await known(person.account_id) == frozenset()
    accepted(await give(mine, "fal", KEY))
    assert await opened(person.account_id, "fal") == KEY
    assert await known(person.account_id) == frozenset(), "nothing is asked of the database within the second"
    clock.pass_s(1)
    assert await known(person.account_id) == {"fal"}
    accepted(await mine.delete(FAL))
    assert await opened(person.account_id, "fal") is None
    clock.pass_s(1)
    assert await known(person.account_id) == frozenset()


async def test_what_is_looked_up_while_a_key_comes_is_not_remembered(
    services: Services, person: Person, clock: ManualClock
) -> None:
    """The rows were read before the key was there; whoever asks next sees it all the same."""

    class Meanwhile:
        async def fetch(self, *words: Any, **parameters: Any) -> Any:
            found = await services.database.fetch(*words, **parameters)
            await keys.give(person.account_id, "fal", KEY, actor=ACTOR)
            return found

    own = Credentials(Meanwhile(), clock, "a-secret-for-tests")
    keys = ProviderKeys(services.database, clock, own)
    assert await own.providers(person.account_id) == frozenset()
    assert await own.providers(person.account_id) == {"fal"}


async def test_no_key_is_stored_in_clear_logged_or_answered(
    mine: httpx.AsyncClient, services: Services, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Not given, not refused, not replaced, not used: neither its beginning nor its end, as it is or as base64."""
    caplog.set_level(logging.DEBUG)
    secrets = Secrets()
    key, newer, refused_one = (secrets.new(what) for what in ("key", "newer key", "refused key"))
    answers = [
        await give(mine, "fal", key),
        await mine.get(ALL),
        await give(mine, "fal", newer),
        await give(mine, "fal", f" {refused_one}"),
        await give(mine, "fal", refused_one * 103),
        await give(mine, "no_such", refused_one),
        await mine.put(FAL, json={"key": [refused_one]}),
        await mine.put(FAL, json={"key": newer, "more": refused_one}),
        await mine.put(FAL, content=f'{{"key": "{refused_one}"'.encode()),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 400, 400, 404, 400, 400, 400]
    (account,) = await rows(services.database, "select account_id from credentials")
    assert await services.credentials.find(account["account_id"], "fal") == newer
    assert newer not in repr(services.credentials) + repr(vars(services.credentials))
    said = "".join(f"{answer.text}{answer.headers}" for answer in answers)
    assert secrets.found_in(said + caplog.text) == []
    stored: list[bytes] = []
    async with reading(settings.database_direct) as moment:
        assert "credentials" in [table.name for table in moment.tables]
        for table in moment.tables:
            await moment.copy(table, stored.append)
    text = b"".join([*stored, *database_files(tmp_path)]).decode("latin-1")
    assert "credential.put" in text
    assert secrets.found_in(text) == []


async def test_a_changed_secret_of_the_installation_opens_no_key(
    mine: httpx.AsyncClient, settings: Settings, person: Person
) -> None:
    """A sentence says so, and a key that is given anew works."""
    accepted(await give(mine, "fal", KEY))
    other = await Services.open(settings.model_copy(update={"secret": SecretStr("another-secret-for-tests")}))
    try:
        with pytest.raises(Unavailable) as raised:
            await other.credentials.find(person.account_id, "fal")
        assert str(raised.value) == (
            "the account's key for fal cannot be read: UNITASK_SECRET has changed since it was given; "
            "give the key again"
        )
        assert await other.credentials.find(person.account_id, "hub") is None
        await other.provider_keys.give(person.account_id, "fal", "the-same-again", actor=ACTOR)
        assert await other.credentials.find(person.account_id, "fal") == "the-same-again"
    finally:
        await other.close()


async def test_keys_that_come_together_leave_one(mine: httpx.AsyncClient, services: Services, person: Person) -> None:
    """Whichever was last, whole: its hint is that of the key that opens."""
    keys = [f"one-of-many-keys-{number:04}" for number in range(20)]
    answers = await asyncio.gather(*(give(mine, "fal", key) for key in keys))
    assert sorted(accepted(answer)["hint"] for answer in answers) == [key[-4:] for key in keys]
    (shown,) = accepted(await mine.get(ALL))
    left = await services.credentials.find(person.account_id, "fal")
    assert left in keys
    assert shown["hint"] == left[-4:]


async def test_an_account_has_so_many_keys_and_no_more(mine: httpx.AsyncClient, services: Services) -> None:
    """However many come at the same moment; one of those that are there can still be replaced."""
    answers = await asyncio.gather(*(give(mine, f"p{number}", KEY) for number in range(MOST_CREDENTIALS + 7)))
    assert [answer.status_code for answer in answers].count(200) == MOST_CREDENTIALS
    late = [answer for answer in answers if answer.status_code != 200]
    assert {refused(answer, 409) for answer in late} == {"this account has keys for 100 providers; take one back first"}
    provider = accepted(await mine.get(ALL))[0]["provider"]
    accepted(await give(mine, provider, KEY))
    accepted(await mine.delete(f"{ALL}/{provider}"))
    accepted(await give(mine, "one-more", KEY))
    assert await rows(services.database, "select count(*) as n from credentials") == [{"n": MOST_CREDENTIALS}]


@pytest.mark.parametrize("provider", ["Fal", "-fal", "f_al", "fal.ai", "f" * 65, "fal%00", "%C3%A9", "fal%0A", "other"])
async def test_a_key_is_taken_for_providers_of_this_installation_alone(mine: httpx.AsyncClient, provider: str) -> None:
    """The sentence lists them; of another nothing can be taken back either."""
    said = refused(await give(mine, provider, KEY), 404)
    assert said.startswith("this installation has no provider ")
    assert said.endswith(f"; there are: {', '.join(sorted(NAMES))}")
    assert refused(await mine.delete(f"{ALL}/{provider}"), 404).startswith("no key for a provider")


async def test_an_installation_without_providers_takes_no_key(
    services: Services, mine: httpx.AsyncClient, person: Person
) -> None:
    """It says so; a key of before can still be taken back."""
    accepted(await give(mine, "fal", KEY))
    transport = httpx.ASGITransport(Application(replace(services, providers={})), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test", headers=person.headers) as none:
        assert refused(await give(none, "fal", KEY), 404).endswith("; there are none")
        assert accepted(await none.delete(FAL)) is None


@pytest.mark.parametrize("key", ["", " key", "key ", "ke\ny", "key\n", "ke\0y", "clé", "\ud800", "k" * 4097])
async def test_what_is_no_key_is_refused(mine: httpx.AsyncClient, key: str) -> None:
    """It could not be sent to a provider."""
    body = json.dumps({"key": key}).encode()
    assert refused(await mine.put(FAL, content=body), 400).startswith("invalid request: ")
    assert accepted(await mine.get(ALL)) == []


@pytest.mark.parametrize("key", ["k", "Key id:secret with spaces", "k" * 4096])
async def test_what_may_be_a_key_is_kept_as_it_came(
    mine: httpx.AsyncClient, services: Services, person: Person, key: str
) -> None:
    """To the last character."""
    accepted(await give(mine, "f" * 64, key))
    assert await services.credentials.find(person.account_id, "f" * 64) == key


@pytest.mark.parametrize("body", [{}, {"key": None}, {"key": 5}, {"key": KEY, "kye": 1}, [KEY]], ids=str)
async def test_a_body_of_another_form_is_refused(mine: httpx.AsyncClient, body: Any) -> None:
    """The sentence names the field."""
    assert refused(await mine.put(FAL, json=body), 400).startswith("invalid request: ")
    assert accepted(await mine.get(ALL)) == []
