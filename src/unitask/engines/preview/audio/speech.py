"""Placeholder speech: one robotic sound for each syllable, as fast as people talk and as high as the recording."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from unitask.engines.preview.audio.source import Medium, fetch, finish
from unitask.engines.preview.audio.syllables import Syllable, is_whole, of_word
from unitask.engines.preview.audio.tones import Wave
from unitask.engines.preview.audio.voice import Tone, sounded
from unitask.engines.preview.chance import dice
from unitask.kit.pitch import median_pitch
from unitask.spec.engine import Job, Output

CHARACTERS_A_SECOND: Final = 14.0
_WHOLE_SIGNS: Final = 3.0
"""A sign that is a whole syllable takes as long as this many letters."""
LEAST_S: Final = 0.4
_USUAL_PITCH_HZ: Final = 140.0
_HEARD_S: Final = 60.0
_SENTENCE: Final = re.compile(r"[^.!?\u2026\u3002\uff01\uff1f\n]*[.!?\u2026\u3002\uff01\uff1f\n]*")
_TOKEN: Final = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*|\d|.", re.DOTALL)
_PROGRESS_EVERY: Final = 100


@dataclass(frozen=True, slots=True)
class Spoken:
    """One syllable: when it starts and ends, and how high it is over the voice's own pitch, in semitones."""

    syllable: Syllable
    start_s: float
    end_s: float
    semitones: float
    rises: bool


def speech(inputs: Any, job: Job) -> Output:
    """Speak `gen_text` at the median pitch of `ref_audio`."""
    medium = Medium.of(job.recipe.options)
    job.progress(0.02, "listening to the recording")
    recording = fetch(inputs, job, "ref_audio", rate=medium.rate, limit_s=_HEARD_S, cut=True)
    pitch_hz = median_pitch(recording, medium.rate)
    if pitch_hz is None:
        job.warn("no voice was heard in ref_audio; the placeholder speech has a pitch of its own")
    else:
        job.warn(f"of the voice in ref_audio only the pitch of about {pitch_hz:.0f} Hz is followed")
    job.progress(0.1, "speaking")
    sound = _spoken(inputs.gen_text, pitch_hz or _USUAL_PITCH_HZ, medium.rate, job)
    return finish(job, sound, medium, inputs.gen_text)


def _spoken(text: str, pitch_hz: float, rate: int, job: Job) -> Wave:
    """Sound every syllable at its time: float32 (samples, 1)."""
    syllables, length_s = planned(text, job.seed)
    sound = np.zeros((max(1, round(length_s * rate)), 1), np.float32)
    rng = dice(job.seed, "breath", text)
    for index, spoken in enumerate(syllables):
        if index % _PROGRESS_EVERY == 0:
            job.progress(0.1 + 0.75 * index / len(syllables), "speaking")
        start, end = round(spoken.start_s * rate), min(round(spoken.end_s * rate), len(sound))
        tone = Tone(pitch_hz * 2 ** (spoken.semitones / 12), glide=1.22 if spoken.rises else 0.94)
        sound[start:end, 0] += sounded(spoken.syllable, tone, end - start, rate, rng)
    if not syllables:
        job.warn("gen_text has nothing that can be spoken: the sound is a hum")
        sound[:, 0] = sounded(Syllable("u", "soft", 1), Tone(pitch_hz), len(sound), rate, rng)
    sound *= np.float32(0.8 / max(float(np.abs(sound).max()), 1e-9))
    return sound


def planned(text: str, seed: int) -> tuple[list[Spoken], float]:
    """Place the syllables of a text in time; gives them and the length in seconds."""
    spoken: list[Spoken] = []
    at = 0.0
    for index, sentence in enumerate(_SENTENCE.findall(text)):
        parts = list(_sentence(sentence))
        length = sum(letters for _, letters in parts)
        rng = dice(seed, "sentence", index, sentence)
        asks = sentence.rstrip().endswith(("?", "\uff1f"))
        last = max((number for number, (syllable, _) in enumerate(parts) if syllable), default=-1)
        start = at
        for number, (syllable, letters) in enumerate(parts):
            if syllable:
                share = (at - start) / max(length, 1)
                height = 2.0 - 4.5 * share + float(rng.uniform(-1.1, 1.1)) + 4.0 * (asks and number == last)
                end = at + letters * 0.94
                times = at / CHARACTERS_A_SECOND, end / CHARACTERS_A_SECOND
                spoken.append(Spoken(syllable, *times, height, asks and number == last))
            at += letters
    return spoken, max(at / CHARACTERS_A_SECOND, LEAST_S)


def _sentence(sentence: str) -> Iterator[tuple[Syllable | None, float]]:
    """Give the syllables, and None for each pause, with their lengths in letters."""
    for token in _TOKEN.findall(sentence):
        if not token[0].isalnum():
            yield None, 1.0
            continue
        for syllable in of_word(token):
            yield syllable, syllable.signs * (_WHOLE_SIGNS if is_whole(token[0]) else 1.0)
