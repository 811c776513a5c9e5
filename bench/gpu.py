"""Measure what serving adds to a model on a GPU: `make bench-gpu`.

A checkpoint of the real size with random weights is written to disk and served by the engine `diffusers`: no weights
are downloaded, and what the pictures show is noise. The floor is the bare pipeline of diffusers with the same networks
and the same arguments, in the same process. Without a GPU it says so and ends; `--scale tiny` tries the command itself.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")

from cpu import BenchJob

from unitask.catalogue import Catalogue
from unitask.kit.errors import Cancelled
from unitask.spec.engine import Work

FULL = {
    "transformer": {"num_layers": 19, "num_single_layers": 38, "num_attention_heads": 24, "attention_head_dim": 128},
    "text": {"d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_layers": 24, "num_heads": 64},
    "clip": {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12},
    "vae": (128, 256, 512, 512),
    "axes": (16, 56, 56),
    "side": 1024,
}
TINY = {
    "transformer": {"num_layers": 2, "num_single_layers": 2, "num_attention_heads": 2, "attention_head_dim": 16},
    "text": {"d_model": 64, "d_ff": 64, "d_kv": 8, "num_layers": 2, "num_heads": 4},
    "clip": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4},
    "vae": (32, 32),
    "axes": (4, 4, 8),
    "side": 64,
}
MIB = 2**20


def build(folder: Path, scale: dict[str, Any], device: str, dtype: Any) -> None:
    """Write a checkpoint of Flux's layout, made on the device."""
    import torch
    from diffusers import AutoencoderKL, FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel
    from tiny import clip_tokenizer, t5_tokenizer
    from transformers import CLIPTextConfig, CLIPTextModel, T5Config, T5EncoderModel

    usual = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    blocks = len(scale["vae"])
    with torch.device(device):
        pipe = FluxPipeline(
            scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
            vae=AutoencoderKL(
                down_block_types=("DownEncoderBlock2D",) * blocks,
                up_block_types=("UpDecoderBlock2D",) * blocks,
                block_out_channels=scale["vae"],
                layers_per_block=2,
                latent_channels=16,
                scaling_factor=0.3611,
                shift_factor=0.1159,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            text_encoder=CLIPTextModel(CLIPTextConfig(bos_token_id=512, eos_token_id=513, **scale["clip"])),
            tokenizer=clip_tokenizer(),
            text_encoder_2=T5EncoderModel(
                T5Config(vocab_size=32128, feed_forward_proj="gated-gelu", is_encoder_decoder=False, **scale["text"])
            ),
            tokenizer_2=t5_tokenizer(),
            transformer=FluxTransformer2DModel(
                in_channels=64,
                guidance_embeds=True,
                joint_attention_dim=scale["text"]["d_model"],
                pooled_projection_dim=scale["clip"]["hidden_size"],
                axes_dims_rope=scale["axes"],
                **scale["transformer"],
            ),
        )
    torch.set_default_dtype(usual)
    pipe.save_pretrained(folder, max_shard_size="5GB")


def shelve(models: Path, scale: dict[str, Any], device: str, dtype: Any, cards: tuple[str, ...]) -> None:
    """Put the checkpoint on a shelf under these cards, each with a transformer of its own by its sums."""
    build(models / cards[0], scale, device, dtype)
    (models / "cards").mkdir()
    for number, card_id in enumerate(cards):
        files = {
            path.relative_to(models / cards[0]).as_posix(): {
                "size_bytes": path.stat().st_size,
                "sha256": f"{path.name} {number if path.parent.name == 'transformer' else 0}",
            }
            for path in sorted((models / cards[0]).rglob("*"))
            if path.is_file() and path.name != "unitask.json"
        }
        manifest = {"revision": "random", "root": str(models / cards[0]) if number else "", "files": files}
        (models / card_id).mkdir(exist_ok=True)
        (models / card_id / "unitask.json").write_text(json.dumps(manifest))
        name = str(dtype).removeprefix("torch.")
        (models / "cards" / f"{card_id}.toml").write_text(
            f'title = "random"\nrepository = "random"\nfiles = ["*"]\ndtype = "{name}"\ndisk_bytes = 1\n'
            f'memory_bytes = {4 * 2**30 if scale is FULL else 0}\n[license]\nname = "none"\n'
        )


class Bench:
    """The engine, the product and one order to it."""

    def __init__(self, models: Path, scale: dict[str, Any], steps: int) -> None:
        from unitask.engines.diffusers import ENGINE
        from unitask.runtime.runtime import runtime_of

        self.engine = ENGINE
        self.runtime = runtime_of(models)
        self.product = Catalogue.load().find("Qubico/flux1-dev", "txt2img")
        self.models = models
        side = scale["side"]
        self.inputs = self.product.input(prompt="a lighthouse in a storm", width=side, height=side, steps=steps)

    def job(self, card: str = "flux1-dev") -> BenchJob:
        """Open a job."""
        recipe = next(one for one in self.product.recipes if one.engine == "diffusers")
        job = BenchJob(Path(tempfile.mkdtemp(dir=self.models)), replace(recipe, weights=(card,)))
        job.models = self.models
        return job

    def run(self, card: str = "flux1-dev") -> None:
        """Make a picture and its file."""
        self.engine.run(self.product, self.inputs, self.job(card))

    def together(self, count: int) -> None:
        """Make several at once."""
        self.engine.run_batch([Work(self.product, self.inputs, self.job()) for _ in range(count)])

    def bare(self) -> Any:
        """Call the pipeline itself, with networks, texts and arguments of the engine."""
        from unitask.engines.diffusers import flux

        runtime = self.runtime
        model = runtime.model("flux1-dev")
        told = flux.encoded(runtime, model, self.inputs.prompt, 512)
        side, steps = self.inputs.width, self.inputs.steps
        with runtime.pipeline("FluxPipeline", model, without=flux.READERS) as pipe:

            def call() -> Any:
                import torch

                with torch.no_grad():
                    return pipe(
                        **told,
                        width=side,
                        height=side,
                        num_inference_steps=steps,
                        guidance_scale=3.5,
                        generator=runtime.generators([7]),
                    ).images[0]

            return call


def seconds(work: Callable[[], Any], times: int = 5) -> float:
    """Measure: the median, after one more to warm up."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def once(work: Callable[[], Any]) -> float:
    """Measure the first time."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def cancel_latency(bench: Bench) -> float:
    """Measure from the wish to stop in the middle of a step to the end of the attempt."""
    job = bench.job()
    wished: list[float] = []

    def progress(fraction: float, note: str = "") -> None:  # noqa: ARG001 - the protocol's signature
        if wished:
            raise Cancelled("stop")
        if fraction > 0.3:
            wished.append(time.perf_counter())

    job.progress = progress  # type: ignore[method-assign]
    try:
        bench.engine.run(bench.product, bench.inputs, job)
    except Cancelled:
        return time.perf_counter() - wished[0]
    raise AssertionError("it was not cancelled")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", choices=("full", "tiny"), default="full")
    parser.add_argument("--steps", type=int, default=8)
    asked = parser.parse_args()
    import torch

    if asked.scale == "full" and not torch.cuda.is_available():
        print("There is no GPU here, so nothing was measured. (`--scale tiny` tries the command on a processor.)")
        return
    sys.path.append(str(Path(__file__).parent.parent / "tests/support"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    scale = FULL if asked.scale == "full" else TINY
    print(
        f"{torch.cuda.get_device_name() if device == 'cuda' else 'processor'}, torch {torch.__version__}, {asked.scale}"
    )
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR")) as folder:
        models = Path(folder)
        written = once(lambda: shelve(models, scale, device, dtype, ("flux1-dev", "flux1-b")))
        print(f"checkpoint written in {written:.1f} s")
        measure(Bench(models, scale, asked.steps), device)


def measure(bench: Bench, device: str) -> None:
    """Print a line a figure."""
    import torch
    from PIL import Image

    from unitask.kit.pictures import png

    print(f"first picture, loading included      {once(bench.run):8.2f} s")
    served = seconds(bench.run)
    bare = seconds(bench.bare())
    noise = Image.effect_noise((bench.inputs.width, bench.inputs.height), 90).convert("RGB")
    file = seconds(lambda: png(noise, {}))
    added = served - bare - file
    print(f"bare pipeline                        {bare * 1000:8.1f} ms")
    print(f"served, without writing its PNG      {(served - file) * 1000:8.1f} ms ({file * 1000:.0f} ms are the PNG's)")
    print(f"added                                {added * 1000:8.1f} ms, {added / bare:.2%} of the bare pipeline")
    four = seconds(lambda: bench.together(4), 3)
    print(f"four at once                         {four:8.2f} s, {4 * served / four:.2f} times as fast as one by one")
    print(f"stopped after the wish               {cancel_latency(bench) * 1000:8.1f} ms")
    print(f"another transformer, first time      {once(lambda: bench.run('flux1-b')):8.2f} s")
    print(f"back to the first one                {once(bench.run):8.2f} s")
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        bench.run()
        planned = bench.runtime.residency.used_bytes("device") / MIB
        print(f"memory: counted {planned:.0f} MiB of networks, peak {torch.cuda.max_memory_allocated() / MIB:.0f} MiB")


if __name__ == "__main__":
    main()
