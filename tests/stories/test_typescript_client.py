"""The TypeScript client, as its README says: generated from a running server, checked by its compiler, and used."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.server import Server, throw_away_server
from support.source import ROOT

CLIENT = ROOT / "sdk/typescript"
LIMIT_S = 300.0


def npm(folder: Path, *words: str) -> str:
    """Run npm there; gives what was said."""
    done = subprocess.run(("npm", *words), cwd=folder, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, f"npm {' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with its worker."""
    with throw_away_server(tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lay the client out, with its libraries and the types of this server."""
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("node and npm are not installed: the TypeScript client is not checked")
    if subprocess.run(("npm", "ping"), capture_output=True, timeout=LIMIT_S, check=False).returncode:
        pytest.skip("no npm registry can be reached: the TypeScript client is not checked")
    folder = tmp_path_factory.mktemp("typescript") / "client"
    shutil.copytree(CLIENT, folder, ignore=shutil.ignore_patterns("node_modules", "dist", "schema.ts"))
    npm(folder, "ci", "--no-audit", "--no-fund")
    npm(folder, "run", "generate", "--", f"{server.address}/openapi.json")
    return folder


@pytest.fixture(scope="module")
def built(client: Path) -> Path:
    """Let the compiler make JavaScript of it."""
    npm(client, "run", "build")
    return client


def test_the_compiler_accepts_the_client_and_refuses_wrong_orders(built: Path) -> None:
    """Every `@ts-expect-error` in `tests/types.ts` is a line that the compiler must refuse."""
    assert (built / "tests/types.ts").read_text().count("@ts-expect-error") > 5
    assert (built / "dist/tests/types.js").exists()


def test_a_product_that_the_server_does_not_sell_is_not_ordered(client: Path) -> None:
    """The types are those of the server: the compiler names the model that it does not have."""
    wrong = client / "examples" / "wrong.ts"
    example = (client / "examples" / "cat.ts").read_text()
    wrong.write_text(example.replace('"Qubico/flux1-dev"', '"Somebody/else"'))
    try:
        with pytest.raises(AssertionError, match='"Somebody/else"'):
            npm(client, "run", "check")
    finally:
        wrong.unlink()


def test_the_example_makes_a_picture(built: Path, server: Server, tmp_path: Path) -> None:
    """Ordered, awaited and saved by Node; it says what made it, and what it cost."""
    picture = tmp_path / "cat.png"
    environment = {**os.environ, "UNITASK_URL": server.address, "UNITASK_API_KEY": server.api_key}
    command = ("node", "dist/examples/cat.js", str(picture))
    done = subprocess.run(
        command, cwd=built, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert picture.read_bytes().startswith(b"\x89PNG\r\n")
    assert re.search(r"^completed 1\nmade by preview at level preview for \d+ points$", done.stdout, re.MULTILINE)


def test_a_wrong_key_is_a_sentence(built: Path, server: Server, tmp_path: Path) -> None:
    """The example ends with what the server said."""
    environment = {**os.environ, "UNITASK_URL": server.address, "UNITASK_API_KEY": "wrong"}
    command = ("node", "dist/examples/cat.js", str(tmp_path / "cat.png"))
    done = subprocess.run(
        command, cwd=built, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode != 0
    assert "Refused" in done.stderr
    assert "API key" in done.stderr
