"""A text read aloud in the voice of a recording, by F5-TTS.

The model goes on with the recording: it is given what is said in it and what is to be said after it, and how long that
takes, which follows from the pace of the recording. A recipe's options: `format` and `rate` of the file, `steps`,
`guidance` and `sway` of the sampler, `speed` (1: as fast as the recording). Its weights are F5-TTS's, then Vocos's.
"""

from typing import Any, Final

import numpy as np
import torch

from unitask.engines.networks.speech.flow import Sampler, times
from unitask.engines.networks.speech.hearing import at_rate, can_hear, words_in
from unitask.engines.networks.speech.mel import BANDS, RATE, log_mel
from unitask.engines.networks.speech.pieces import PACES, WIDE, Pace, Wave, first_words, joined, pieces, size
from unitask.engines.networks.speech.reference import Reference
from unitask.engines.networks.speech.symbols import Vocabulary, plain
from unitask.engines.networks.speech.weights import VOCABULARY, F5Part, VocosPart, part_of
from unitask.kit.errors import TaskFailure
from unitask.kit.sound import read_audio, write_audio
from unitask.runtime.parts import damaged
from unitask.runtime.pictures import labels
from unitask.runtime.runtime import Runtime
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult

_READ_S: Final = 300.0
_LOW: Final = 0.1
_HIGH: Final = 0.9
_NAMED: Final = 20


def zero_shot(inputs: Any, job: Job, runtime: Runtime) -> Output:
    """Speak `gen_text` in the voice of `ref_audio`.

    Raises:
        MediaFailure: the recording cannot be had or read, or there is nothing in it.
        TaskFailure: nothing in the text can be spoken.
        EngineFailure: weights are missing, damaged, or do not fit.

    """
    part = part_of(job.recipe.weights[0], F5Part, runtime)
    try:
        vocabulary = part.vocabulary
    except (OSError, ValueError) as error:
        raise damaged(part.card, VOCABULARY, error) from error
    text = plain(inputs.gen_text)
    _check(text, vocabulary, job)
    job.progress(0.02, "listening to the recording")
    reference = Reference.of(_recording(inputs, job))
    said = _fitting(_ended(_said(inputs, reference, job, runtime)), reference, job)
    pace = Pace.of(said, reference.seconds, job.recipe.options["speed"])
    order = [(vocabulary.ids(said + one), pace.frames(one)) for one in pieces(text, pace.most_bytes(reference.seconds))]
    return _stored(_spoken(part, reference, order, job, runtime), job)


def _check(text: str, vocabulary: Vocabulary, job: Job) -> None:
    """Say which symbols the model does not know."""
    if not any(vocabulary.ids(text)):
        raise TaskFailure("gen_text has nothing that can be spoken: give it words that the model knows")
    if unknown := vocabulary.unknown(text):
        more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
        job.warn(f"the model does not know, and passes over: {' '.join(unknown[:_NAMED])}{more}")


def _recording(inputs: Any, job: Job) -> Wave:
    value = next(one for one in media_values(inputs) if one.path == "input.ref_audio")
    take = read_audio(job.fetch(value.source, value.media), limit_seconds=_READ_S, rate=RATE, cut=True)
    return np.asarray(take.mean(axis=1), np.float32)


def _said(inputs: Any, reference: Reference, job: Job, runtime: Runtime) -> str:
    """Find what is said in the part of the recording that is followed."""
    given = plain(inputs.ref_text)
    if reference.share < 1:
        job.warn(f"ref_audio is long: the first {reference.seconds:.1f} seconds of the voice are followed")
    if given and reference.share == 1:
        return given
    if given and not can_hear(runtime):
        return first_words(given, max(1, round(len(given) * reference.share)))
    job.progress(0.05, "writing down what is said in the recording")
    return plain(words_in(reference.wave, runtime))


def _ended(said: str) -> str:
    """End what is said in the recording as a sentence does."""
    ended = said if said[-1] in f".!?{WIDE}" else f"{said}."
    return f"{ended} " if ended[-1].isascii() else ended


def _fitting(said: str, reference: Reference, job: Job) -> str:
    """Cut a text that nobody can say in the time of the recording."""
    low, high = (pace * reference.seconds for pace in PACES)
    if not low <= size(said) <= high:
        job.warn("ref_text does not look like what is said in ref_audio: the speech has an ordinary pace instead")
    return said.encode()[: int(high)].decode(errors="ignore")


def _spoken(part: F5Part, reference: Reference, order: list[tuple[list[int], int]], job: Job, runtime: Runtime) -> Wave:
    """Speak pieces, given as symbols of the recording and the piece, and the frames of the piece; and join them."""
    job.progress(0.08, "loading the model")
    options, parts = job.recipe.options, {"voice": part, "vocoder": part_of(job.recipe.weights[1], VocosPart, runtime)}
    networks = runtime.networks(parts, work_bytes=sum(one.card.memory_bytes for one in parts.values()))
    sampler = Sampler(networks["voice"], times(options["steps"], options["sway"]), options["guidance"])
    chance = runtime.generators([job.seed])[0]
    done, total = 0, len(order) * options["steps"]

    def after_step() -> None:
        nonlocal done
        done += 1
        job.progress(_LOW + (_HIGH - _LOW) * done / total, f"step {done} of {total}")

    waves = []
    with torch.no_grad():
        heard = log_mel(torch.from_numpy(reference.wave)).to(runtime.device)
        for symbols, frames in order:
            noise = torch.randn(max(len(heard) + frames, len(symbols) + 1), BANDS, generator=chance)
            ids = torch.tensor(symbols, device=runtime.device)
            made = sampler.go_on(heard, ids, noise.to(runtime.device), after_step)
            waves.append(networks["vocoder"](made).cpu().numpy() / np.float32(reference.raised))
    return joined(waves)


def _stored(speech: Wave, job: Job) -> Output:
    job.progress(0.95, "saving")
    rate, form = job.recipe.options["rate"], job.recipe.options["format"]
    sound = at_rate(speech / np.float32(max(1.0, np.abs(speech).max())), RATE, rate)
    content = write_audio(sound[:, None], rate=rate, form=form, metadata=labels(job, job.seed))
    reference = job.save(content, form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": len(sound) / rate})
