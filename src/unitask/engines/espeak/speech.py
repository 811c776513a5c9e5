"""Speech that follows a recording: pitch, speed and tone, not the voice itself."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.signal import firwin2, oaconvolve, resample_poly

from unitask.engines.espeak.voices import VARIANTS, language_of
from unitask.kit.errors import EngineFailure, TaskFailure
from unitask.kit.pitch import median_pitch
from unitask.kit.sound import read_audio, write_audio
from unitask.spec.engine import Job, Output
from unitask.spec.media import media_values
from unitask.spec.product import AudioResult

Wave = NDArray[np.float32]

WARNING: Final = "spoken by a synthesizer at the pitch, speed and tone of ref_audio: the voice itself is not cloned"
_HEARD_S: Final = 30.0
_SPEED: Final = 165
_SPEEDS: Final = (90, 320)
_TRIAL_CHARS: Final = 60
_TRIAL_PITCHES: Final = (5, 50, 95)
_NEAR: Final = 0.02
_MOST_BENT: Final = 1.35
_BANDS_HZ: Final = np.geomspace(120, 9000, 25)
_MOST_DB: Final = 12.0
_TAPS: Final = 513
_WINDOW: Final = 1024
_SILENCE: Final = 0.01
_LABEL_CHARS: Final = 500


@dataclass(frozen=True, slots=True)
class Manner:
    """How to speak: the voice, words a minute, pitch 0 to 99; `bent` raises all of it after it was spoken."""

    voice: str
    speed: int = _SPEED
    pitch: int = 50
    bent: float = 1.0


def speech(inputs: Any, job: Job) -> Output:
    """Speak `gen_text` as `ref_audio` does.

    Raises:
        MediaFailure: the recording cannot be read.
        TaskFailure: nothing in the text can be spoken.

    """
    rate: int = job.recipe.options["rate"]
    job.warn(WARNING)
    job.progress(0.02, "listening to the recording")
    value = next(one for one in media_values(inputs) if one.path == "input.ref_audio")
    heard = read_audio(job.fetch(value.source, value.media), limit_seconds=_HEARD_S, rate=rate, cut=True)
    model = heard.mean(axis=1, dtype=np.float32)
    with speaking(rate) as speaker:
        job.progress(0.1, "finding the voice")
        manner = _manner(inputs, model, speaker, job)
        job.progress(0.4, "speaking")
        spoken = speaker.say(inputs.gen_text, manner)
    if not np.abs(spoken).max(initial=0) > _SILENCE:
        raise TaskFailure("gen_text has nothing that can be spoken: give it words")
    job.progress(0.8, "colouring")
    sound = _coloured(spoken, model, rate)
    labels = {
        "software": "unitask",
        "unitask:engine": "espeak",
        "unitask:level": "basic",
        "unitask:prompt": " ".join(inputs.gen_text.replace("\0", " ").split())[:_LABEL_CHARS],
    }
    form = job.recipe.options["format"]
    reference = job.save(write_audio(sound[:, None], rate=rate, form=form, metadata=labels), form)
    job.progress(1.0)
    return Output(AudioResult.of(reference), {"second": len(sound) / rate})


class Speaker:
    """The process that speaks; one for each task, so that no task inherits another's voice."""

    def __init__(self, process: "subprocess.Popen[bytes]", rate: int) -> None:
        self._process = process
        self._rate = rate

    def say(self, text: str, manner: Manner) -> Wave:
        """Speak: float32 (samples,) at the rate of the recipe.

        Raises:
            EngineFailure: the process ended or has no such voice.

        """
        asked, answers = self._process.stdin, self._process.stdout
        assert asked is not None  # noqa: S101 - both were asked for as pipes
        assert answers is not None  # noqa: S101 - same
        speed = round(min(max(manner.speed / manner.bent, _SPEEDS[0]), _SPEEDS[1]))
        order = {"text": text, "voice": manner.voice, "speed": speed, "pitch": manner.pitch}
        asked.write(json.dumps(order).encode() + b"\n")
        asked.flush()
        head = json.loads(answers.readline() or b'{"error": "espeak-ng ended"}')
        if "error" in head:
            raise EngineFailure("the speech could not be made", raw_message=head["error"])
        samples = np.frombuffer(answers.read(2 * head["samples"]), np.int16) / np.float32(32768)
        if not len(samples):
            return np.zeros(0, np.float32)
        # Fewer samples at the same rate: higher and faster. The speed was asked for accordingly.
        up, down = self._rate, round(head["rate"] * manner.bent)
        shared = np.gcd(up, down)
        return np.asarray(resample_poly(samples, up // shared, down // shared), np.float32)


@contextmanager
def speaking(rate: int) -> Iterator[Speaker]:
    """Keep the process running; it speaks at `rate` samples a second."""
    command = [sys.executable, "-m", "unitask.engines.espeak.speak"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:  # noqa: S603 - our own
        try:
            yield Speaker(process, rate)
        finally:
            process.kill()


def _manner(inputs: Any, model: Wave, speaker: Speaker, job: Job) -> Manner:
    """Find how to speak: the variant and pitch that come nearest to the recording's, and its speed if that is known."""
    manner = Manner(language_of(inputs.gen_text))
    wanted_hz = median_pitch(model[:, None], job.recipe.options["rate"])
    if wanted_hz is None:
        job.warn("no voice was heard in ref_audio: pitch and tone are the synthesizer's own")
    else:
        manner = _at_pitch(wanted_hz, inputs.gen_text[:_TRIAL_CHARS], manner, speaker, job.recipe.options["rate"])
    if inputs.ref_text.strip():
        manner = replace(manner, speed=_speed_of(inputs.ref_text, model, manner, speaker))
    return manner


def _at_pitch(wanted_hz: float, trial: str, manner: Manner, speaker: Speaker, rate: int) -> Manner:
    def miss(one: Manner) -> float:
        """Tell how many octaves too low it speaks."""
        hertz = median_pitch(speaker.say(trial, one)[:, None], rate)
        return np.inf if hertz is None else float(np.log2(wanted_hz / hertz))

    trials = [
        replace(manner, voice=manner.voice + variant, pitch=pitch) for variant in VARIANTS for pitch in _TRIAL_PITCHES
    ]
    tried = {one: miss(one) for one in trials}
    best = min(tried, key=lambda one: abs(tried[one]))
    if not np.isfinite(tried[best]):
        return manner
    same = {one.pitch: octaves for one, octaves in tried.items() if one.voice == best.voice and np.isfinite(octaves)}
    pitches = sorted(same, key=lambda pitch: -same[pitch])
    guess = round(float(np.interp(0.0, [same[pitch] for pitch in pitches][::-1], pitches[::-1])))
    refined = replace(best, pitch=guess)
    tried[refined] = miss(refined)
    best = min((best, refined), key=lambda one: abs(tried[one]))
    if abs(tried[best]) < _NEAR:
        return best
    return replace(best, bent=float(np.clip(2 ** tried[best], 1 / _MOST_BENT, _MOST_BENT)))


def _speed_of(text: str, model: Wave, manner: Manner, speaker: Speaker) -> int:
    """Compare how long the recording's words take here and there."""
    here, there = (_active(sound) for sound in (speaker.say(text, manner), model))
    return round(float(np.clip(manner.speed * here / there, *_SPEEDS))) if here and there else manner.speed


def _active(sound: Wave) -> int:
    """Count the samples from the first to the last that can be heard."""
    heard = np.flatnonzero(np.abs(sound) > _SILENCE)
    return int(heard[-1] - heard[0]) if len(heard) else 0


def _coloured(spoken: Wave, model: Wave, rate: int) -> Wave:
    """Give speech the mean spectrum of the recording, by a linear filter of some decibels."""
    there, here = _spectrum(model, rate), _spectrum(spoken, rate)
    if there is None or here is None:
        return spoken
    gain_db = np.clip(there - here, -_MOST_DB, _MOST_DB)
    middles = np.sqrt(_BANDS_HZ[:-1] * _BANDS_HZ[1:])
    points = np.concatenate([[0], middles / (rate / 2), [1]])
    gains = 10 ** (np.concatenate([gain_db[:1], gain_db, gain_db[-1:]]) / 20)
    sound = oaconvolve(spoken, firwin2(_TAPS, points, gains), "same")
    return np.asarray(0.9 * sound / max(float(np.abs(sound).max()), 1e-9), np.float32)


def _spectrum(sound: Wave, rate: int) -> NDArray[np.floating] | None:
    """Give the mean level in each band, in decibels around their mean, of the louder part of a sound."""
    if len(sound) < 2 * _WINDOW:
        return None
    frames = np.lib.stride_tricks.sliding_window_view(sound, _WINDOW)[:: _WINDOW // 2]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW).astype(np.float32))) ** 2
    loudness = power.sum(axis=1)
    mean = power[loudness >= np.percentile(loudness, 60)].mean(axis=0)
    hertz = np.fft.rfftfreq(_WINDOW, 1 / rate)
    bands = [mean[(hertz >= low) & (hertz < high)] for low, high in pairwise(_BANDS_HZ)]
    levels = 10 * np.log10(np.array([band.mean() if len(band) else 0 for band in bands]) + 1e-12)
    filled = np.array([len(band) > 0 for band in bands])
    levels[~filled] = np.interp(np.flatnonzero(~filled), np.flatnonzero(filled), levels[filled])
    return np.asarray(levels - levels.mean())
