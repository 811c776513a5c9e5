# /// script
# dependencies = ["litellm[proxy]==1.105.0"]
#
# [tool.bench]
# title = "LiteLLM proxy"
# pages = ["https://docs.litellm.ai/docs/benchmarks", "https://docs.litellm.ai/docs/proxy/prod"]
# settings = "its own mocked answer, no callbacks, no database, one process"
# api = ["python", "litellm_app.py", "{port}"]
# ready = "/health/liveliness"
# create = "/v1/chat/completions"
# body = { model = "mock", messages = [{ role = "user", content = "{prompt}" }] }
# key = "sk-a-key-for-the-bench"
# lacks = "passes a request on and waits: nothing is queued or stored, nothing can be asked for later; no webhook; no handler of ours runs"
# ///
"""The proxy of LiteLLM with a mocked model: writes its configuration down and becomes it."""

import os
import sys
import sysconfig
from pathlib import Path

CONFIG = """\
model_list:
  - model_name: mock
    litellm_params: {model: openai/mock, api_key: none, mock_response: made}
litellm_settings: {num_retries: 0, callbacks: []}
general_settings: {master_key: sk-a-key-for-the-bench}
"""

if __name__ == "__main__":
    path = Path(os.environ["BENCH_HOME"]) / "litellm.yaml"
    path.write_text(CONFIG)
    program = str(Path(sysconfig.get_path("scripts")) / "litellm")
    os.execv(program, [program, "--config", str(path), "--host", "127.0.0.1", "--port", sys.argv[1]])
