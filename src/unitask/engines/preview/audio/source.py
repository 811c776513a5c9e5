"""The client's recordings as arrays, and our own sound as files: the first and the last step of every make."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from unitask.engines.preview.audio.tones import Wave
from unitask.kit.errors import TaskFailure
from unitask.kit.sound import read_audio, write_audio
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult, Input

_PROMPT_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Medium:
    """How the recipe wants its sound: samples a second, the kind of file, and the most seconds, if it says so."""

    rate: int
    form: Any
    limit_s: float

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Medium":
        """Read a recipe's options."""
        limit_s = options.get("limit_seconds") or options.get("seconds") or 600
        return cls(int(options["rate"]), options["format"], float(limit_s))


def fetch(inputs: Input, job: Job, name: str, *, rate: int, limit_s: float, cut: bool = False) -> Wave:
    """Read the recording in the field `name`: float32 (samples, 1 or 2).

    Raises:
        MediaFailure: unreachable, not sound, or longer than `limit_s` and not to be `cut`.
        TaskFailure: the field is empty.

    """
    value = next((item for item in media_values(inputs) if item.path == f"input.{name}"), None)
    if value is None:
        raise TaskFailure(f"`{name}` is empty: give a URL or base64 of a recording")
    return read_audio(job.fetch(value.source, value.media), limit_seconds=limit_s, rate=rate, cut=cut)


def finish(job: Job, sound: Wave, medium: Medium, prompt: str) -> Output:
    """Store float32 (samples, 1 or 2) under its label; the measure is its length."""
    job.progress(0.9, "writing the file")
    tags = {
        "software": "unitask",
        "unitask:engine": "preview",
        "unitask:level": "preview",
        "unitask:prompt": _plain(prompt),
        "unitask:seed": str(job.seed),
    }
    content = write_audio(sound, rate=medium.rate, form=medium.form, metadata=tags)
    reference = job.save(content, medium.form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": len(sound) / medium.rate})


def _plain(text: str) -> str:
    """Tags end at a zero byte, and half a surrogate pair has no bytes at all."""
    line = " ".join(text.replace("\0", " ").split())[:_PROMPT_CHARS]
    return line.encode("utf-8", "replace").decode("utf-8")
