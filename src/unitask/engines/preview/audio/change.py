"""A recording in another style, or with other words."""

from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from unitask.engines.preview.audio import effects, hearing, lyrics, score, style, vocals
from unitask.engines.preview.audio.band import Band
from unitask.engines.preview.audio.hearing import Heard
from unitask.engines.preview.audio.score import Score
from unitask.engines.preview.audio.source import Medium, fetch, finish
from unitask.engines.preview.audio.style import Style
from unitask.engines.preview.audio.tones import Wave, levelled
from unitask.engines.preview.chance import dice
from unitask.spec.engine import Job, Output

_BAND_SHARE: Final = 0.55
_VOICE_SHARE: Final = 0.9
_QUIET: Final = 1e-4


def music_edit(inputs: Any, job: Job) -> Output:
    """Play an effect over the recording and a band along with it, or sing other words over it; the length stays."""
    medium = Medium.of(job.recipe.options)
    job.progress(0.02, "listening to the recording")
    recording = fetch(inputs, job, "audio", rate=medium.rate, limit_s=medium.limit_s, cut=True)
    wanted, heard = _style_for(inputs, recording, medium.rate, job.seed)
    lines = lyrics.read(inputs.lyrics)
    job.progress(0.15, "changing the recording")
    stereo = np.ascontiguousarray(np.broadcast_to(recording.T, (2, len(recording))))
    if inputs.edit_type == "only_lyrics":
        changed = effects.without_voice(stereo, medium.rate)
        if not lines:
            job.warn("there are no lyrics to sing: the recording only lost what lies where voices are")
    else:
        effect = effects.choose(
            style.words_of(inputs.style_prompt), int(dice("effect", job.seed, inputs.style_prompt).integers(99))
        )
        changed = effect(effects.Take(stereo, medium.rate, wanted.bpm))
    job.progress(0.3, "playing along")
    piece = _piece(wanted, lines, len(recording) / medium.rate, job, plays=inputs.edit_type == "remix")
    _play_along(changed, piece, heard.first_beat_s, medium.rate, job)
    return finish(job, levelled(changed).T, medium, inputs.style_prompt or inputs.lyrics)


def _style_for(inputs: Any, recording: Wave, rate: int, seed: int) -> tuple[Style, Heard]:
    """Read the words, and take tempo and key from the recording where they are clear."""
    wanted = style.read(inputs.style_prompt, inputs.negative_style_prompt, seed)
    heard = hearing.listen(recording, rate)
    if heard.bpm is not None:
        wanted = replace(wanted, bpm=heard.bpm)
    if heard.root is not None:
        wanted = replace(wanted, root=heard.root, minor=heard.minor)
    return wanted, heard


def _piece(wanted: Style, lines: list[lyrics.Line], length_s: float, job: Job, *, plays: bool) -> Score:
    """Write what the band plays along with the recording, or only what is sung."""
    sung = vocals.place(lines, wanted.beat_s, length_s)
    if len(sung) < len(lines):
        job.warn(f"{len(lines) - len(sung)} of {len(lines)} lines of the lyrics did not fit and are not sung")
    compose = score.compose if plays else score.outline
    piece = compose(wanted, length_s, sung, job.seed)
    # The tune is the recording's own.
    piece.notes = [each for each in piece.notes if each.part != "lead"]
    score.sing(piece, sung, job.seed)
    return piece


def _play_along(changed: Wave, piece: Score, first_beat_s: float, rate: int, job: Job) -> None:
    """Add the piece to (2, samples), from the first beat on, at a level that leaves the recording in front."""
    bar_s = piece.bar_s
    moved = [replace(each, at_s=each.at_s + first_beat_s % bar_s) for each in piece.notes]
    band = Band(piece.style, rate, job.seed)
    for part, share in ((False, _BAND_SHARE), (True, _VOICE_SHARE)):
        notes = [each for each in moved if (each.syllable is not None) is part]
        if not notes:
            continue
        begun = 0.6 if part else 0.3
        playing = band.mixed(notes, changed.shape[1], partial(_report, job, begun))
        loudness = max(_loudness(changed), 0.05)
        changed += playing * np.float32(share * loudness / max(_loudness(playing), _QUIET))


def _report(job: Job, begun: float, share: float) -> None:
    job.progress(begun + 0.3 * share, "playing along")


def _loudness(sound: Wave) -> float:
    return float(np.sqrt(np.mean(np.square(sound[..., ::3]))))
