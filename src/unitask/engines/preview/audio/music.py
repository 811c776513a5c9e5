"""Music from words, from timed lyrics, and after a recording."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from unitask.engines.preview.audio import hearing, lyrics, score, style, vocals
from unitask.engines.preview.audio.band import Band
from unitask.engines.preview.audio.hearing import Heard
from unitask.engines.preview.audio.source import Medium, fetch, finish
from unitask.engines.preview.audio.style import Style
from unitask.engines.preview.audio.tones import Wave, levelled
from unitask.kit.pitch import HEARD_S
from unitask.spec.engine import Job, Output

_AFTER_LAST_LINE_S: Final = 12.0
_SHORTEST_SONG_S: Final = 15.0


def music(inputs: Any, job: Job) -> Output:
    """Play `style_prompt` for exactly `duration` seconds, and sing `lyrics`."""
    medium = Medium.of(job.recipe.options)
    wanted = style.read(inputs.style_prompt, inputs.negative_style_prompt, job.seed)
    job.progress(0.05, "composing")
    sound = _played(wanted, inputs.duration, lyrics.read(inputs.lyrics), medium.rate, job)
    return finish(job, sound, medium, inputs.style_prompt)


def song(inputs: Any, job: Job) -> Output:
    """Sing each line at its time; the song ends some bars after the last time, at most after the recipe's seconds."""
    medium = Medium.of(job.recipe.options)
    wanted = style.read(inputs.style_prompt or "pop", "", job.seed)
    if inputs.style_audio:
        job.progress(0.02, "listening to the recording")
        heard = hearing.listen(_model(inputs, job, medium.rate), medium.rate)
        wanted = _after(wanted, heard, job)
    last_s = lyrics.last_time(inputs.lyrics)
    length_s = medium.limit_s
    if last_s is not None:
        length_s = min(length_s, max(last_s + _AFTER_LAST_LINE_S, _SHORTEST_SONG_S))
    job.progress(0.05, "composing")
    sound = _played(wanted, length_s, lyrics.read(inputs.lyrics), medium.rate, job)
    return finish(job, sound, medium, inputs.style_prompt or inputs.lyrics)


def music_from_audio(inputs: Any, job: Job) -> Output:
    """Play `style_prompt` in tempo, key and colour of the recording."""
    medium = Medium.of(job.recipe.options)
    job.progress(0.02, "listening to the recording")
    recording = fetch(inputs, job, "style_audio", rate=medium.rate, limit_s=medium.limit_s, cut=True)
    wanted = style.read(inputs.style_prompt, inputs.negative_style_prompt, job.seed)
    wanted = _after(wanted, hearing.listen(recording, medium.rate), job)
    length_s = inputs.duration or len(recording) / medium.rate
    job.progress(0.1, "composing")
    sound = _played(wanted, length_s, lyrics.read(inputs.lyrics), medium.rate, job)
    job.progress(0.8, "colouring")
    hearing.colour(sound, recording, medium.rate)
    return finish(job, levelled(sound), medium, inputs.style_prompt)


def _model(inputs: Any, job: Job, rate: int) -> Wave:
    return fetch(inputs, job, "style_audio", rate=rate, limit_s=HEARD_S, cut=True)


def _after(wanted: Style, heard: Heard, job: Job) -> Style:
    """Take tempo and key from what was heard, where they are clear."""
    taken = []
    if heard.bpm is not None:
        wanted = replace(wanted, bpm=heard.bpm)
        taken.append(f"tempo (about {heard.bpm:.0f} beats a minute)")
    if heard.root is not None:
        wanted = replace(wanted, root=heard.root, minor=heard.minor)
        taken.append("key")
    if taken:
        job.warn(f"from style_audio: {' and '.join(taken)}")
    else:
        job.warn("style_audio has no clear beat or key; the style comes from the words alone")
    return wanted


def _played(wanted: Style, length_s: float, lines: Sequence[lyrics.Line], rate: int, job: Job) -> Wave:
    """Compose, sing and play for exactly `length_s` seconds: float32 (samples, 2)."""
    sung = vocals.place(lines, wanted.beat_s, length_s) if wanted.voices else []
    if len(sung) < len(lines) and wanted.voices:
        job.warn(f"{len(lines) - len(sung)} of {len(lines)} lines of the lyrics did not fit and are not sung")
    piece = score.compose(wanted, length_s, sung, job.seed)
    score.sing(piece, sung, job.seed)
    band = Band(wanted, rate, job.seed)
    return band.play(piece, length_s, lambda share: job.progress(0.1 + 0.6 * share, "playing"))
