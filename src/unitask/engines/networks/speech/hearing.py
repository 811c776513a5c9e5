"""What is said in a recording, by Whisper."""

from typing import Final

import numpy as np
import torch
from scipy.signal import resample_poly

from unitask.engines.networks.speech.mel import RATE
from unitask.engines.networks.speech.pieces import Wave
from unitask.kit.errors import EngineFailure, MediaFailure
from unitask.kit.sound import PHRASE
from unitask.runtime.runtime import Runtime

CARD: Final = "whisper-large-v3-turbo"
_HEARD_RATE: Final = 16_000


def can_hear(runtime: Runtime) -> bool:
    """Tell whether Whisper's weights are here."""
    return runtime.shelf.lacks((CARD,)) is None


def words_in(wave: Wave, runtime: Runtime) -> str:
    """Write down what is said in at most 30 seconds, in whatever language.

    Raises:
        EngineFailure: the weights are missing, damaged, or do not fit.
        MediaFailure: nothing is said.

    """
    if lack := runtime.shelf.lacks((CARD,)):
        raise EngineFailure(
            f"ref_text is empty, and ref_audio cannot be listened to ({CARD}: {lack}); "
            "write into ref_text what is said in ref_audio",
            retryable=True,
        )
    model = runtime.model(CARD)
    name = model.card.part
    network = runtime.networks({name: model.parts[name]}, work_bytes=model.card.memory_bytes)[name]
    processor = model.small("processor")
    features = processor(at_rate(wave, RATE, _HEARD_RATE), sampling_rate=_HEARD_RATE, return_tensors="pt")
    with torch.no_grad():
        ids = network.generate(features.input_features.to(runtime.device, network.dtype), task="transcribe")
    words = " ".join(processor.batch_decode(ids, skip_special_tokens=True)[0].split())
    if not words:
        raise MediaFailure(f"{PHRASE}: no words are heard in ref_audio; write into ref_text what is said there")
    return words


def at_rate(wave: Wave, rate: int, wanted: int) -> Wave:
    """Bring a sound to another number of samples a second."""
    return wave if rate == wanted else np.asarray(resample_poly(wave, wanted, rate), np.float32)
