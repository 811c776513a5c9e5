"""Measure jobs at a provider beside a bare poller in the same run: `make bench-providers`.

The provider is a process of its own on loopback that speaks the Unified API. First it holds all jobs: how much memory
does a worker take for each that waits? Then it lets each end at its second look: how many tasks end in a second, and
what does each cost the worker, beside a bare loop of httpx that sends the same requests and keeps nothing?
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

KEY = "the-key-of-the-bench"
AT_ONCE = 200
ORDER = {"model": "Qubico/flux1-schnell", "task_type": "txt2img", "input": {"prompt": "a red boat"}}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001"
    "e221bc330000000049454e44ae426082"
)


def provide(listener: socket.socket) -> None:
    """Speak the Unified API; `PUT /hold` and `PUT /release` say whether jobs end."""
    numbers, looks, held = count(1), dict[str, int](), [True]
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def answer(data: Any) -> Response:
        return JSONResponse({"code": 200, "data": data, "message": "success"})

    async def create(_: Request) -> Response:
        return answer({"task_id": f"job-{next(numbers)}", "status": "pending"})

    async def look(request: Request) -> Response:
        name = request.path_params["name"]
        looks[name] = looks.get(name, 0) + 1
        if held[0] or looks[name] < 2:
            return answer({"task_id": name, "status": "processing", "meta": {"progress": 0.5}})
        return answer({"task_id": name, "status": "completed", "output": {"image_url": f"{url}/file"}, "meta": {}})

    async def file(_: Request) -> Response:
        return Response(PNG, media_type="image/png")

    async def switch(request: Request) -> Response:
        held[0] = request.url.path == "/hold"
        return answer(None)

    async def nothing(_: Request) -> Response:
        return answer({})

    routes = [
        Route("/api/v1/task", create, methods=["POST"]),
        Route("/api/v1/task/{name}", look),
        Route("/file", file),
        Route("/account/info", nothing),
        Route("/hold", switch, methods=["PUT"]),
        Route("/release", switch, methods=["PUT"]),
    ]
    config = uvicorn.Config(Starlette(routes=routes), log_level="warning", access_log=False)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


@contextlib.contextmanager
def providing() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        process = multiprocessing.Process(target=provide, args=(listener,), daemon=True)
        process.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.join()


@contextlib.contextmanager
def server(folder: Path, url: str) -> Iterator[tuple[str, psutil.Process]]:
    """Run `unitask up` with the provider; gives its address and its worker."""
    (folder / "providers.toml").write_text(f'[provider.upstream]\nurl = "{url}"\nat_once = {AT_ONCE}\n')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = {
        "UNITASK_DATA": str(folder / "data"),
        "UNITASK_PORT": str(port),
        "UNITASK_API_KEY": KEY,
        "UNITASK_PROVIDERS": str(folder / "providers.toml"),
        "UNITASK_KEY_UPSTREAM": KEY,
        "UNITASK_ENGINES": "upstream",
        "UNITASK_LOG_LEVEL": "error",
        "UNITASK_STAGED_LIMIT": "100000",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "unitask", "up"], env=os.environ | settings, stdout=subprocess.DEVNULL
    )
    try:
        address = f"http://127.0.0.1:{port}"
        until = time.monotonic() + 30
        while time.monotonic() < until:
            with contextlib.suppress(httpx.HTTPError):
                made = httpx.get(f"{address}/api/v1/catalogue", headers={"X-API-Key": KEY}).json()["data"]
                if any(one["engine"] == "upstream" for one in made):
                    break
            time.sleep(0.2)
        (worker,) = (one for one in psutil.Process(process.pid).children() if "worker" in one.cmdline())
        time.sleep(2)
        yield address, worker
    finally:
        process.terminate()
        process.wait()


async def order(address: str, number: int) -> None:
    """Order so many tasks, 32 at a time."""
    gate = asyncio.Semaphore(32)
    async with httpx.AsyncClient(base_url=address, headers={"X-API-Key": KEY}, timeout=60) as client:

        async def one() -> None:
            async with gate:
                (await client.post("/api/v1/task", json=ORDER)).raise_for_status()

        await asyncio.gather(*(one() for _ in range(number)))


def ended(address: str, number: int, *, processing: int = 0) -> None:
    """Wait until no more than so many tasks are left."""
    while True:
        queue = httpx.get(f"{address}/readyz").json()["queue"]
        if sum(queue.values()) <= number and queue.get("processing", 0) >= processing:
            return
        time.sleep(0.05)


async def bare(url: str, number: int) -> tuple[float, float]:
    """Send what a worker sends for each job, and keep nothing: seconds, and processor seconds."""
    gate = asyncio.Semaphore(AT_ONCE)
    limits = httpx.Limits(max_connections=AT_ONCE)
    began, cpu = time.perf_counter(), time.process_time()
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def one() -> None:
            async with gate:
                name = (await client.post("/api/v1/task", json=ORDER)).json()["data"]["task_id"]
                while (await client.get(f"/api/v1/task/{name}")).json()["data"]["status"] != "completed":  # noqa: ASYNC110 - it polls
                    await asyncio.sleep(0.5)
                await client.get("/file")

        await asyncio.gather(*(one() for _ in range(number)))
    return time.perf_counter() - began, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--tasks", type=int, default=1000)
    tasks = parser.parse_args().tasks
    with tempfile.TemporaryDirectory() as folder, providing() as url, server(Path(folder), url) as (address, worker):
        idle = worker.memory_info().rss
        asyncio.run(order(address, AT_ONCE))
        ended(address, AT_ONCE, processing=AT_ONCE)
        time.sleep(10)
        held = worker.memory_info().rss
        print(f"{AT_ONCE} jobs at a time: {(held - idle) / AT_ONCE / 1024:.0f} KiB each, worker {held / 2**20:.0f} MiB")
        httpx.put(f"{url}/release")
        ended(address, 0)
        cpu, began = sum(worker.cpu_times()[:2]), time.perf_counter()
        asyncio.run(order(address, tasks))
        ended(address, 0)
        took, spent = time.perf_counter() - began, sum(worker.cpu_times()[:2]) - cpu
        floor_s, floor_cpu = asyncio.run(bare(url, tasks))
    print(f"worker: {tasks / took:.0f} tasks/s, {1000 * spent / tasks:.1f} ms of processor each")
    print(f"bare:   {tasks / floor_s:.0f} jobs/s, {1000 * floor_cpu / tasks:.1f} ms of processor each")
    print(
        f"the worker's share of the bare pace: {floor_s / took:.2f}; its processor time: {spent / floor_cpu:.1f} times"
    )


if __name__ == "__main__":
    main()
