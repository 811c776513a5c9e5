"""An order of a song, from its lyrics and style to the file.

A recipe's options: `seconds` and `frames` of the song (a frame is 2048 samples), `format` and `rate` of the file (the
model's rate: 44100), `steps` and `guidance` of the sampler, `style` for orders without one, and `limit_seconds` of a
recording that are read. Its weights are the network's, the decoder's, and those that style wants.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from unitask.engines.networks.song import decoder, flow, lyrics
from unitask.engines.networks.song.parts import part_of
from unitask.engines.networks.song.style import against, style_of
from unitask.engines.networks.song.torchscript import tensors_of
from unitask.kit.errors import EngineFailure
from unitask.kit.sound import write_audio
from unitask.runtime.pictures import labels
from unitask.runtime.runtime import Runtime
from unitask.runtime.tables import read_tensors
from unitask.spec.engine import Job, Output
from unitask.spec.product import AudioResult

NETWORK_FILE: Final = "cfm_model.pt"
DECODER_FILE: Final = "vae_model.pt"
_READ, _STYLED, _SUNG, _DECODED = 0.05, 0.1, 0.85, 0.95
_PEAK: Final = 10 ** (-1 / 20)
_QUIET: Final = 1e-4
_SPREAD: Final = "the lyrics say of no line when it is sung: they are spread evenly; write [mm:ss.xx] before each"
_UNTIMED: Final = "lines of the lyrics that say no time are not sung, as others do"
_LATE: Final = "lines of the lyrics from {} seconds on are not sung: there the song ends"
_UNREAD: Final = "lines of the lyrics without English or Chinese words are not sung: {} of them"
_MOST: Final = f"the lyrics are too long: their first {lyrics.MOST_LINES} lines are sung"


def song(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a song.

    Raises:
        MediaFailure: the recording cannot be read.
        EngineFailure: weights are missing, damaged or do not fit; English lyrics cannot be read here.

    """
    options = job.recipe.options
    job.progress(0.02, "reading the lyrics")
    symbols = lyrics.placed(_lines(inputs.lyrics, job), options["frames"])
    job.progress(_READ, "finding the style")
    style = style_of(inputs, job, runtime)
    job.progress(_STYLED, "loading the model")
    latents = _latents(symbols, torch.cat((style, against(style, runtime))), job, runtime)
    sound = _decoded(latents, job, runtime)
    made = _levelled(sound[: round(options["seconds"] * options["rate"])])
    job.progress(_DECODED, "saving")
    form = options["format"]
    content = write_audio(made, rate=options["rate"], form=form, metadata=labels(job, job.seed))
    reference = job.save(content, form)
    job.progress(1.0)
    return Output(AudioResult.of(reference))


def _lines(text: str, job: Job) -> list[tuple[float, list[int]]]:
    """Read the lyrics: when each line is sung, and what the network is told of it; says what is left out."""
    seconds = job.recipe.options["seconds"]
    lines = lyrics.read(text)
    if len(lines) > lyrics.MOST_LINES:
        job.warn(_MOST)
        lines = lines[: lyrics.MOST_LINES]
    if lines and lines[0].at_s is None:
        job.warn(_SPREAD)
        lines = lyrics.spread(lines, seconds)
    elif lyrics.untimed(text):
        job.warn(_UNTIMED)
    fitting = [(line.at_s or 0.0, line.words) for line in lines if (line.at_s or 0.0) < seconds]
    if len(fitting) < len(lines):
        job.warn(_LATE.format(seconds))
    with lyrics.Singer() as singer:
        told = [(at_s, singer.numbers_of(words)) for at_s, words in fitting]
    if unread := sum(not numbers for _, numbers in told):
        job.warn(_UNREAD.format(unread))
    return [(at_s, numbers) for at_s, numbers in told if numbers]


def _latents(symbols: Sequence[int], styles: Tensor, job: Job, runtime: Runtime) -> Tensor:
    """Sample the latents (frames, channels) of a song; `styles` are the wanted one and the one to lead away from."""
    options, card_id = job.recipe.options, job.recipe.weights[0]
    part = part_of(
        runtime, card_id, NETWORK_FILE, "DiffRhythm", lambda path, dtype: flow.built(read_tensors(path), dtype)
    )
    network = runtime.networks({"flow": part}, work_bytes=part.card.memory_bytes)["flow"]
    if max(symbols, default=0) >= network.sizes.symbols:
        raise EngineFailure(f"the weights of {card_id} know fewer symbols than lyrics are read to")
    frames = len(symbols)
    both = torch.tensor([symbols, [0] * frames], device=runtime.device)
    noise = torch.randn((1, frames, network.sizes.channels), generator=runtime.generators([job.seed])[0])
    steps = options["steps"]

    def on_step(number: int) -> None:
        share = number / (steps - 1)
        job.progress(_STYLED + (_SUNG - _STYLED) * share, f"step {number} of {steps - 1}")

    with torch.no_grad():
        told = flow.Told(
            network.text_embed(both), styles.to(runtime.device, part.dtype), min(frames / flow.LONGEST, 1.0)
        )
    made = flow.sampled(
        network, told, noise.to(runtime.device), steps=steps, guidance=options["guidance"], on_step=on_step
    )
    return made[0]


def _decoded(latents: Tensor, job: Job, runtime: Runtime) -> NDArray[np.float32]:
    """Turn latents (frames, channels) into sound (samples, 2)."""

    def build(path: Path, dtype: torch.dtype) -> decoder.Decoder:
        return decoder.built(tensors_of(path), dtype)

    part = part_of(runtime, job.recipe.weights[1], DECODER_FILE, "DiffRhythm's decoder", build)
    network = runtime.networks({"decoder": part}, work_bytes=part.card.memory_bytes)["decoder"]
    if network.hop != lyrics.HOP:
        raise EngineFailure(f"the weights of {part.card.id} make {network.hop} samples a frame, not {lyrics.HOP}")
    sound = decoder.decoded(
        network,
        latents,
        lambda share: job.progress(_SUNG + (_DECODED - 0.01 - _SUNG) * share, "decoding"),
    )
    return np.ascontiguousarray(sound.numpy().T)


def _levelled(made: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the loudest sample to -1 dB of full scale; silence stays silence."""
    loudest = float(np.abs(made).max())
    return made * np.float32(_PEAK / loudest) if loudest > _QUIET else made
