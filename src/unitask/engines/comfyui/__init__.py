"""ComfyUI: a graph for each product, in `graphs/<product>.json`."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlencode
from uuid import NAMESPACE_URL, uuid5

import orjson

from unitask.engines.comfyui.graph import Graph, graph_of, place
from unitask.engines.comfyui.lacks import lacks
from unitask.kit.errors import EngineFailure, JobFailed, JobLost
from unitask.remote.binding import Binder
from unitask.remote.mapping import warn_unread
from unitask.remote.results import RESULT_BYTES, output_of
from unitask.spec.media import MediaValue
from unitask.spec.product import Product
from unitask.spec.remote import Calls, Document, Look, Made, Provider, RemoteJob


class ComfyuiEngine:
    """Queues a graph, hears of its progress, and fetches what its last nodes saved."""

    name = "comfyui"
    url = ""
    asks_key = False
    at_once = 2

    def headers(self, key: str) -> dict[str, str]:
        """Write the key for a proxy before the server, which itself asks none."""
        return {"Authorization": f"Bearer {key}"}

    def makes(self, product: Product, provider: Provider) -> bool:
        """Tell whether there is a graph for a product."""
        return graph_of(product.key, provider.recipes) is not None

    async def repeats(self, calls: Calls) -> bool:
        """Say that an order may be repeated: it is looked for by its id before it is queued."""
        del calls
        return True

    async def prepare(self, job: RemoteJob) -> Any:
        """Bring the files there and fill the graph in."""
        found = _graph(job)

        async def hand(value: MediaValue) -> str:
            path = await job.fetch(value.source, value.media)
            named = path.rename(path.with_name(f"{job.task_id}-{path.name}"))
            form = {"overwrite": "true", "type": "input"}
            reply = await job.calls.send("POST", "upload/image", form=form, files=[("image", named)], repeatable=True)
            folder = reply.document.get("subfolder")
            return f"{folder}/{reply.document['name']}" if folder else str(reply.document["name"])

        binder = Binder.of(job.inputs, job.seed, hand)
        graph = deepcopy(dict(found.nodes))
        for path, value in (await binder.bound(found.input)).items():
            place(graph, path, value)
        for node, rule in found.bypass.items():
            if not binder.has(rule.unless):
                _take_out(graph, node, rule.outputs)
        return graph

    async def submit(self, job: RemoteJob, request: Any, key: str) -> Document:
        """Queue the graph, unless it has come already."""
        name = _id(key)
        document = {"id": name, "client": name}
        if await _state(job.calls, name):
            return document
        body = {"prompt": request, "client_id": name, "prompt_id": name}
        reply = await job.calls.send("POST", "prompt", json=body, accepts=_is_refusal)
        if _is_refusal(reply.document):
            # What the client wrote was checked: what is wrong is mostly what this server has not.
            why = job.calls.clean(_why_refused(reply.document))
            raise JobFailed(f"ComfyUI does not take the graph: {why[:300]}", raw_message=why[:2000])
        return document | {"id": str(reply.document["prompt_id"])}

    async def look(self, job: RemoteJob, document: Document) -> Look:
        """Look whether the graph waits, runs or has ended."""
        state = await _state(job.calls, document["id"])
        if state is None:
            raise JobLost("ComfyUI does not know the prompt any more")
        return state if state.state != "done" else _ended(job.calls, state)

    async def watch(self, job: RemoteJob, document: Document) -> AsyncIterator[Look]:
        """Hear of progress: of the node that runs, and how many have run."""
        nodes, seen = len(_graph(job).nodes), set[str]()
        async for message in job.calls.socket(f"ws?clientId={quote(document['client'])}"):
            said = _message(message, document["id"])
            kind, data = said.get("type"), said.get("data") or {}
            if kind in {"execution_success", "execution_error", "execution_interrupted"}:
                yield Look("done")
                return
            if kind == "executing" and data.get("node"):
                seen.add(str(data["node"]))
                yield Look("running", min(0.99, (len(seen) - 1) / nodes))
            if kind == "progress" and data.get("max"):
                within = min(1.0, float(data["value"]) / float(data["max"]))
                yield Look("running", min(0.99, (max(0, len(seen) - 1) + within) / nodes))

    async def collect(self, job: RemoteJob, document: Document, result: Any) -> Made:
        """Fetch and store what the nodes of the result saved."""
        del document
        warn_unread(job, _graph(job).read, "its graph has no place for it")
        wanted = _graph(job).files
        paths = {node: await _fetched(job, result.get(node) or {}) for node in wanted}
        if isinstance(wanted, dict):
            return Made(await output_of(job, {field: paths[node][0] for node, field in wanted.items() if paths[node]}))
        return Made(await output_of(job, [path for node in wanted for path in paths[node]]))

    async def cancel(self, calls: Calls, document: Document) -> None:
        """Take the graph out of the queue, or interrupt it; no other graph is touched."""
        name = document.get("id") or _id(document["key"])
        await calls.send("POST", "queue", json={"delete": [name]}, reads_json=False, repeatable=True)
        queue = (await calls.send("GET", "queue")).document
        if any(len(one) > 1 and one[1] == name for one in queue.get("queue_running") or ()):
            await calls.send("POST", "interrupt", json={"prompt_id": name}, reads_json=False, repeatable=True)

    async def ping(self, calls: Calls) -> None:
        """Ask for the machine."""
        await calls.send("GET", "system_stats")

    async def missing(self, calls: Calls, products: list[Product]) -> dict[str, str]:
        """Compare the graphs of these products with the nodes and files that this ComfyUI has."""
        there = (await calls.send("GET", "object_info")).document
        graphs = {product.key: graph_of(product.key, calls.provider.recipes) for product in products}
        found = {key: lacks(graph, there) for key, graph in graphs.items() if graph}
        return {key: what for key, what in found.items() if what}


def _id(key: str) -> str:
    return str(uuid5(NAMESPACE_URL, key))


def _graph(job: RemoteJob) -> Graph:
    found = graph_of(job.product.key, job.calls.provider.recipes)
    if found is None:
        raise EngineFailure(f"there is no graph for {job.product.key}")
    return found


def _take_out(graph: dict[str, Any], node: str, outputs: dict[str, str]) -> None:
    """Take a node out; what was linked to one of its outputs is linked to what the input of that kind was linked to."""
    taken = graph.pop(node)
    for other in graph.values():
        for name, value in list(other["inputs"].items()):
            if isinstance(value, list) and value[:1] == [node]:
                through = outputs.get(str(value[1]))
                if through is None:
                    del other["inputs"][name]
                else:
                    other["inputs"][name] = taken["inputs"][through]


def _is_refusal(found: Any) -> bool:
    """Tell ComfyUI's own refusal from that of a proxy before it."""
    return isinstance(found, dict) and "node_errors" in found and bool(found.get("error"))


def _why_refused(found: dict[str, Any]) -> str:
    """Say what the nodes say; ComfyUI's own sentence says no more than that something is wrong."""
    nodes = found.get("node_errors") or {}
    told = [
        f"{node.get('class_type')}: {error.get('message')}: {error.get('details')}"
        for node in (nodes.values() if isinstance(nodes, dict) else ())
        for error in node.get("errors") or ()
    ]
    error = found["error"]
    return "; ".join(told) or str(error.get("message") if isinstance(error, dict) else error)


async def _state(calls: Calls, name: str) -> Look | None:
    """Find a graph in the history or in the queue; None where it is in neither."""
    for _ in range(2):  # between two looks it may go from the queue to the history
        history = (await calls.send("GET", f"history/{quote(name)}")).document
        if name in history:
            return Look("done", 1.0, result=history[name])
        queue = (await calls.send("GET", "queue")).document
        if any(len(one) > 1 and one[1] == name for one in queue.get("queue_running") or ()):
            return Look("running")
        waiting = sorted(queue.get("queue_pending") or (), key=lambda one: one[0])
        places = [place for place, one in enumerate(waiting) if len(one) > 1 and one[1] == name]
        if places:
            return Look("waiting", note=f"{places[0]} before it at {calls.provider.name}" if places[0] else "")
    return None


def _ended(calls: Calls, state: Look) -> Look:
    status = state.result.get("status") or {}
    if status.get("status_str") == "error" or status.get("completed") is False:
        messages = [message for message in status.get("messages") or () if len(message) > 1]
        said: dict[str, Any] = next((data for kind, data in messages if kind == "execution_error"), {})
        why = calls.clean(str(said.get("exception_message") or "it was interrupted"))[:500].strip()
        where = f" in the node {said['node_type']}" if said.get("node_type") else ""
        raise JobFailed(f"ComfyUI failed{where}: {why}", raw_message=why)
    return Look("done", 1.0, result=state.result.get("outputs") or {})


async def _fetched(job: RemoteJob, output: dict[str, Any]) -> list[Any]:
    """Fetch what a node saved, in whatever list it says so; what it saved for a look is not the result."""
    listed = [one for value in output.values() if isinstance(value, list) for one in value]
    paths = []
    for one in (_named(each) for each in listed):
        if not one.get("filename") or one.get("type") == "temp":
            continue
        query = urlencode({name: one.get(name) or "" for name in ("filename", "subfolder", "type")})
        path = job.new_path("result")
        await job.calls.download(job.calls.address(f"view?{query}"), path, limit_bytes=RESULT_BYTES)
        paths.append(path)
    return paths


def _named(one: Any) -> dict[str, Any]:
    """Read how a file is named; a solid is named by its path, in the folder of outputs or whole."""
    if isinstance(one, str) and one.endswith((".glb", ".obj", ".ply", ".stl")):
        path = PurePosixPath(one.replace("\\", "/"))
        folder = "" if path.is_absolute() or str(path.parent) == "." else str(path.parent)
        return {"filename": path.name, "subfolder": folder, "type": "output"}
    return one if isinstance(one, dict) else {}


def _message(message: str | bytes, name: str) -> dict[str, Any]:
    """Read a message about our graph; pictures of what there is so far come as bytes."""
    if isinstance(message, bytes):
        return {}
    try:
        said = orjson.loads(message)
    except orjson.JSONDecodeError:
        return {}
    data = said.get("data") if isinstance(said, dict) else None
    return said if isinstance(data, dict) and data.get("prompt_id") == name else {}


ENGINE: Final = ComfyuiEngine()
