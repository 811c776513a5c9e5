# /// script
# dependencies = ["ray[serve]==2.60.0"]
#
# [tool.bench]
# title = "Ray Serve"
# pages = ["https://docs.ray.io/en/latest/serve/advanced-guides/performance.html"]
# settings = "one replica, up to 100 requests at a time, no access log"
# api = ["python", "rayserve_app.py", "{port}"]
# ready = "/ready"
# create = "/make"
# lacks = "the answer is the result: nothing is queued or stored, nothing can be asked for later; no price, no webhook"
# ///
"""A deployment of Ray Serve."""

import sys
import threading

import ray
from marks import mark
from ray import serve
from starlette.requests import Request


@serve.deployment(
    num_replicas=1,
    max_ongoing_requests=100,
    ray_actor_options={"num_cpus": 1},
    logging_config={"enable_access_log": False, "log_level": "ERROR"},
)
class Maker:
    async def __call__(self, request: Request) -> dict[str, str]:
        if request.method == "POST":
            mark((await request.json())["input"]["prompt"])
        return {"image_url": "none"}


if __name__ == "__main__":
    ray.init(address="local", include_dashboard=False, logging_level="error", object_store_memory=200 * 2**20)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[1])})
    serve.run(Maker.bind(), route_prefix="/")
    threading.Event().wait()
