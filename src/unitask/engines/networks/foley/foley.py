"""MMAudio at work: a film is watched, words are read, and both lead noise to a sound as long as the film.

A recipe's options: `rate`, `format` and `limit_seconds` of sound, `guidance`, with which it follows what leads it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from unitask.engines.networks.foley.clip import clip_of, meant, pictured, side_px, tokenizer_of
from unitask.engines.networks.foley.decoder import settings, vae_of, vocoder_of
from unitask.engines.networks.foley.flow import Flow, sampled
from unitask.engines.networks.foley.synchformer import Synchformer, noticed
from unitask.engines.networks.foley.watching import Look, watch
from unitask.engines.networks.states import Build, parts_of, tensors
from unitask.kit.errors import EngineFailure, MediaFailure
from unitask.kit.sound import write_audio
from unitask.kit.video import PHRASE, Video, VideoLimits, read_video
from unitask.runtime.parts import Part, damaged
from unitask.runtime.pictures import labels
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult

Wave = NDArray[np.float32]

PICTURES_A_SECOND: Final = 8
MOVEMENTS_A_SECOND: Final = 25
MOST_FRAMES: Final = 36_000
MOST_SECONDS: Final = 1200.0
LATENT_ROWS: Final = 2
"""Rows of a spectrogram that a latent frame stands for."""

BUILDS: Final[dict[str, Build]] = {
    "transformer": lambda folder, dtype: Flow.of(tensors(folder)).to(dtype),
    "synchformer": lambda folder, dtype: Synchformer.of(tensors(folder)).to(dtype),
    "vae": vae_of,
    "vocoder": vocoder_of,
    "clip": clip_of,
}
"""How each network is made, by the `part` of its card."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long a sound is, in all measures: whole segments of movements, of which there is at least one.

    Where a film does not fill the last one it stands still there, and the sound is cut.
    """

    segments: int
    segment: int

    @classmethod
    def of(cls, seconds: float, segment: int) -> "Span":
        """Give the shortest that covers a film; `segment` is how many frames one has."""
        beyond = max(0, ceil(seconds * MOVEMENTS_A_SECOND) - segment)
        return cls(1 + ceil(beyond / (segment // 2)), segment)

    @property
    def movements(self) -> int:
        """Count the frames that Synchformer sees: neighbouring segments share half of theirs."""
        return self.segment + (self.segments - 1) * (self.segment // 2)

    @property
    def pictures(self) -> int:
        """Count the pictures that CLIP sees."""
        return self.movements * PICTURES_A_SECOND // MOVEMENTS_A_SECOND

    def latents(self, rate: int, hop: int) -> int:
        """Count the latent frames, for a spectrogram with a row every `hop` samples."""
        return ceil(Fraction(self.movements, MOVEMENTS_A_SECOND) * rate / (hop * LATENT_ROWS))


class Leads(NamedTuple):
    """What leads a sound, and the words to lead it away from: each (1, rows, width of its kind)."""

    pictures: torch.Tensor
    movements: torch.Tensor
    words: torch.Tensor
    against: torch.Tensor


@dataclass(frozen=True, slots=True)
class Order:
    """One order, and the networks that it is made with."""

    inputs: Any
    job: Job
    runtime: Runtime
    parts: dict[str, Part]

    @property
    def pitch(self) -> tuple[int, int]:
        """Read samples a second, and how many of them a row of the spectrogram stands for.

        Raises:
            EngineFailure: the vocoder's settings are damaged, or its rate is not the recipe's.

        """
        part, wanted = self.parts["vocoder"], self.job.recipe.options["rate"]
        try:
            said = settings(part.root / part.name)
            rate, hop = int(said["sampling_rate"]), int(said["hop_size"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(part.card, part.name, error) from error
        if rate != wanted:
            raise EngineFailure(f"{part.card.id} makes {rate} samples a second, not {wanted}")
        return rate, hop

    def film(self) -> Video:
        """Fetch the film and look at its head.

        Raises:
            MediaFailure: unreachable, not a film, damaged or too large.

        """
        value = next((value for value in media_values(self.inputs) if value.path == "input.video"), None)
        if value is None:
            raise MediaFailure(f"{PHRASE}: input.video is empty")
        self.job.progress(0.02, "reading the film")
        media = value.media
        limits = VideoLimits(MOST_FRAMES, media.limit_side_px, media.limit_pixels, media.limit_bytes, MOST_SECONDS)
        return read_video(self.job.fetch(value.source, media), limits)

    def led(self, film: Video, seconds: float) -> tuple[Leads, Span]:
        """Watch so much of a film, and read the words.

        Raises:
            MediaFailure: the film is damaged.

        """
        eyes = self._networks("clip", "synchformer")
        clip, synchformer = eyes["clip"], eyes["synchformer"]
        span = Span.of(seconds, synchformer.segment)
        pictures = Look(PICTURES_A_SECOND, span.pictures, side_px(clip), cut=False)
        movements = Look(MOVEMENTS_A_SECOND, span.movements, synchformer.side_px, cut=True)
        words, against = (meant(clip, self._tokens(clip, field)) for field in ("prompt", "negative_prompt"))
        watch(film, (pictures, movements), self._reported(0.05, 0.2, "watching the film"))
        seen = pictured(clip, pictures.frames, self._reported(0.2, 0.3, "looking at what is in it"))
        moved = noticed(synchformer, movements.frames, self._reported(0.3, 0.4, "looking at what moves"))
        return Leads(seen, moved, words, against), span

    def played(self, leads: Leads, length: int) -> Wave:
        """Lead noise to a latent of `length` frames, and make waves of it: (samples, 1)."""
        found = self._networks("transformer", "vae", "vocoder")
        flow, vae, vocoder = found["transformer"], found["vae"], found["vocoder"]
        dtype, steps, width = flow.latent_mean.dtype, self.inputs.steps, flow.latent_mean.shape[-1]
        noise = torch.randn((1, length, width), generator=self.runtime.generators([self.job.seed])[0])
        latent = sampled(
            flow,
            noise.to(self.runtime.device),
            flow.told(*(rows.to(self.runtime.device, dtype) for rows in leads), length),
            steps=steps,
            guidance=self.job.recipe.options["guidance"],
            on_step=lambda step: self.job.progress(0.4 + 0.5 * step / steps, f"step {step} of {steps}"),
        )
        mel = vae.decode(latent.transpose(1, 2).to(vae.dtype)).sample
        self.job.progress(0.93, "making waves")
        made: Wave = vocoder(mel.to(vocoder.dtype)).sample[0].float().cpu().numpy().T
        return made

    def _networks(self, *names: str) -> dict[str, Any]:
        work_bytes = self.parts["transformer"].card.memory_bytes
        return self.runtime.networks({name: self.parts[name] for name in names}, work_bytes=work_bytes)

    def _tokens(self, clip: Any, field: str) -> list[int]:
        """Turn a text into tokens, as many as are read; the last says that it ends."""
        part, text = self.parts["clip"], getattr(self.inputs, field)
        try:
            tokens: list[int] = tokenizer_of(part.root / part.name)(text, verbose=False).input_ids
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(part.card, "tokenizer", error) from error
        most = clip.config.text_config.max_position_embeddings
        if len(tokens) <= most:
            return tokens
        read = f"its first {most - 2} tokens are read (a token is a short word or a part of a word)"
        self.job.warn(f"{field} is too long: {read}")
        return [*tokens[: most - 1], tokens[-1]]

    def _reported(self, low: float, high: float, note: str) -> Callable[[float], None]:
        return lambda share: self.job.progress(low + (high - low) * share, note)


def sound_for_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make the sound track of a film, as long as it and at most as long as the recipe says.

    Raises:
        MediaFailure: the film cannot be had or read.

    """
    card_id = job.recipe.weights[0]
    runtime.require(card_id)
    order = Order(inputs, job, runtime, parts_of(runtime.shelf, card_id, BUILDS))
    rate, hop = order.pitch
    film = order.film()
    seconds = min(film.duration_s, float(job.recipe.options["limit_seconds"]))
    with torch.inference_mode():
        leads, span = order.led(film, seconds)
        made = order.played(leads, span.latents(rate, hop))
    return _stored(made[: max(1, round(seconds * rate))], job)


def _stored(sound: Wave, job: Job) -> Output:
    job.progress(0.97, "saving")
    rate, form = job.recipe.options["rate"], job.recipe.options["format"]
    reference = job.save(write_audio(sound, rate=rate, form=form, metadata=labels(job, job.seed)), form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": len(sound) / rate})
