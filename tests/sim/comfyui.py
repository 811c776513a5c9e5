"""ComfyUI: graphs in a queue, a history of those that ended, files by their names, and a websocket that tells of all.

Who listens on the websocket sees a job go to its end at once; without a listener it goes on with each look at its
history. While jobs are held both stay in the middle. Nobody needs a key.
"""

import asyncio
import json
import struct
from typing import Any, Final
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from sim.comfyui_check import Nodes, failed, is_output, problem, refusal
from sim.provider import Job, Simulator, Stored, fields
from sim.results import TYPES, content

# What nodes save: the name in their output, and the extension.
SAVED: Final = {
    "SaveVideo": ("images", "mp4"),
    "SaveAudioMP3": ("audio", "mp3"),
    "SaveAudioOpus": ("audio", "opus"),
    "SaveAudio": ("audio", "flac"),
    "PreviewAudio": ("audio", "flac"),
    "SaveGLB": ("3d", "glb"),
    "VHS_VideoCombine": ("gifs", "mp4"),
}
AT_MS: Final = 1770091506789
PREVIEW, PREVIEW_WITH_METADATA, PNG = 1, 4, 2
FEATURES: Final = {"supports_preview_metadata": True, "max_upload_size": 100 * 2**20}
SYSTEM: Final = {
    "system": {"os": "posix", "ram_total": 2**36, "ram_free": 2**35, "comfyui_version": "0.3.64", "argv": ["main.py"]},
    "devices": [{"name": "cuda:0", "type": "cuda", "index": 0, "vram_total": 2**34, "vram_free": 2**33}],
}


class ComfyUI(Simulator):
    """The server. `object_info`: the descriptions of its nodes; without them it takes nodes of any class."""

    key = ""

    def __init__(self, object_info: Nodes | None = None, *, looks: int = 2) -> None:
        super().__init__(looks=looks)
        self.object_info: Nodes = object_info or {}
        self.sockets: dict[str, WebSocket] = {}
        self.files: dict[tuple[str, str, str], Stored] = {}
        self._clients: dict[int, str] = {}
        self._features: dict[str, dict[str, Any]] = {}

    def routes(self) -> list[BaseRoute]:
        """List the routes, all of which are below `/api` too."""
        listed: list[tuple[str, Any, list[str], str]] = [
            ("/prompt", self.submit, ["POST"], "submit"),
            ("/prompt", self.queue_info, ["GET"], "ping"),
            ("/history/{id}", self.history, ["GET"], "look"),
            ("/queue", self.queue, ["GET"], "look"),
            ("/queue", self.unqueue, ["POST"], "cancel"),
            ("/interrupt", self.interrupt, ["POST"], "cancel"),
            ("/view", self.view, ["GET"], "file"),
            ("/upload/image", self.take, ["POST"], "upload"),
            ("/object_info", self.describe, ["GET"], "ping"),
            ("/object_info/{name}", self.describe, ["GET"], "ping"),
            ("/system_stats", self.system_stats, ["GET"], "ping"),
            ("/features", self.features, ["GET"], "ping"),
        ]
        below: list[BaseRoute] = []
        for prefix in ("/api", ""):
            below += [Route(prefix + path, call, methods=how, name=step) for path, call, how, step in listed]
            below.append(WebSocketRoute(f"{prefix}/ws", self.listen, name="socket"))
        return below

    def refuse(self, code: int, message: str) -> Response:
        """Write what its web framework writes."""
        return PlainTextResponse(f"{code}: {message}", code)

    # Orders.

    async def submit(self, request: Request) -> Response:
        """Take a graph."""
        body = json.loads(await request.body())
        graph = body.get("prompt")
        if graph is None:
            told = problem("no_prompt", "No prompt provided", "No prompt provided")
            return JSONResponse({"error": told, "node_errors": {}}, 400)
        if wrong := refusal(graph, self.object_info):
            return JSONResponse(wrong, 400)
        if bad := self.bad_input():
            first = next(iter(graph))
            found = {first: [problem("custom_validation_failed", "Custom validation failed for node", bad.message)]}
            return JSONResponse(failed(found, graph, [first]), 400)
        job = self.make("graph", graph, request.headers, id_=str(body.get("prompt_id") or uuid4()))
        self._clients[job.number] = str(body.get("client_id", ""))
        await self.tell_queue()
        await self.play(job)
        return JSONResponse({"prompt_id": job.id, "number": job.number, "node_errors": {}})

    def item(self, job: Job) -> list[Any]:
        """Write a job as it stands in the queue."""
        client = self._clients[job.number]
        return [job.number, job.id, job.order, {"client_id": client} if client else {}, self.ends(job)]

    def ends(self, job: Job) -> list[str]:
        """Find the nodes that save something."""
        return [id_ for id_, node in job.order.items() if is_output(node["class_type"], self.object_info)]

    def waiting(self, *states: str) -> list[Job]:
        """Find the jobs in the queue."""
        return [job for job in self.jobs if job.state in states and not job.forgotten]

    async def queue(self, request: Request) -> Response:
        """Tell what runs and what waits; that is no look."""
        del request
        states = {"queue_running": "running", "queue_pending": "queued"}
        return JSONResponse({name: [self.item(job) for job in self.waiting(state)] for name, state in states.items()})

    async def history(self, request: Request) -> Response:
        """Tell how a job ended; nothing before it did, and nothing of one that was taken out of the queue."""
        job = self.find(request.path_params["id"])
        if job is None or not self.look(job).ended:
            return JSONResponse({})
        meta = {
            id_: {"node_id": id_, "display_node": id_, "parent_node": None, "real_node_id": id_} for id_ in job.output
        }
        told = {"prompt": self.item(job), "outputs": job.output, "status": self.status(job), "meta": meta}
        return JSONResponse({job.id: told})

    def status(self, job: Job) -> dict[str, Any]:
        """Write how a job ended."""
        well = job.state == "done"
        messages = [self.message("execution_start", job), self.message("execution_cached", job, nodes=[])]
        messages.append(self.ending(job))
        return {
            "status_str": "success" if well else "error",
            "completed": well,
            "messages": [[name, data] for name, data in messages],
        }

    async def unqueue(self, request: Request) -> Response:
        """Take jobs out that wait."""
        body = json.loads(await request.body())
        for job in self.waiting("queued"):
            if body.get("clear") or job.id in body.get("delete", []):
                job.state, job.forgotten = "cancelled", True
        await self.tell_queue()
        return Response()

    async def interrupt(self, request: Request) -> Response:
        """Stop what runs: one job, or whatever it is."""
        wanted = json.loads(await request.body() or b"{}").get("prompt_id")
        for job in self.waiting("running"):
            if wanted in {None, job.id}:
                job.state, job.output = "cancelled", {}
                await self.tell(job, *self.ending(job))
                await self.tell(job, "executing", {"node": None, "prompt_id": job.id})
        return Response()

    def finish(self, job: Job) -> Job:
        """End a job, with the files of its nodes."""
        job.state, job.output = "failed" if job.failure else "done", {}
        if not job.failure:
            job.output = {id_: self.saved(job, job.order[id_]) for id_ in self.ends(job)}
        return job

    def saved(self, job: Job, node: Any) -> dict[str, Any]:
        """Save what a node saves; gives what it tells of it."""
        name, extension = SAVED.get(node["class_type"], ("images", "png"))
        folder, _, prefix = str(node.get("inputs", {}).get("filename_prefix", "ComfyUI")).rpartition("/")
        place = "temp" if node["class_type"].startswith("Preview") else "output"
        told = {"filename": f"{prefix}_{len(self.files) + 1:05}_.{extension}", "subfolder": folder, "type": place}
        stored = Stored(content(extension), TYPES[extension], job)
        if node["class_type"] == "Preview3D":  # it shows what another node saved, by its path below the outputs
            self.files[f"{prefix}.glb", "", "output"] = Stored(content("glb"), TYPES["glb"], job)
            return {"result": [f"{prefix}.glb", None, None]}
        self.files[told["filename"], folder, place] = stored
        return {name: [told]} | ({"animated": [True]} if node["class_type"] == "SaveVideo" else {})

    # Files, and what the server is.

    async def view(self, request: Request) -> Response:
        """Give a file out."""
        asked = request.query_params
        found = (asked.get("filename", ""), asked.get("subfolder", ""), asked.get("type", "output"))
        stored = self.files.get(found)
        return Response(status_code=404) if stored is None or (stored.job and stored.job.expired) else self.give(stored)

    async def take(self, request: Request) -> Response:
        """Keep an input, whatever its kind; a name that is taken by something else gets a number."""
        form, files = await fields(request)
        (image,) = files.get("image", [None])
        if image is None or not image.name:
            return Response(status_code=400)
        folder, place = form.get("subfolder", ""), form.get("type", "input")
        stem, dot, extension = image.name.rpartition(".")
        name, number = image.name, 0
        while (there := self.files.get((name, folder, place))) and form.get("overwrite") not in {"true", "1"}:
            if there.content == image.content:
                break
            number += 1
            name = f"{stem} ({number}){dot}{extension}"
        stored = Stored(image.content, image.content_type)
        self.files[name, folder, place] = stored
        self.uploads.append(stored)
        return JSONResponse({"name": name, "subfolder": folder, "type": place})

    async def describe(self, request: Request) -> Response:
        """Describe all nodes, or one."""
        name = request.path_params.get("name")
        told = {name: self.object_info[name]} if name in self.object_info else {}
        return JSONResponse(told if name else self.object_info)

    async def system_stats(self, request: Request) -> Response:
        """Tell what it runs on."""
        del request
        return JSONResponse(SYSTEM)

    async def features(self, request: Request) -> Response:
        """Tell what it can."""
        del request
        return JSONResponse(FEATURES)

    async def queue_info(self, request: Request) -> Response:
        """Tell how much there is to do."""
        del request
        return JSONResponse(self.remaining())

    def remaining(self) -> dict[str, Any]:
        """Count the jobs in the queue."""
        return {"exec_info": {"queue_remaining": len(self.waiting("queued", "running"))}}

    # The websocket.

    async def listen(self, socket: WebSocket) -> None:
        """Tell a client of its jobs."""
        await socket.accept()
        client = socket.query_params.get("clientId") or uuid4().hex
        self.sockets[client] = socket
        await socket.send_json({"type": "status", "data": {"status": self.remaining(), "sid": client}})
        await self.play_all()
        try:
            while True:
                said = await socket.receive_json()
                if said.get("type") == "feature_flags":
                    self._features[client] = said.get("data", {})
                    await socket.send_json({"type": "feature_flags", "data": FEATURES})
        except (WebSocketDisconnect, json.JSONDecodeError):
            if self.sockets.get(client) is socket:
                del self.sockets[client]

    def release(self) -> None:
        """Let jobs go on, those that somebody listens to at once."""
        super().release()
        if self.thread:
            asyncio.run_coroutine_threadsafe(self.play_all(), self.thread.loop).result()

    async def play_all(self) -> None:
        """Let all jobs go on that somebody listens to."""
        for job in self.waiting("queued", "running"):
            await self.play(job)

    async def play(self, job: Job) -> None:
        """Let a job go on as far as it may, and tell it."""
        if self._clients[job.number] not in self.sockets:
            return
        last = (self.ends(job) or list(job.order))[-1]
        if job.state == "queued":
            job.state, job.seen = "running", 1
            await self.tell(job, *self.message("execution_start", job))
            await self.tell(job, *self.message("execution_cached", job, nodes=[]))
            await self.tell(job, "executing", {"node": last, "display_node": last, "prompt_id": job.id})
            await self.tell_progress(job, last, 1)
        if self.held:
            return
        await self.tell_progress(job, last, 2)
        self.finish(job)
        for node_id, output in job.output.items():
            await self.tell(
                job, "executed", {"node": node_id, "display_node": node_id, "output": output, "prompt_id": job.id}
            )
        await self.tell(job, *self.ending(job))
        await self.tell_queue()
        await self.tell(job, "executing", {"node": None, "prompt_id": job.id})

    async def tell(self, job: Job, event: str, data: Any) -> None:
        """Tell the client of a job."""
        if socket := self.sockets.get(self._clients[job.number]):
            await socket.send_json({"type": event, "data": data})

    async def tell_queue(self) -> None:
        """Tell everybody how much there is to do."""
        for socket in list(self.sockets.values()):
            await socket.send_json({"type": "status", "data": {"status": self.remaining()}})

    async def tell_progress(self, job: Job, node: str, value: int) -> None:
        """Tell that a node has made so many of two steps, with a preview."""
        about = {"node_id": node, "prompt_id": job.id, "display_node_id": node, "parent_node_id": None}
        about["real_node_id"] = node
        state = {**about, "value": value, "max": 2, "state": "running" if value < 2 else "finished"}
        await self.tell(job, "progress_state", {"prompt_id": job.id, "nodes": {node: state}})
        await self.tell(job, "progress", {"value": value, "max": 2, "prompt_id": job.id, "node": node})
        client = self._clients[job.number]
        frame = struct.pack(">II", PREVIEW, PNG)
        if self._features.get(client, {}).get("supports_preview_metadata"):
            text = json.dumps({**about, "image_type": "image/png"}).encode()
            frame = struct.pack(">II", PREVIEW_WITH_METADATA, len(text)) + text
        if socket := self.sockets.get(client):
            await socket.send_bytes(frame + content("png"))

    def message(self, event: str, job: Job, **more: Any) -> tuple[str, dict[str, Any]]:
        """Write an event that the history keeps."""
        return event, {**more, "prompt_id": job.id, "timestamp": AT_MS}

    def ending(self, job: Job) -> tuple[str, dict[str, Any]]:
        """Write the last event of a job."""
        if job.state == "done":
            return self.message("execution_success", job)
        node = (self.ends(job) or list(job.order))[-1]
        at = {"node_id": node, "node_type": job.order[node]["class_type"], "executed": []}
        if job.cancelled or job.failure is None:
            return self.message("execution_interrupted", job, **at)
        said = {"exception_message": f"{job.failure.message}\n", "exception_type": "RuntimeError", "traceback": []}
        return self.message("execution_error", job, **at, **said, current_inputs={}, current_outputs=[])
