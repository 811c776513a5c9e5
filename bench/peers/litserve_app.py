# /// script
# dependencies = ["litserve==0.2.19"]
#
# [tool.bench]
# title = "LitServe"
# pages = ["https://lightning.ai/docs/litserve/api-reference/litserver"]
# settings = "defaults; one worker and one API server on the CPU"
# api = ["python", "litserve_app.py", "{port}"]
# ready = "/health"
# create = "/predict"
# lacks = "the answer is the result: nothing is queued or stored, nothing can be asked for later; no price, no webhook"
# ///
"""A model behind LitServe."""

import sys
from typing import Any

import litserve
from marks import mark


class Maker(litserve.LitAPI):
    def setup(self, device: str) -> None:
        pass

    def decode_request(self, request: dict[str, Any]) -> str:
        return request["input"]["prompt"]

    def predict(self, prompt: str) -> str:
        mark(prompt)
        return "none"

    def encode_response(self, output: str) -> dict[str, str]:
        return {"image_url": output}


if __name__ == "__main__":
    server = litserve.LitServer(Maker(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False, access_log=False)
