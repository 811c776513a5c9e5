"""The dashboard's files as they are served, and what its scripts may not do."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import httpx
import pytest
from pydantic import SecretStr

from support.source import SRC
from unitask import dashboard
from unitask.api import Application
from unitask.app import Services

STATIC: Final = SRC / "unitask/dashboard/static"
FILES: Final = sorted(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
SCRIPTS: Final = {name: (STATIC / name).read_text() for name in FILES if name.endswith(".js")}
KINDS: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
IMPORT: Final = re.compile(r"""(?:from|import)\s*\(?\s*"([^"]+)";?""")
MARKUP: Final = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")
SCRIPT_LINES: Final = 300


def address(name: str) -> str:
    """Tell where a file is served."""
    return "/dashboard" if name == "index.html" else f"/dashboard/{name}"


@pytest.fixture
async def browser(services: Services) -> AsyncIterator[httpx.AsyncClient]:
    """Open a client without a key of a server with the dashboard."""
    application = Application(services, dashboard.routes(services.settings))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://unitask.test") as opened:
        yield opened


async def test_every_file_is_served_once_and_then_known(browser: httpx.AsyncClient, subtests: pytest.Subtests) -> None:
    """With its type, for anyone, never under a policy that lets foreign scripts in; again only if it has changed."""
    for name in FILES:
        with subtests.test(name):
            answer = await browser.get(address(name))
            assert answer.status_code == 200
            assert answer.headers["content-type"].partition(";")[0] == KINDS[name.rpartition(".")[2]]
            assert answer.content == (STATIC / name).read_bytes()
            policy = answer.headers["content-security-policy"]
            assert "script-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["x-frame-options"] == "DENY"
            known = await browser.get(address(name), headers={"If-None-Match": answer.headers["etag"]})
            assert (known.status_code, known.content) == (304, b"")


async def test_a_slash_at_the_end_leads_to_the_page(browser: httpx.AsyncClient) -> None:
    """Its files are named relative to it, because a proxy may serve all this under a path of its own."""
    answer = await browser.get("/dashboard/")
    assert (answer.status_code, answer.headers["location"]) == (307, "../dashboard")


@pytest.mark.parametrize("path", ["nothing.js", "../app.py", "%2e%2e/app.py", "serving.py", "css"])
async def test_nothing_else_is_served(browser: httpx.AsyncClient, path: str) -> None:
    """Only what stands in the folder of the page's own files."""
    assert (await browser.get(f"/dashboard/{path}")).status_code == 404


@pytest.mark.parametrize(
    ("changes", "reached"),
    [
        ({}, "connect-src 'self' data: blob: http://unitask.test"),
        (
            {"store": "s3://b", "s3_endpoint": "https://s3.test"},
            "http://unitask.test https://s3.test https://*.s3.test",
        ),
        ({"store": "s3://b"}, "http://unitask.test https://*.amazonaws.com"),
    ],
    ids=["folder", "store", "amazon"],
)
async def test_data_goes_to_the_server_and_its_store_alone(
    services: Services, changes: dict[str, str], reached: str
) -> None:
    """A large upload goes to the store itself, and nowhere else."""
    settings = services.settings.model_copy(update={**changes, "s3_secret_access_key": SecretStr("unused")})
    routes = dashboard.routes(settings)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Application(services, routes))) as client:
        policy = (await client.get("http://unitask.test/dashboard")).headers["content-security-policy"]
    assert policy.endswith(reached)


def test_scripts_import_files_that_are_there() -> None:
    """There is no build step that would find a wrong name."""
    for name, text in SCRIPTS.items():
        for target in IMPORT.findall(text):
            if target.startswith("."):
                found = (STATIC / name).parent / target
                assert found.resolve().is_file(), f"{name} imports {target}"


def test_every_name_that_is_imported_is_exported() -> None:
    """A module that is wrong here fails in the browser only when somebody opens its page."""
    for name, text in SCRIPTS.items():
        for names, target in re.findall(r'import \{([^}]+)\} from "([^"]+)"', text):
            source = ((STATIC / name).parent / target).resolve().read_text()
            for one in (word.split(" as ")[0].strip() for word in names.split(",") if word.strip()):
                assert re.search(rf"export (?:const|class|(?:async )?function\*?) {one}\b", source), f"{name}: {one}"


def test_data_never_become_markup() -> None:
    """Scripts build elements; a prompt that looks like HTML stays text. Nor do they leave anything to globals."""
    for name, text in SCRIPTS.items():
        assert not MARKUP.search(text), name
        assert not re.search(r"\b(?:window|globalThis)\.\w+ = ", text), name
        assert len(text.splitlines()) <= SCRIPT_LINES, name


def test_pages_load_nothing_from_elsewhere() -> None:
    """No address of another host in the page, its styles or its scripts."""
    for name in FILES:
        text = (STATIC / name).read_text()
        assert not re.search(r"""(?:src|href|import|from|url\()\s*[=(]?\s*["']?https?://""", text), name


def test_the_folder_is_part_of_the_package() -> None:
    """What is served comes from the installed package, not from a checkout."""
    assert Path(dashboard.__file__).parent == STATIC.parent
