"""Wan 2.1 and 2.2: videos from words, from a picture, and between two pictures.

Source: Wan of Alibaba, by the pipelines of diffusers. Wan 2.2 has two experts, one for the noisy steps and one for
the last. A recipe's options: `steps`, `guidance` (`guidance_2`: that of the second expert), `tokens` of text read, and
`shift`, by which the steps lean to the noisy ones; without it, as the weights' own scheduler says.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import torch

from unitask.kit.errors import Unavailable
from unitask.runtime.films import Film, shoot
from unitask.runtime.runtime import Runtime
from unitask.runtime.steps import Steps
from unitask.runtime.styles import Style, added_bytes, wanted, worn
from unitask.spec.engine import Job, Output
from unitask.spec.product import VideoResult

FROM_WORDS: Final = "WanPipeline"
FROM_PICTURES: Final = "WanImageToVideoPipeline"
WORDS: Final = ("text_encoder", "tokenizer")
"""What turns words into numbers: not needed any more when the video is made."""
FRAMES: Final = ("transformer", "transformer_2", "vae", "scheduler", "image_encoder", "image_processor")
TILED_PIXELS: Final = 832 * 480
"""Larger frames are encoded and decoded in tiles."""
FAMILY: Final = "wan"


class Reel:
    """How Wan keeps a video: in latents of their own scale each, of which the middle one is shown; see `View`."""

    def picture(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:  # noqa: ARG002 - the protocol's signature
        """Take the middle one of (rows, channels, frames, height, width)."""
        return latents[:, :, latents.shape[2] // 2]

    def decoded(self, pipe: Any, latents: torch.Tensor) -> torch.Tensor:
        """Decode it as if it were the first."""
        vae = pipe.vae
        mean, deviation = (
            torch.tensor(numbers, device=latents.device).view(1, -1, 1, 1)
            for numbers in (vae.config.latents_mean, vae.config.latents_std)
        )
        plain = (latents * deviation + mean)[:, :, None]
        return vae.decode(plain.to(vae.dtype), return_dict=False)[0][:, :, 0]


def text_to_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video from words, in the style of `lora_settings` if there is one."""
    return filmed(FROM_WORDS, job, runtime, film=Film.of(inputs, job), **asked(inputs, runtime))


def image_to_video(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video that begins with `image`, with the effect of `lora_settings` if there is one."""
    film = Film.of(inputs, job)
    job.progress(0.02, "reading the picture")
    image = film.picture(inputs, "image", job)
    return filmed(FROM_PICTURES, job, runtime, film=film, image=image, **asked(inputs, runtime))


def keyframes(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Make a video that begins with `start_image` and ends with `end_image`."""
    film = Film.of(inputs, job)
    job.progress(0.02, "reading the pictures")
    first, last = (film.picture(inputs, field, job) for field in ("start_image", "end_image"))
    return filmed(FROM_PICTURES, job, runtime, film=film, image=first, last_image=last, **asked(inputs, runtime))


def hug(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Let the two people of `image_url` embrace.

    The recipe says which LoRA was trained for it (`style`), the prompt with its trigger words (`style_prompt`), and
    the one for where it is not on the shelf (`prompt`).
    """
    film, options = Film.of(inputs, job), job.recipe.options
    job.progress(0.02, "reading the picture")
    image = film.picture(inputs, "image_url", job)
    try:
        styles = [Style(runtime.shelf.lora(FAMILY, options["style"]), 1.0)]
    except Unavailable as error:
        styles = []
        job.warn(f"the embrace was made from words alone: {error}")
    prompt = options["style_prompt" if styles else "prompt"]
    return filmed(FROM_PICTURES, job, runtime, film=film, image=image, prompt=prompt, styles=styles)


def asked(inputs: Any, runtime: Runtime) -> dict[str, Any]:
    """Read what `filmed` wants from an input.

    Raises:
        EngineFailure: a LoRA is not on the shelf.

    """
    styles = wanted(runtime.shelf, FAMILY, getattr(inputs, "lora_settings", []))
    return {"prompt": inputs.prompt, "negative": inputs.negative_prompt, "styles": styles}


def filmed(
    pipeline: str,
    job: Job,
    runtime: Runtime,
    *,
    film: Film,
    prompt: str,
    negative: str = "",
    styles: Sequence[Style] = (),
    **pictures: Any,
) -> Output:
    """Make a video and store it; `pictures` go to the pipeline."""
    told = words(prompt, negative, job, runtime)
    with ready(pipeline, job, runtime, film=film, styles=styles) as pipe:
        return rolled(pipe, job, runtime, film=film, **pictures, **told)


def words(prompt: str, negative: str, job: Job, runtime: Runtime) -> dict[str, Any]:
    """Turn the prompts into what a pipeline takes instead, each (1, tokens, width)."""
    job.progress(0.05, "reading the prompt")
    model, tokens = runtime.model(job.recipe.weights[0]), job.recipe.options["tokens"]

    def encoded(text: str) -> Any:
        def encode() -> dict[str, Any]:
            with runtime.pipeline(FROM_WORDS, model, without=FRAMES) as pipe:
                embeds, _ = pipe.encode_prompt(
                    text, do_classifier_free_guidance=False, max_sequence_length=tokens, device=runtime.device
                )
            return {"embeds": embeds}

        return runtime.embeddings.get((FAMILY, model.parts["text_encoder"].key, text, tokens), encode)["embeds"]

    return {"prompt_embeds": encoded(prompt), "negative_prompt_embeds": encoded(negative)}


@contextmanager
def ready(
    pipeline: str, job: Job, runtime: Runtime, *, film: Film, styles: Sequence[Style] = (), **more: Any
) -> Iterator[Any]:
    """Give a pipeline that needs no text any more, with the recipe's scheduler and LoRAs; `more` as for a pipeline."""
    model = runtime.model(job.recipe.weights[0])
    job.progress(0.08, "loading the model")
    room = model.card.memory_bytes + added_bytes(styles)
    with (
        runtime.pipeline(pipeline, model, without=WORDS, work_bytes=room, **more) as pipe,
        worn(pipe, styles),
    ):
        shift = job.recipe.options.get("shift")
        changes = {} if shift is None else {"flow_shift": shift}
        pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, **changes)
        if film.width * film.height > TILED_PIXELS:
            pipe.vae.enable_tiling()
        else:
            pipe.vae.disable_tiling()
        yield pipe


def rolled(pipe: Any, job: Job, runtime: Runtime, *, film: Film, **given: Any) -> Output:
    """Run a pipeline with what it was given, and store the video."""
    options = job.recipe.options
    second = {"guidance_scale_2": options["guidance_2"]} if "guidance_2" in options else {}
    made = pipe(
        **given,
        **film.arguments,
        **second,
        num_inference_steps=options["steps"],
        guidance_scale=options["guidance"],
        generator=runtime.generators([job.seed]),
        callback_on_step_end=Steps([job], options["steps"], view=Reel()),
    ).frames[0]
    return Output(VideoResult.of(shoot(job, film, made)))
