"""ACE-Step 1.5: music from words, after a recording, and recordings changed or made longer.

What the model is told is a style, words to sing and how long it takes. A recording reaches it in three ways: as its
source it gives melody, rhythm and chords (task `cover`), as its reference it gives the sound of voices and instruments,
and as what surrounds a gap it decides how the gap is filled (task `repaint`). A recipe's options: `rate`, `format` and
`limit_seconds` of sound, `steps`, `shift` and `guidance` of the sampler, `strength` with which a source binds (1: all).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from unitask.kit.errors import EngineFailure
from unitask.kit.sound import read_audio, write_audio
from unitask.runtime.pictures import labels
from unitask.runtime.runtime import Runtime
from unitask.runtime.steps import Steps
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult

Wave = NDArray[np.float32]
"""Sound as (samples, 2), in -1..1."""

STYLE_TOKENS: Final = 190
LYRICS_TOKENS: Final = 2030
"""How much of each text is read: what the model takes, less the form into which the texts are put."""
LEAST_GAP_S: Final = 3
MOST_GAP_S: Final = 90
"""How long a gap the model fills at once; a shorter one is made longer and cut, a longer one filled in turn."""
SEAM_S: Final = 0.05
_PEAK: Final = 10 ** (-1 / 20)
_QUIET: Final = 1e-4
_INSTRUMENTAL: Final = "[Instrumental]"
_NO_SINGING: Final = ("", "[inst]", "[instrumental]")
_NO_NEGATIVE: Final = "negative_style_prompt has no effect here: this model cannot be steered away from words"
_NOTHING_TO_SING: Final = "there are no lyrics to sing: the recording is played anew without a voice"
_PLAYED_ANEW: Final = (
    "the model sings and plays all of it anew: melody, instruments and voice come close to the recording's, "
    "they are not its own"
)

Make = Callable[..., Wave]
"""Makes music from the arguments of a pipeline's call that the task alone decides; the level is the model's."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Silence that is to be filled: `samples` of it put before what there is, or after it."""

    before: bool
    samples: int


def music(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Play and sing `duration` seconds from words alone."""
    with _studio(inputs, job, runtime) as make:
        made = make(task_type="text2music", audio_duration=float(inputs.duration))
    return _stored(_levelled(made[: inputs.duration * job.recipe.options["rate"]]), job)


def music_from_audio(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Play the melody and the sound of a recording in another style, as long as it or for `duration` seconds.

    A recording that is shorter than that is followed again from its beginning.

    Raises:
        MediaFailure: it cannot be had or read.

    """
    take = _recording(inputs, "style_audio", job, cut=True)
    samples = (inputs.duration or 0) * job.recipe.options["rate"] or len(take)
    with _studio(inputs, job, runtime) as make:
        made = _covered(make, np.resize(take, (samples, 2)), job, reference=take)
    return _stored(_levelled(made), job)


def music_edit(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Play a recording anew: in the style of the words, or in its own sound (`only_lyrics`) with other lyrics.

    Raises:
        MediaFailure: it cannot be had or read.

    """
    take = _recording(inputs, "audio", job, cut=True)
    only_lyrics = inputs.edit_type == "only_lyrics"
    if only_lyrics:
        job.warn(_NOTHING_TO_SING if _sung(inputs.lyrics) == _INSTRUMENTAL else _PLAYED_ANEW)
    with _studio(inputs, job, runtime) as make:
        made = _covered(make, take, job, reference=take if only_lyrics else None)
    return _stored(_levelled(made), job)


def music_extend(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Put music before and after a recording, which stays as it is but for a twentieth of a second at the seams.

    Raises:
        MediaFailure: it cannot be had or read, or is longer than the recipe allows.

    """
    take = _recording(inputs, "audio", job)
    before, after, rate = inputs.left_extend_duration, inputs.right_extend_duration, job.recipe.options["rate"]
    gaps = [*_gaps(before, rate, before=True), *_gaps(after, rate, before=False)]
    with _studio(inputs, job, runtime, calls=len(gaps)) as make:
        whole = take
        for gap in gaps:
            whole = _continued(make, whole, gap, rate)
    return _stored(whole, job, before + after)


def _recording(inputs: Any, field: str, job: Job, *, cut: bool = False) -> Wave:
    """Fetch and decode the recording of a field, up to the recipe's limit."""
    job.progress(0.02, "listening to the recording")
    value = next(value for value in media_values(inputs) if value.path == f"input.{field}")
    options = job.recipe.options
    path = job.fetch(value.source, value.media)
    take = read_audio(path, limit_seconds=options["limit_seconds"], rate=options["rate"], cut=cut)
    return np.ascontiguousarray(np.broadcast_to(take, (len(take), 2)))


@contextmanager
def _studio(inputs: Any, job: Job, runtime: Runtime, *, calls: int = 1) -> Iterator[Make]:
    """Have the model ready for so many calls with the words of an input."""
    if inputs.negative_style_prompt.strip():
        job.warn(_NO_NEGATIVE)
    options, model = job.recipe.options, runtime.model(job.recipe.weights[0])
    job.progress(0.05, "loading the model")
    with (
        runtime.pipeline("AceStepPipeline", model, work_bytes=model.card.memory_bytes) as pipe,
        _chance(job.seed, runtime.device),
        torch.no_grad(),
    ):
        if pipe.sample_rate != options["rate"]:
            raise EngineFailure(f"{model.card.id} makes {pipe.sample_rate} samples a second, not {options['rate']}")
        pipe.vae.enable_tiling()
        asked = {
            "prompt": _fitting(pipe, inputs.style_prompt, STYLE_TOKENS, "style_prompt", job),
            "lyrics": _fitting(pipe, _sung(inputs.lyrics), LYRICS_TOKENS, "lyrics", job),
            "vocal_language": "unknown",
            "num_inference_steps": options["steps"],
            "guidance_scale": options["guidance"],
            "shift": options["shift"],
            "generator": runtime.generators([job.seed])[0],
            "callback_on_step_end": Steps([job], options["steps"] * calls),
        }
        yield lambda **task: _made(pipe, asked | task)


@contextmanager
def _chance(seed: int, device: torch.device) -> Iterator[None]:
    """Seed torch itself for a while: the pipeline gives no generator to what it draws when it encodes a recording."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed % 2**63)
        yield


def _made(pipe: Any, asked: dict[str, Any]) -> Wave:
    """Call the pipeline; recordings among the arguments are waves, a source is filled up to whole latent frames.

    The pipeline counts frames in seconds and is off by one at some lengths: the noise that it begins with is given. And
    it would bring every result to one loudness; what continues a recording must keep the recording's.
    """
    asked = {name: _tensor(value) if isinstance(value, np.ndarray) else value for name, value in asked.items()}
    frames = round(asked["audio_duration"] * pipe.latents_per_second)
    if (source := asked.get("src_audio")) is not None:
        frames = ceil(source.shape[1] / pipe.vae.hop_length)
        asked["src_audio"] = torch.nn.functional.pad(source, (0, frames * pipe.vae.hop_length - source.shape[1]))
    shape = 1, frames, pipe.transformer.config.audio_acoustic_hidden_dim
    latents = pipe(**asked, latents=torch.randn(shape, generator=asked["generator"]), output_type="latent").audios
    sound = pipe.vae.decode(latents.transpose(1, 2)).sample[0]
    made: Wave = sound.float().cpu().numpy().T
    return made


def _tensor(wave: Wave) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(wave.T))


def _covered(make: Make, source: Wave, job: Job, *, reference: Wave | None) -> Wave:
    """Play a source anew, in the sound of a reference: as many samples. What is silent is no reference."""
    if reference is not None and np.abs(reference).max() < _QUIET:
        reference = None
    options = job.recipe.options
    made = make(
        task_type="cover",
        src_audio=source,
        reference_audio=reference,
        audio_duration=len(source) / options["rate"],
        audio_cover_strength=options["strength"],
    )
    return made[: len(source)]


def _gaps(seconds: int, rate: int, *, before: bool) -> list[Gap]:
    """Divide what is to be added to one side into what the model makes at once."""
    return [Gap(before, min(MOST_GAP_S, seconds - start) * rate) for start in range(0, seconds, MOST_GAP_S)]


def _continued(make: Make, whole: Wave, gap: Gap, rate: int) -> Wave:
    """Fill a gap beside what there is, and fade from one into the other within the edge of what there is."""
    silence = np.zeros((max(gap.samples, LEAST_GAP_S * rate), 2), np.float32)
    if not gap.before:
        start = len(whole)
        made = make(
            task_type="repaint",
            src_audio=np.concatenate([whole, silence]),
            audio_duration=(start + len(silence)) / rate,
            repainting_start=start / rate,
            repainting_end=-1.0,
        )
        return joined(whole, made[: start + gap.samples], rate)
    made = make(
        task_type="repaint",
        src_audio=np.concatenate([silence, whole]),
        audio_duration=(len(silence) + len(whole)) / rate,
        repainting_start=0.0,
        repainting_end=len(silence) / rate,
    )
    made = made[len(silence) - gap.samples : len(silence) + len(whole)]
    # What leads up to a recording is what follows it when both are played backwards.
    return joined(whole[::-1], made[::-1], rate)[::-1]


def joined(whole: Wave, made: Wave, rate: int) -> Wave:
    """Let `made`, which begins together with `whole` and is longer, go on where `whole` ends; fade within its end."""
    loudest = np.float32(np.abs(made[len(whole) :]).max(initial=1.0))
    both = made / loudest
    seam = min(round(SEAM_S * rate), len(whole))
    over = np.zeros((len(whole), 1), np.float32)
    over[len(whole) - seam :, 0] = np.linspace(0, 1, seam, endpoint=False)
    both[: len(whole)] = whole * (1 - over) + np.clip(both[: len(whole)], -1, 1) * over
    return both


def _sung(lyrics: str) -> str:
    """Give the words as the model knows them: it has a tag of its own for music without singing."""
    return _INSTRUMENTAL if lyrics.strip().lower() in _NO_SINGING else lyrics.strip()


def _fitting(pipe: Any, text: str, tokens: int, field: str, job: Job) -> str:
    """Cut a text to what the model reads."""
    found = pipe.tokenizer(text, add_special_tokens=False).input_ids
    if len(found) <= tokens:
        return text
    job.warn(f"{field} is too long: its first {tokens} tokens are read (a token is a short word or a part of a word)")
    cut: str = pipe.tokenizer.decode(found[:tokens])
    return cut


def _levelled(made: Wave) -> Wave:
    """Bring the loudest sample to -1 dB of full scale; silence stays silence."""
    loudest = float(np.abs(made).max())
    return made * np.float32(_PEAK / loudest) if loudest > _QUIET else made


def _stored(sound: Wave, job: Job, seconds: float | None = None) -> Output:
    """Encode and store it. `seconds` are charged: all of them, if not said."""
    job.progress(0.95, "saving")
    rate, form = job.recipe.options["rate"], job.recipe.options["format"]
    reference = job.save(write_audio(sound, rate=rate, form=form, metadata=labels(job, job.seed)), form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": len(sound) / rate if seconds is None else seconds})
