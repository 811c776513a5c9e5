"""The style of a song as the vector that DiffRhythm was trained with: of a recording, or of words."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor
from transformers import AutoTokenizer

from unitask.engines.networks.song import mulan, muq
from unitask.engines.networks.song.parts import card_of, numbers_in, part_of
from unitask.kit.sound import read_audio
from unitask.runtime.parts import damaged
from unitask.runtime.runtime import Runtime
from unitask.runtime.tables import read_tensors
from unitask.spec.engine import Job
from unitask.spec.media import media_values

CARD: Final = "muq-mulan-large"
HEARING: Final = "muq-large"
READING: Final = "xlm-roberta-base"
"""Those two give their published configurations and the tokenizer; their weights are among those of `CARD`."""
AGAINST: Final = "diffrhythm-against"
HEARD_S: Final = 10
MOST_TOKENS: Final = 512
_WEIGHTS: Final = "pytorch_model.bin"
_CONFIG: Final = "config.json"
_AGAINST_FILE: Final = "vocal.npy"
_SHORT: Final = "style_audio is shorter than 10 seconds: it is heard over and over until they are full"
_CUT: Final = f"style_prompt is too long: its first {MOST_TOKENS} tokens are read"
_TWO: Final = "style_prompt has no effect beside style_audio: the style is that of the recording"
_NONE: Final = "no style is given: the song is made in the style {!r}"


def style_of(inputs: Any, job: Job, runtime: Runtime) -> Tensor:
    """Give the style (1, 512) of an order: of its recording, else of its words, else of those of the recipe.

    Raises:
        MediaFailure: the recording cannot be read.
        EngineFailure: the weights are missing, damaged, or do not fit.

    """
    for value in media_values(inputs):
        if inputs.style_prompt.strip():
            job.warn(_TWO)
        return _of_recording(job.fetch(value.source, value.media), job, runtime)
    words = inputs.style_prompt.strip()
    if not words:
        words = job.recipe.options["style"]
        job.warn(_NONE.format(words))
    return _of_words(words, job, runtime)


def against(style: Tensor, runtime: Runtime) -> Tensor:
    """Give the style (1, 512) that is led away from: singing without music, as the makers do, where it was imported.

    Else none, which the network knows from its training.

    Raises:
        EngineFailure: it was imported and is damaged.

    """
    if not runtime.shelf.has(AGAINST):
        return torch.zeros_like(style)
    card = card_of(runtime, AGAINST)
    try:
        known = np.load(runtime.shelf.root(AGAINST) / _AGAINST_FILE, allow_pickle=False)
        return torch.from_numpy(known.astype(np.float32)).reshape(style.shape).to(style)
    except (OSError, ValueError, RuntimeError, EOFError) as error:
        raise damaged(card, _AGAINST_FILE, error) from error


def _of_recording(path: Path, job: Job, runtime: Runtime) -> Tensor:
    sound = read_audio(path, limit_seconds=job.recipe.options["limit_seconds"], rate=muq.RATE, cut=True)
    wave, wanted = sound.mean(axis=1, dtype=np.float32), HEARD_S * muq.RATE
    if len(wave) < wanted:
        job.warn(_SHORT)
        wave = np.resize(wave, wanted)
    begin = max(len(wave) // muq.RATE // 2 - HEARD_S // 2, 0) * muq.RATE
    config = numbers_in(runtime, HEARING, _CONFIG)
    return _vector("hearing", config, torch.from_numpy(wave[begin : begin + wanted])[None], runtime)


def _of_words(words: str, job: Job, runtime: Runtime) -> Tensor:
    config = numbers_in(runtime, READING, _CONFIG)
    root = runtime.shelf.root(READING)
    try:
        tokens: list[int] = AutoTokenizer.from_pretrained(root, local_files_only=True)(words).input_ids
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise damaged(card_of(runtime, READING), "tokenizer.json", error) from error
    if len(tokens) > MOST_TOKENS:
        job.warn(_CUT)
        tokens = [*tokens[: MOST_TOKENS - 1], tokens[-1]]
    return _vector("reading", config, torch.tensor([tokens]), runtime)


def _vector(tower: str, config: dict[str, Any], given: Tensor, runtime: Runtime) -> Tensor:
    def build(path: Path, dtype: torch.dtype) -> Any:
        return getattr(mulan, tower)(read_tensors(path), config, dtype)

    part = part_of(runtime, CARD, _WEIGHTS, f"MuQ-MuLan {tower}", build)
    network = runtime.networks({tower: part}, work_bytes=part.card.memory_bytes)[tower]
    given = given.to(runtime.device)
    with torch.no_grad():
        found: Tensor = network(given.to(part.dtype) if given.is_floating_point() else given)
    return found.float().cpu()
