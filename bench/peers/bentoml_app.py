# /// script
# dependencies = ["bentoml==1.4.39"]
#
# [tool.bench]
# title = "BentoML tasks"
# pages = ["https://docs.bentoml.com/en/latest/get-started/async-task-queues.html"]
# settings = "defaults; outside of its cloud the queue is in memory"
# api = ["bentoml", "serve", "bentoml_app:Maker", "--host=127.0.0.1", "--port={port}", "--quiet"]
# ready = "/readyz"
# create = "/make/submit"
# body = { order = "{order}" }
# id = "task_id"
# get = "/make/status?task_id={id}"
# lacks = "queue and results are in memory, which its documentation intends for development: a restart loses them; no price, no webhook"
# ///
"""A task of BentoML."""

from typing import Any

import bentoml
from marks import mark


@bentoml.service(traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Maker:
    @bentoml.task
    def make(self, order: dict[str, Any]) -> dict[str, str]:
        mark(order["input"]["prompt"])
        return {"image_url": "none"}
