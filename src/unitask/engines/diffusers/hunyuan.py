"""Hunyuan Video and what grew from it: videos from words, and from a picture with words.

Source: HunyuanVideo of Tencent, FastHunyuan of FastVideo and SkyReels V1 of Skywork, by the pipelines of diffusers. A
recipe's options, besides those of a film: `steps`; `guidance`, an input of these weights; `tokens` of text that are
read; `shift` of the noise towards the first steps where it is not that of the weights. From a picture, `interleave`
keeps every so many of its tokens, and `lost_frames` are made first and thrown away by the pipeline.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from PIL import Image

from unitask.runtime.films import Film, shoot
from unitask.runtime.model import Model
from unitask.runtime.runtime import Runtime
from unitask.runtime.steps import Steps
from unitask.runtime.styles import Style, added_bytes, wanted, worn
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

FAMILY: Final = "hunyuan"
WORDS: Final = ("text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "image_processor")
"""What turns words, and the picture beside them, into numbers: not needed any more when frames are made."""
FRAMES: Final = ("transformer", "vae", "scheduler")
_NO_NEGATIVE: Final = "negative_prompt has no effect here: these weights were made to do without"
_WEAK_NEGATIVE: Final = "negative_prompt has no effect with a guidance_scale of 1 or less"


class Reel:
    """How Hunyuan Video keeps a video: in latents of one scale, of which the middle one is shown; see `View`."""

    def picture(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the protocol's signature
        """Take the middle one of (rows, channels, frames, height, width)."""
        return latents[:, :, latents.shape[2] // 2]

    def decoded(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Decode it as if it were the first."""
        vae = pipe.vae
        plain = (latents / vae.config.scaling_factor)[:, :, None]
        return vae.decode(plain.to(vae.dtype), return_dict=False)[0][:, :, 0]


def text_to_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video from words, in the styles of `lora_settings` if there are any."""
    warn_of_negative(inputs, job)
    film = Film.of(inputs, job)
    model = runtime.model(job.recipe.weights[0])
    styles = wanted(runtime.shelf, FAMILY, getattr(inputs, "lora_settings", []))
    told = words(inputs.prompt, job, runtime=runtime, model=model)
    made = filmed(
        "HunyuanVideoPipeline", job, runtime=runtime, model=model, arguments={**told, **film.arguments}, styles=styles
    )
    return Output(VideoResult.of(shoot(job, film, made)))


def image_to_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video from a picture: the text encoder looks at it, too."""
    warn_of_negative(inputs, job)
    film = Film.of(inputs, job)
    job.progress(0.02, "reading the picture")
    picture = film.picture(inputs, "image", job)
    model = runtime.model(job.recipe.weights[0])
    told = words(inputs.prompt, job, runtime=runtime, model=model, picture=picture)
    frames = film.made_frames + job.recipe.options["lost_frames"]
    made = filmed(
        "HunyuanVideoImageToVideoPipeline",
        job,
        runtime=runtime,
        model=model,
        arguments={**told, **film.arguments, "num_frames": frames, "image": picture},
    )
    return Output(VideoResult.of(shoot(job, film, made)))


def skyreels(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video that begins with a picture; a second pass at each step leads away from the negative prompt."""
    film = Film.of(inputs, job)
    job.progress(0.02, "reading the picture")
    picture = film.picture(inputs, "image", job)
    model = runtime.model(job.recipe.weights[0])
    told = words(inputs.prompt, job, runtime=runtime, model=model)
    if inputs.guidance_scale > 1:
        away = words(inputs.negative_prompt, job, runtime=runtime, model=model)
        told |= {f"negative_{name}": value for name, value in away.items()}
    elif inputs.negative_prompt.strip():
        job.warn(_WEAK_NEGATIVE)
    made = filmed(
        "HunyuanSkyreelsImageToVideoPipeline",
        job,
        runtime=runtime,
        model=model,
        arguments={**told, **film.arguments, "image": picture, "true_cfg_scale": inputs.guidance_scale},
    )
    return Output(VideoResult.of(shoot(job, film, made)))


def warn_of_negative(inputs: Any, job: Job) -> None:
    """Tell the client that what must not be shown was not read."""
    if inputs.negative_prompt.strip():
        job.warn(_NO_NEGATIVE)


def words(text: str, job: Job, *, runtime: Runtime, model: Model, picture: Image.Image | None = None) -> dict[str, Any]:
    """Turn a prompt, with a picture where the model reads both together, into what a pipeline takes instead."""
    job.progress(0.05, "reading the prompt")
    tokens, interleave = job.recipe.options["tokens"], job.recipe.options.get("interleave")
    looking = {} if picture is None else {"image": picture, "image_embed_interleave": interleave}
    pipeline = "HunyuanVideoPipeline" if picture is None else "HunyuanVideoImageToVideoPipeline"

    def encode() -> dict[str, Any]:
        with runtime.pipeline(pipeline, model, without=FRAMES) as pipe:
            embeds, pooled, mask = pipe.encode_prompt(
                prompt=_untagged(text, pipe.tokenizer), device=runtime.device, max_sequence_length=tokens, **looking
            )
        return {"prompt_embeds": embeds, "pooled_prompt_embeds": pooled, "prompt_attention_mask": mask}

    kinds = tuple(model.parts[name].key for name in WORDS if name in model.parts)
    seen = None if picture is None else (picture.size, hashlib.sha256(picture.tobytes()).hexdigest(), interleave)
    return runtime.embeddings.get((FAMILY, kinds, text, tokens, seen), encode)


def filmed(
    pipeline: str,
    job: Job,
    *,
    runtime: Runtime,
    model: Model,
    arguments: Mapping[str, Any],
    styles: Sequence[Style] = (),
    sections: int = 1,
) -> Any:
    """Have a pipeline make frames: a tensor (frames, 3, height, width) of values 0 to 1."""
    options = job.recipe.options
    steps, shift = options["steps"], options.get("shift")
    job.progress(0.08, "loading the model")
    room = model.card.memory_bytes + added_bytes(styles)
    with (
        runtime.pipeline(pipeline, model, without=WORDS, work_bytes=room) as pipe,
        worn(pipe, styles),
    ):
        pipe.vae.enable_tiling()
        if shift is not None:
            pipe.scheduler.set_shift(shift)
        return pipe(
            **arguments,
            num_inference_steps=steps,
            guidance_scale=options["guidance"],
            generator=runtime.generators([job.seed])[0],
            callback_on_step_end=Steps([job], sections * steps, view=Reel()),
        ).frames[0]


def _untagged(text: str, tokenizer: Any) -> str:
    """Take the marks of the encoder's own language out of a client's words: one for a picture would stand for none."""
    for mark in tokenizer.get_added_vocab():
        text = text.replace(mark, " ")
    return text
