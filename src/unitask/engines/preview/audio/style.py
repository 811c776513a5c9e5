"""From the words of a style to how the band plays: tempo, key, groove, instruments."""

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from unitask.engines.preview.chance import dice

Bars = tuple[str, str, str]
"""Sixteen steps of a bar for kick, snare and hat: `x` hits, `o` hits softly."""


@dataclass(frozen=True, slots=True)
class Genre:
    """What a genre's word stands for. `minor` None: either. `swing` delays every second eighth by that share of one."""

    bpm: float
    groove: str
    comping: str
    chords: str
    lead: str
    bass: str
    minor: bool | None = None
    swing: float = 0.0


@dataclass(frozen=True, slots=True)
class Style:
    """How to play. `root` counts semitones from C; `high_voice` says who sings; `voices` whether anyone may."""

    bpm: float
    root: int
    minor: bool
    groove: str
    comping: str
    chords: str
    lead: str
    bass: str
    swing: float
    high_voice: bool
    voices: bool
    room: float
    energy: float

    @property
    def beat_s(self) -> float:
        """Seconds of a quarter."""
        return 60 / self.bpm


GROOVES: Final[dict[str, Bars]] = {
    "pop": ("x.......x.x.....", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "rock": ("x.....x.x.......", "....x.......x...", "x.x.x.x.x.x.x.x."),
    "house": ("x...x...x...x...", "....x.......x...", "..x...x...x...x."),
    "hiphop": ("x......x..x.....", "....x.......x..o", "x.x.x.x.x.x.x.xx"),
    "trap": ("x.....x...x.....", "........x.......", "x.xxx.x.x.x.xxxx"),
    "jazz": ("o.......o.......", "......o.......o.", "x...x.x.x...x.x."),
    "latin": ("x..x..x.x..x..x.", "...o..x...o..x..", "x.x.x.x.x.x.x.x."),
    "reggae": ("........x.......", "........x.......", "..x...x...x...x."),
    "funk": ("x..x..x...x..x..", "....x..o.o..x..o", "xxxxxxxxxxxxxxxx"),
    "breaks": ("x.........x.....", "....x..o.o..x...", "x.x.x.x.x.x.x.x."),
    "metal": ("x.xxx.xxx.xxx.xx", "....x.......x...", "x...x...x...x..."),
    "folk": ("x.......x.......", "....o.......o...", "..o...o...o...o."),
    "march": ("x...x...x...x...", "..x..xx...x.xxxx", "................"),
    "ballad": ("x.........x.....", "........x.......", "x...x...x...x..."),
    "none": ("................", "................", "................"),
}


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


_GENRES: Final[dict[str, Genre]] = {
    "pop": Genre(108, "pop", "eighths", "piano", "synth", "fingered"),
    "rock": Genre(126, "rock", "eighths", "overdrive", "overdrive", "picked"),
    "metal": Genre(150, "metal", "eighths", "overdrive", "overdrive", "picked", minor=True),
    "punk": Genre(168, "rock", "eighths", "overdrive", "overdrive", "picked", minor=False),
    "house": Genre(124, "house", "stabs", "piano", "synth", "synth"),
    "techno": Genre(130, "house", "stabs", "synth", "synth", "synth", minor=True),
    "edm": Genre(128, "house", "stabs", "synth", "synth", "synth"),
    "trance": Genre(136, "house", "arpeggio", "synth", "synth", "synth", minor=True),
    "disco": Genre(118, "house", "stabs", "strings", "brass", "fingered"),
    "dnb": Genre(172, "breaks", "held", "pad", "synth", "synth", minor=True),
    "dubstep": Genre(140, "ballad", "held", "pad", "synth", "synth", minor=True),
    "synthwave": Genre(100, "pop", "arpeggio", "synth", "synth", "synth", minor=True),
    "hiphop": Genre(90, "hiphop", "held", "epiano", "bell", "fingered", minor=True),
    "rap": Genre(92, "hiphop", "stabs", "epiano", "synth", "fingered", minor=True),
    "trap": Genre(140, "trap", "held", "pad", "bell", "synth", minor=True),
    "lofi": Genre(80, "hiphop", "held", "epiano", "epiano", "fingered", swing=0.2),
    "rnb": Genre(78, "hiphop", "held", "epiano", "synth", "fingered", swing=0.12),
    "soul": Genre(84, "ballad", "held", "organ", "brass", "fingered", swing=0.15),
    "funk": Genre(106, "funk", "stabs", "guitar", "brass", "fingered", minor=True),
    "jazz": Genre(128, "jazz", "stabs", "piano", "sax", "walking", swing=0.32),
    "swing": Genre(150, "jazz", "stabs", "piano", "brass", "walking", minor=False, swing=0.33),
    "blues": Genre(84, "jazz", "eighths", "guitar", "harmonica", "walking", swing=0.33),
    "bossa": Genre(126, "latin", "stabs", "guitar", "flute", "fingered"),
    "latin": Genre(104, "latin", "stabs", "guitar", "brass", "fingered"),
    "reggae": Genre(76, "reggae", "offbeats", "organ", "guitar", "fingered", minor=False),
    "folk": Genre(96, "folk", "picking", "guitar", "flute", "fingered", minor=False),
    "country": Genre(112, "folk", "picking", "guitar", "guitar", "fingered", minor=False),
    "ballad": Genre(72, "ballad", "arpeggio", "piano", "strings", "fingered"),
    "gospel": Genre(82, "ballad", "held", "organ", "choir", "fingered", minor=False),
    "ambient": Genre(66, "none", "held", "pad", "bell", "none"),
    "classical": Genre(84, "none", "arpeggio", "strings", "flute", "none"),
    "cinematic": Genre(88, "ballad", "held", "strings", "brass", "fingered", minor=True),
    "march": Genre(112, "march", "offbeats", "brass", "brass", "fingered", minor=False),
    "lullaby": Genre(64, "none", "arpeggio", "bell", "flute", "none", minor=False),
}
_SYNONYMS: Final = {
    "rock": "indie grunge alternative britpop",
    "house": "dance club",
    "edm": "electronic electro electronica eurodance",
    "lofi": "chill chillhop study",
    "jazz": "bebop smooth",
    "folk": "acoustic singer songwriter celtic irish",
    "country": "bluegrass western",
    "classical": "orchestra orchestral symphony chamber baroque waltz",
    "cinematic": "epic trailer film soundtrack score dramatic heroic",
    "ambient": "drone meditation sleep spa relaxing newage",
    "synthwave": "retrowave vaporwave cyberpunk chiptune 8bit",
    "latin": "salsa samba cumbia tango mambo reggaeton flamenco",
    "metal": "heavy hardcore",
    "hiphop": "boombap",
    "ballad": "slowjam",
    "reggae": "ska dub",
    "dnb": "jungle",
    "march": "military fanfare",
    "gospel": "hymn choral",
}
_INSTRUMENTS: Final = {
    "piano": "piano grand pianoforte",
    "epiano": "rhodes keys keyboard wurlitzer clavinet",
    "guitar": "guitar banjo ukulele mandolin lute harp sitar koto pluck plucked bouzouki",
    "overdrive": "distorted overdrive riff",
    "strings": "strings string violin violins viola cello orchestra",
    "brass": "brass trumpet trombone horn horns tuba",
    "sax": "sax saxophone clarinet oboe",
    "organ": "organ hammond accordion",
    "flute": "flute whistle recorder piccolo panflute",
    "harmonica": "harmonica",
    "bell": "bell bells vibraphone xylophone marimba glockenspiel celesta musicbox kalimba",
    "choir": "choir chorus choral",
    "synth": "synth synthesizer lead",
    "pad": "pad pads atmospheric",
}
_PHRASES: Final = {
    "hip hop": "hiphop",
    "hip-hop": "hiphop",
    "lo-fi": "lofi",
    "lo fi": "lofi",
    "drum and bass": "dnb",
    "drum & bass": "dnb",
    "drum n bass": "dnb",
    "r&b": "rnb",
    "rhythm and blues": "rnb",
    "bossa nova": "bossa",
    "new age": "newage",
    "music box": "musicbox",
    "electric guitar": "overdrive",
    "electric piano": "epiano",
    "double bass": "upright",
    "synth wave": "synthwave",
    "boom bap": "boombap",
    "pan flute": "panflute",
    "8 bit": "8bit",
    "8-bit": "8bit",
    "female vocal": "female",
    "male vocal": "male",
    "big band": "swing",
    "brass band": "march",
}
_SAD: Final = _set("sad dark melancholic melancholy minor gloomy moody tense mysterious lonely somber angry eerie")
_HAPPY: Final = _set("happy bright joyful cheerful major uplifting sunny playful fun optimistic hopeful")
_SLOW: Final = _set("slow slowly calm gentle quiet soft peaceful sleepy downtempo largo adagio")
_FAST: Final = _set("fast quick energetic upbeat driving intense rapid powerful presto allegro")
_WOMEN: Final = _set("female woman women girl soprano alto she her")
_MEN: Final = _set("male man men boy baritone tenor bass-baritone he his")
_WET: Final = _set("reverb spacious ethereal dreamy atmospheric hall cathedral ambient wide echo")
_DRUMS: Final = _set("drum drums percussion beat beats drummer")
_VOICES: Final = _set("vocal vocals voice voices singing singer")
_NOTES: Final = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11}
_KEY: Final = re.compile(r"\b([a-g])\s?(#|sharp|b|flat)?[\s-]?(major|minor|maj|min)\b")
_BPM: Final = re.compile(r"\b(\d{2,3})\s*(?:bpm|beats per minute)\b")
_SLOWEST_BPM: Final = 40.0
_FASTEST_BPM: Final = 220.0
_GENRE_OF: Final = {word: name for name in _GENRES for word in (name, *_SYNONYMS.get(name, "").split())}
_INSTRUMENT_OF: Final = {word: name for name, words in _INSTRUMENTS.items() for word in words.split()}
_STAND_INS: Final = ("piano", "guitar", "pad", "organ", "strings", "synth", "bell", "epiano", "choir", "none")
_LEADS_ONLY: Final = frozenset({"flute", "sax", "harmonica", "brass"})


def read(prompt: str, negative: str, seed: int) -> Style:
    """Follow the words that are known; chance, by the words and the seed, decides what they leave open."""
    words, unwanted = words_of(prompt), words_of(negative)
    plain = " ".join(words)
    rng = dice("style", seed, plain)
    genres = [_GENRE_OF[word] for word in words if word in _GENRE_OF and word not in unwanted]
    offered = sorted(set(_GENRES) - {"metal", "punk", "march", "lullaby", "dubstep"})
    genre = _GENRES[genres[0] if genres else offered[int(rng.integers(len(offered)))]]
    said = set(words)
    pace = float(rng.uniform(0.96, 1.04)) * 0.85 ** bool(said & _SLOW) * 1.14 ** bool(said & _FAST)
    minor = genre.minor if genre.minor is not None else bool(rng.integers(2))
    if said & (_SAD | _HAPPY):
        minor = bool(said & _SAD)
    style = Style(
        bpm=round(genre.bpm * pace),
        root=int(rng.integers(12)),
        minor=minor,
        groove=genre.groove,
        comping=genre.comping,
        chords=genre.chords,
        lead=genre.lead,
        bass=genre.bass,
        swing=genre.swing,
        high_voice=bool(said & _WOMEN) if said & (_WOMEN | _MEN) else bool(rng.integers(2)),
        voices=not set(unwanted) & _VOICES,
        room=0.55 if said & _WET else 0.28,
        energy=0.8 if said & _SLOW else 1.15 if said & _FAST else 1.0,
    )
    return _drummed(_staffed(_exact(style, prompt.lower()), words, unwanted), words, unwanted)


def words_of(text: str) -> list[str]:
    """Give the words in small letters; names of several words become one."""
    plain = text.lower()
    for phrase, word in _PHRASES.items():
        plain = plain.replace(phrase, word)
    return re.findall(r"[a-z0-9]+", plain)


def _exact(style: Style, prompt: str) -> Style:
    """Take tempo and key where they stand in numbers and letters."""
    if tempo := _BPM.search(prompt):
        style = replace(style, bpm=min(max(float(tempo[1]), _SLOWEST_BPM), _FASTEST_BPM))
    if key := _KEY.search(prompt):
        shift = {"#": 1, "sharp": 1, "b": -1, "flat": -1}.get(key[2] or "", 0)
        style = replace(style, root=(_NOTES[key[1]] + shift) % 12, minor=key[3].startswith("min"))
    return style


def _staffed(style: Style, words: list[str], unwanted: list[str]) -> Style:
    """Give the parts to the instruments that are named, and take them from those that are not wanted."""
    named = [_INSTRUMENT_OF[word] for word in words if word in _INSTRUMENT_OF and word not in unwanted]
    barred = {_INSTRUMENT_OF[word] for word in unwanted if word in _INSTRUMENT_OF}
    players = list(dict.fromkeys(named))
    harmony = [name for name in players if name not in _LEADS_ONLY]
    chords = harmony[0] if harmony else style.chords
    lead = next((name for name in reversed(players) if name != chords), players[0] if players else style.lead)
    free = next(name for name in _STAND_INS if name not in barred)
    bass = "none" if "bass" in unwanted else "walking" if "upright" in words else style.bass
    if bass == "none" and "bass" in words and "bass" not in unwanted:
        bass = "fingered"
    return replace(style, chords=free if chords in barred else chords, lead=free if lead in barred else lead, bass=bass)


def _drummed(style: Style, words: list[str], unwanted: list[str]) -> Style:
    """Send the drummer away, or for one."""
    spared = any(first in {"no", "without"} and second in _DRUMS for first, second in pairwise(words))
    if spared or set(unwanted) & _DRUMS or "solo" in words:
        return replace(style, groove="none")
    return replace(style, groove="folk") if style.groove == "none" and set(words) & _DRUMS else style
