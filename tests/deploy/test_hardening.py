"""The list of docs/guide/hardening.md, run as it stands against a server behind nginx with the file of deploy/."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.keys import API_KEY
from support.machine import Machine, free_port
from support.objects import certificates
from support.source import ROOT, text_of
from support.texts import section, tables
from support.wait import until

NAME = "unitask.example.com"
GUIDE = text_of(ROOT / "docs" / "guide" / "hardening.md") or ""
CERTIFICATES = f"/etc/letsencrypt/live/{NAME}"


@contextlib.contextmanager
def proxy(folder: Path, server: str, *, ssl_protocols: str = "TLSv1.2 TLSv1.3") -> Iterator[tuple[int, int]]:
    """Run nginx with the file of deploy/ before a server; gives its two ports, without and with TLS."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("nginx is not installed; on Debian: apt-get install nginx-light")
    folder.mkdir()
    certificates(folder)
    plain, safe = free_port(), free_port()
    text = (ROOT / "deploy" / "nginx-tls.conf").read_text()
    for there, here in (
        ("127.0.0.1:8000", server.removeprefix("http://")),
        ("listen 80;", f"listen 127.0.0.1:{plain};"),
        ("listen 443 ssl", f"listen 127.0.0.1:{safe} ssl"),
        (f"{CERTIFICATES}/fullchain.pem", str(folder / "leaf.pem")),
        (f"{CERTIFICATES}/privkey.pem", str(folder / "leaf.key")),
        ("TLSv1.2 TLSv1.3", ssl_protocols),
    ):
        assert there in text, there
        text = text.replace(there, here)
    scratch = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("proxy", "fastcgi", "scgi", "uwsgi"))
    own = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"{own}pid {folder}/pid;\nerror_log stderr warn;\nevents {{}}\nhttp {{\naccess_log off;\n"
        f"client_body_temp_path {folder}/body;\n{scratch}{text}}}\n"
    )
    command = [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", "stderr"]
    tried = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False, timeout=20)
    assert tried.returncode == 0, tried.stderr
    assert "[warn]" not in tried.stderr, tried.stderr
    with subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(plain) and _listens(safe), within_s=20, what="nginx")
            yield plain, safe
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@pytest.fixture
def machine(tmp_path: Path, sqlite_template: Path) -> Iterator[Machine]:
    """Make a machine with a server that trusts the proxy, and its data where the unit with DynamicUser= has it."""
    made = Machine(tmp_path, sqlite_template, {"API_KEY": API_KEY, "PORT": "0", "TRUSTED_PROXIES": "127.0.0.1"})
    made.found_by = {}
    made.prepare()
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "data").chmod(0o700)
    (tmp_path / "data").rename(tmp_path / "private" / "unitask")
    (tmp_path / "data").symlink_to(Path("private") / "unitask")
    yield made
    made.clear_away()


def steps() -> dict[str, str]:
    """Read the list."""
    (rows,) = tables(section(GUIDE, "The list").replace("\\|", "\0"))
    return {what: command.strip("`").replace("\0", "|") for what, command in rows}


def place(machine: Machine, plain: int, safe: int) -> dict[str, str]:
    """Let the commands of the list find this machine: the program, the files, and the name on these ports."""
    programs, home = machine.folder / "bin", machine.folder / "home"
    programs.mkdir()
    home.mkdir()
    (programs / "unitask").write_text(f'#!/bin/sh\nexec {sys.executable} -m unitask "$@"\n')
    (programs / "unitask").chmod(0o755)
    (home / ".curlrc").write_text(
        f"connect-to = {NAME}:443:127.0.0.1:{safe}\nconnect-to = {NAME}:80:127.0.0.1:{plain}\ninsecure\nmax-time = 20\n"
    )
    (machine.folder / "unitask.env").touch(mode=0o600)
    (machine.folder / "wheel").write_bytes(b"a wheel")
    subprocess.run("sha256sum wheel > SHA256SUMS", shell=True, cwd=machine.folder, check=True)  # noqa: S602
    assert machine.run("backup", str(machine.folder / "backup")).returncode == 0
    environment = machine.environment(PUBLIC_URL="")
    return {**environment, "PATH": f"{programs}{os.pathsep}{environment['PATH']}", "CURL_HOME": str(home)}


def here(command: str, machine: Machine, safe: int) -> str:
    """Put the paths of this machine into a command."""
    for there, ours in (
        ("/etc/unitask.env", machine.folder / "unitask.env"),
        ("/var/lib/unitask", machine.folder / "data"),
        ("/backups/2026-11-22", machine.folder / "backup"),
        (f"-connect {NAME}:443", f"-connect 127.0.0.1:{safe}"),
        ("deploy/systemd", ROOT / "deploy" / "systemd"),
    ):
        command = command.replace(there, str(ours))
    return command


def looked(line: str, machine: Machine, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line of the list; any part of it that fails counts."""
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"],
        cwd=machine.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_line_of_the_list_holds(machine: Machine) -> None:
    """On a server that was set up by the page; where a program is missing its line is left out."""
    program, _ = machine.serve()
    with proxy(machine.folder / "nginx", program.address) as (plain, safe):
        environment = place(machine, plain, safe)
        for what, command in steps().items():
            if shutil.which(command.removeprefix("! ").split()[0], path=environment["PATH"]) is None:
                continue
            line = here(command, machine, safe)
            done = looked(line, machine, environment)
            assert done.returncode == 0, f"{what}: {line}: {done.stdout}{done.stderr}"


def test_the_list_finds_what_is_open(machine: Machine) -> None:
    """A file that others read, a proxy that speaks old TLS, a door that is open: each line can fail."""
    lines = steps()
    program, _ = machine.serve()
    with proxy(machine.folder / "nginx", program.address, ssl_protocols="TLSv1.1") as (plain, safe):
        environment = place(machine, plain, safe)
        (machine.folder / "unitask.env").chmod(0o644)
        (machine.folder / "data").chmod(0o755)
        (machine.folder / "wheel").write_bytes(b"another")
        (machine.folder / "backup" / "manifest.json").unlink()
        closed = {
            "settings with secrets are for root alone",
            "the data folder is for its user alone",
            "browsers are told to come by TLS",
            "workers' door is closed outside",
            "a backup can be read to its end",
            "what was installed is what was released",
        }
        for what in closed:
            assert looked(here(lines[what], machine, safe), machine, environment).returncode, what


def test_the_proxy_says_who_a_client_is(machine: Machine) -> None:
    """A client that claims another address is not believed: its key may be used from elsewhere alone."""
    program, _ = machine.serve()
    assert machine.run("accounts", "add", "studio", "--unlimited").returncode == 0
    key = machine.run("keys", "add", "--account", "studio", "--network", "192.0.2.7/32").stdout.strip()
    with (
        proxy(machine.folder / "nginx", program.address) as (_, safe),
        httpx.Client(base_url=f"https://127.0.0.1:{safe}", verify=False, trust_env=False) as client,  # noqa: S501
    ):
        headers = {"X-API-Key": key, "X-Forwarded-For": "192.0.2.7", "Host": NAME}
        assert client.get("/account/info", headers=headers).status_code == 403
        direct = httpx.get(f"{program.address}/account/info", headers=headers, trust_env=False)
        assert direct.status_code == 200, "whom the server trusts says who a client is"


def test_the_unit_is_well_formed() -> None:
    """By systemd's own reading, which knows every setting; only the program is not there."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd is not installed")
    unit = ROOT / "deploy" / "systemd" / "unitask.service"
    done = subprocess.run([program, "verify", unit], capture_output=True, text=True, check=False, timeout=30)
    said = [line for line in done.stderr.splitlines() if "unitask.service" in line]
    assert [line for line in said if "is not executable" not in line] == []
    score = subprocess.run(
        [program, "security", "--offline=true", unit], capture_output=True, text=True, check=False, timeout=30
    )
    assert "exposure level for unitask.service: 1.4 " in score.stdout
    assert "gives it 1.4 of 10" in GUIDE
