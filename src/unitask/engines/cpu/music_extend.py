"""A recording made longer out of itself."""

from typing import Any, Final

import numpy as np

from unitask.engines.cpu.looping import following
from unitask.kit.sound import read_audio, write_audio
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult

WARNING: Final = "the added parts are the recording's own, looped: style_prompt and lyrics are not followed"
LABELS: Final = {"software": "unitask", "unitask:engine": "cpu", "unitask:level": "basic"}


def extend_music(inputs: Any, job: Job) -> Output:
    """Put the recording's own best loop before and after it; the recording itself stays as it was decoded.

    Raises:
        MediaFailure: it cannot be read, or is longer than the recipe allows.

    """
    rate, form = job.recipe.options["rate"], job.recipe.options["format"]
    job.warn(WARNING)
    job.progress(0.02, "listening to the recording")
    value = next(one for one in media_values(inputs) if one.path == "input.audio")
    path = job.fetch(value.source, value.media)
    recording = read_audio(path, limit_seconds=job.recipe.options["limit_seconds"], rate=rate)
    before, after = inputs.left_extend_duration * rate, inputs.right_extend_duration * rate
    whole = np.zeros((before + len(recording) + after, recording.shape[1]), np.float32)
    whole[before : before + len(recording)] = recording
    job.progress(0.1, "looking for a loop")
    whole[before + len(recording) :] = following(recording, after, rate)
    job.progress(0.5, "looking for a loop")
    # What leads up to a recording is what follows it when it is played backwards.
    whole[:before] = following(recording[::-1], before, rate)[::-1]
    job.progress(0.9, "writing the file")
    reference = job.save(write_audio(whole, rate=rate, form=form, metadata=LABELS), form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": inputs.left_extend_duration + inputs.right_extend_duration})
