"""From a prompt to what is to be seen: the hour, the weather, the place, the figures with their colours, the style.

No grammar: adjectives wait for the next noun. Words that are not known are kept in `unknown`.
"""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Final

from unitask.engines.preview.colours import NAMED, RGB
from unitask.engines.preview.figures import Figure, find
from unitask.engines.preview.tongues import english
from unitask.engines.preview.vocabulary import (
    EMPTY,
    EXTRA_OF,
    HOUR_OF,
    IRREGULAR,
    NUMBERS,
    OWN_COLOURS,
    PHRASES,
    PLACES_OF,
    SIZES,
    STYLE_OF,
    WEATHER_OF,
    WORN,
)

_MOST_WANTED: Final = 7
_KANA_VOICING: Final = 8
"""The combining class of the marks that make another Japanese syllable: no accents to be left out."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A figure that the prompt names: how many, how large (1 is usual), in which colours."""

    figure: Figure
    count: int = 1
    scale: float = 1.0
    colours: tuple[RGB, ...] = ()


@dataclass(slots=True)
class Wish:
    """What a prompt asks for. Empty strings and lists: the prompt does not say."""

    hour: str = ""
    weather: str = ""
    places: list[str] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    extras: list[str] = field(default_factory=list)
    styles: list[str] = field(default_factory=list)
    sky: RGB | None = None
    land: RGB | None = None
    mood: list[RGB] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def has_scene(self) -> bool:
        """Whether anything is asked for that can be drawn."""
        return bool(self.hour or self.weather or self.places or self.wanted or self.extras)


def read(prompt: str, negative: str = "") -> Wish:
    """Understand what can be understood; what the negative prompt names is left out."""
    wish = Wish()
    for clause in _clauses(prompt):
        _Clause(wish).read(clause)
    if negative.strip():
        _leave_out(wish, read(negative))
    return wish


def _clauses(prompt: str) -> list[list[str]]:
    plain = _without_accents(prompt.lower())
    plain = english(re.sub(r"[-_'\u2019]+", " ", plain))
    for phrase, word in PHRASES.items():
        plain = re.sub(rf"\b{phrase}(s?)\b", rf"{word}\1", plain)
    for word, instead in OWN_COLOURS.items():
        plain = re.sub(rf"\b{word}\b", instead, plain)
    return [words for part in re.split(r"[,.;:!?\n]+", plain) if (words := re.findall(r"\w+", part))]


def _without_accents(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    kept = "".join(sign for sign in apart if unicodedata.combining(sign) in {0, _KANA_VOICING})
    return unicodedata.normalize("NFC", kept)


def _leave_out(wish: Wish, unwanted: Wish) -> None:
    names = {item.figure.name for item in unwanted.wanted}
    wish.wanted = [item for item in wish.wanted if item.figure.name not in names]
    wish.places = [place for place in wish.places if place not in unwanted.places]
    wish.extras = [extra for extra in wish.extras if extra not in unwanted.extras]
    wish.styles = [style for style in wish.styles if style not in unwanted.styles]
    if wish.hour == unwanted.hour:
        wish.hour = ""
    if wish.weather == unwanted.weather:
        wish.weather = ""


class _Clause:
    """Reads the words between two commas: colours, sizes and numbers wait for the next noun."""

    def __init__(self, wish: Wish) -> None:
        self._wish = wish
        self._colours: list[RGB] = []
        self._count = 0
        self._scale = 1.0
        self._mine: list[int] = []

    def read(self, words: list[str]) -> None:
        """Take the words one by one."""
        for word in words:
            if not self._adjective(word):
                self._noun(word, _singular(word))
        self._end()

    def _adjective(self, word: str) -> bool:
        if word in NAMED:
            self._colours.append(NAMED[word])
        elif word in NUMBERS:
            self._count = NUMBERS[word]
        elif word in SIZES:
            self._scale = SIZES[word]
        else:
            return False
        return True

    def _noun(self, word: str, singular: str) -> None:
        found = find(word) or find(singular)
        if found:
            self._figure(found, plural=find(word) is None)
        elif singular in WORN and self._mine:
            self._dress()
        elif singular == "sky":
            self._wish.sky = self._take_colour() or self._wish.sky
            _add(self._wish.places, "sky")
        elif not self._setting(word, singular) and word not in EMPTY:
            self._wish.unknown.append(word)

    def _figure(self, found: Figure, *, plural: bool) -> None:
        count = max(self._count, 3 if plural and self._count < 2 else 1)  # noqa: PLR2004 - a plural is at least two
        self._mine.append(len(self._wish.wanted))
        self._wish.wanted.append(Wanted(found, count, self._scale, tuple(self._colours)))
        self._colours, self._count, self._scale = [], 0, 1.0

    def _dress(self) -> None:
        last = self._mine[-1]
        before = self._wish.wanted[last]
        self._wish.wanted[last] = replace(before, colours=before.colours + tuple(self._colours))
        self._colours = []

    def _setting(self, word: str, singular: str) -> bool:
        known = False
        for kind in (word, singular):
            self._wish.hour = HOUR_OF.get(kind, self._wish.hour)
            self._wish.weather = WEATHER_OF.get(kind, self._wish.weather)
            places = PLACES_OF.get(kind, ())
            _add(self._wish.places, *places)
            _add(self._wish.styles, *filter(None, [STYLE_OF.get(kind)]))
            _add(self._wish.extras, *filter(None, [EXTRA_OF.get(kind)]))
            if places and self._colours:
                self._wish.land = self._take_colour()
            known |= any(kind in table for table in (HOUR_OF, WEATHER_OF, PLACES_OF, STYLE_OF, EXTRA_OF))
        return known

    def _take_colour(self) -> RGB | None:
        colour = self._colours[0] if self._colours else None
        self._colours = []
        return colour

    def _end(self) -> None:
        del self._wish.wanted[_MOST_WANTED:]
        self._wish.mood.extend(self._colours)


def _add(to: list[str], *names: str) -> None:
    to.extend(name for name in names if name not in to)


def _singular(word: str) -> str:
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004 - not "lies"
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
