"""Start a throw-away server, order two pictures as any client would, save them, stop the server.

Uses nothing of Unitask but its command and its HTTP API: this is also what a first client looks like.
"""

import base64
import io
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import skimage.data
from PIL import Image

OUT = Path("demo-output")
KEY = "a-key-for-the-demo"
START_LIMIT_S = 30
TASK_LIMIT_S = 90


def photograph() -> str:
    """Give scikit-image's photograph of an astronaut as a data URI."""
    stream = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(stream, "PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()


def requests() -> dict[str, dict[str, Any]]:
    """Give the two requests, by the name of the file that each makes."""
    return {
        "a-little-cat": {
            "model": "Qubico/flux1-dev",
            "task_type": "txt2img",
            "input": {"prompt": "a little cat", "width": 1024, "height": 1024},
        },
        "astronaut-without-background": {
            "model": "Qubico/image-toolkit",
            "task_type": "background-remove",
            "input": {"image": photograph()},
        },
    }


def start(folder: str) -> tuple[subprocess.Popen[str], str]:
    """Start the server on a free port; gives the process and the address that it prints."""
    command = [sys.executable, "-m", "unitask", "up", "--port", "0", "--data", folder]
    environment = {**os.environ, "UNITASK_API_KEY": KEY, "UNITASK_LOG_LEVEL": "warning"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    for line in server.stdout:
        print(f"  | {line.rstrip()}")
        found = re.search(r"listens on (\S+)", line)
        if found:
            return server, found[1]
    raise SystemExit("the server did not start")


def stop(server: subprocess.Popen[str]) -> None:
    """End the server."""
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=30)


def wait_until_ready(client: httpx.Client) -> None:
    """Wait until the server answers."""
    until = time.monotonic() + START_LIMIT_S
    while time.monotonic() < until:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit(f"the server was not ready within {START_LIMIT_S} s")


def follow(client: httpx.Client, task_id: str) -> dict[str, Any]:
    """Read the task until it has ended, showing how far it is."""
    until = time.monotonic() + TASK_LIMIT_S
    shown = ""
    while time.monotonic() < until:
        task: dict[str, Any] = client.get(f"/api/v1/task/{task_id}").raise_for_status().json()["data"]
        fraction = task["meta"]["progress"]
        line = f"  [{'#' * round(fraction * 30):30}] {fraction:4.0%} {task['status']:10}"
        if line != shown:
            print(f"\r{line}", end="", flush=True)
            shown = line
        if task["status"] in {"completed", "failed"}:
            print()
            return task
        time.sleep(0.1)
    raise SystemExit(f"\nthe task did not end within {TASK_LIMIT_S} s")


def make(client: httpx.Client, name: str, request: dict[str, Any]) -> None:
    """Order one picture, save it, and say who made it."""
    print(f"\n{request['model']} {request['task_type']}")
    began = time.monotonic()
    answer = client.post("/api/v1/task", json=request)
    if answer.is_error:
        raise SystemExit(answer.json()["message"])
    task = follow(client, answer.json()["data"]["task_id"])
    if task["status"] == "failed":
        raise SystemExit(f"failed: {task['error']['message']}")
    picture = client.get(task["output"]["image_url"]).raise_for_status().content
    path = OUT / f"{name}{Path(task['output']['image_url']).suffix}"
    path.write_bytes(picture)
    meta = task["meta"]
    print(f"  engine   {meta['engine']} (level {meta['engine_level']})")
    print(f"  time     {time.monotonic() - began:.1f} s")
    print(f"  file     {path}  {len(picture) // 1024} KiB")
    for warning in meta["warnings"]:
        print(f"  note     {warning}")


def main() -> None:
    """Run the demonstration."""
    OUT.mkdir(exist_ok=True)
    print("Starting a server with a throw-away data folder ...")
    with tempfile.TemporaryDirectory(prefix="unitask-demo-") as folder:
        server, address = start(folder)
        try:
            with httpx.Client(base_url=address, headers={"X-API-Key": KEY}, trust_env=False, timeout=30) as client:
                wait_until_ready(client)
                for name, request in requests().items():
                    make(client, name, request)
        finally:
            stop(server)
    print(f"\nThe server is stopped. Look at {OUT}/; `make up` starts one that stays.")


if __name__ == "__main__":
    main()
