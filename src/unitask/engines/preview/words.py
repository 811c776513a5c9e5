"""From a prompt to what is to be seen: the hour, the weather, the place, the figures with their colours, the style.

It knows a few hundred English words and no grammar; what it does not know is kept in `unknown`.
"""

import re
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Final

from unitask.engines.preview.colours import NAMED, RGB
from unitask.engines.preview.figures import Figure, find

# Longest first: "polar bear" must be met before "bear" is.
_PHRASES: Final = {
    "golden hour": "sunset",
    "blue hour": "dusk",
    "black and white": "monochrome",
    "northern lights": "aurora",
    "milky way": "galaxy",
    "outer space": "space",
    "polar bear": "white bear",
    "teddy bear": "brown teddy",
    "hot air balloon": "balloon",
    "space ship": "rocket",
    "space shuttle": "rocket",
    "spacecraft": "rocket",
    "snow man": "snowman",
    "light house": "lighthouse",
    "wind mill": "windmill",
    "pine tree": "pine",
    "fir tree": "pine",
    "christmas tree": "pine",
    "palm tree": "palm",
    "cherry blossom": "pink tree",
    "oil painting": "oil",
    "watercolor painting": "watercolor",
    "watercolour painting": "watercolour",
    "ink painting": "ink",
    "oil paint": "oil",
    "pixel art": "pixel",
    "8 bit": "pixel",
    "line art": "ink",
    "comic book": "comic",
    "pop art": "popart",
    "low poly": "lowpoly",
    "stained glass": "mosaic",
    "ice cream": "cake",
    "flying saucer": "ufo",
    "spider man": "superhero red",
    "bat man": "superhero black",
    "super man": "superhero blue",
    "under water": "underwater",
    "under the sea": "underwater",
    "coral reef": "underwater",
    "living room": "room",
    "village": "houses",
    "ice cube": "cube",
    "high quality": "quality",
}
_OWN_COLOURS: Final = {
    "spiderman": "red blue superhero",
    "superman": "blue red superhero",
    "batman": "black grey superhero",
    "ironman": "red gold robot",
    "hulk": "green superhero",
}
_HOURS: Final = {
    "day": "day daytime noon midday daylight",
    "dawn": "dawn sunrise morning daybreak",
    "sunset": "sunset dusk evening twilight sundown autumn autumnal",
    "night": "night midnight nighttime moon moonlight moonlit starry stars cyberpunk neon aurora firefly halloween",
}
_WEATHERS: Final = {
    "rain": "rain rainy raining drizzle",
    "storm": "storm stormy thunder thunderstorm lightning hurricane",
    "snowfall": "snowing snowfall snowstorm blizzard snowflake",
    "fog": "fog foggy mist misty haze hazy",
    "cloudy": "cloudy overcast gloomy grey-sky",
}
_PLACES: Final = {
    "mountains": "mountain mountainous alps peak himalaya hill cliff volcano canyon valley landscape",
    "city": "city cityscape skyline skyscraper downtown town building tokyo york paris london manhattan cyberpunk metropolis",
    "forest": "forest wood jungle woodland rainforest grove",
    "meadow": "meadow field grass garden park countryside prairie lawn farm spring hillside pasture",
    "desert": "desert dune sahara sand savanna pyramid",
    "snow": "snow snowy winter wintry arctic antarctica ice icy glacier christmas frozen",
    "water": "sea ocean lake river water pond harbor harbour bay waterfall fjord coast island",
    "beach": "beach shore seaside tropical coastline",
    "road": "road street highway alley avenue traffic crossroad",
    "space": "space galaxy nebula cosmos cosmic universe interstellar planet orbit",
    "underwater": "underwater undersea aquarium reef deep-sea",
    "room": "room bedroom kitchen indoor indoors house-interior interior office library sofa couch bed floor windowsill",
    "table": "table desk breakfast cafe restaurant",
    "studio": "studio backdrop portrait headshot product mockup",
}
_STYLES: Final = {
    "pencil": "pencil sketch drawing graphite charcoal sketched",
    "ink": "ink lineart manga engraving woodcut",
    "watercolour": "watercolor watercolour aquarelle",
    "oil": "oil impressionist impressionism gogh monet painterly acrylic painting",
    "cartoon": "cartoon comic anime ghibli disney pixar toon cel",
    "pixel": "pixel pixelart pixelated 8bit 16bit minecraft voxel",
    "popart": "popart halftone warhol retro-print",
    "mosaic": "mosaic tile lowpoly polygon geometric",
    "sepia": "sepia vintage antique daguerreotype old-fashioned",
    "mono": "monochrome noir grayscale greyscale bw",
    "neon": "neon synthwave vaporwave cyberpunk",
    "dream": "dreamy dream soft ethereal fantasy faerie",
    "emboss": "emboss embossed relief clay sculpture marble statue",
}
_EXTRAS: Final = {
    "rainbow": "rainbow",
    "aurora": "aurora borealis",
    "sun": "sun sunny sunshine sunlight sunlit",
    "moon": "moon moonlight moonlit",
}
_NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "pair": 2, "couple": 2, "three": 3, "four": 4, "five": 5, "six": 6,
    "several": 4, "some": 3, "many": 5, "group": 4, "flock": 5, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6,
}  # fmt: skip
_SIZES: Final = {
    "little": 0.74, "small": 0.74, "tiny": 0.55, "mini": 0.6, "baby": 0.7, "cute": 0.95,
    "big": 1.28, "large": 1.28, "huge": 1.45, "giant": 1.55, "enormous": 1.55, "tall": 1.2, "majestic": 1.2,
}  # fmt: skip
_IRREGULAR: Final = {
    "men": "man", "women": "woman", "people": "person", "children": "child", "kids": "child", "mice": "mouse",
    "wolves": "wolf", "leaves": "leaf", "puppies": "puppy", "daisies": "daisy", "butterflies": "butterfly",
}  # fmt: skip
_WORN: Final = frozenset(
    "skirt dress shirt coat suit jacket costume outfit clothes sweater hoodie uniform robe kimono armor armour "
    "feather fur eye hair hat scarf roof sail petal wing scale leaf".split(),
)
_EMPTY: Final = frozenset(
    "the of in on at with and or to by for from into over under near behind beside between through up its his her "
    "their is are be it that this there very highly ultra quality best masterpiece detailed detail 4k 8k hd uhd hdr "
    "photo photograph photorealistic realistic realism picture image illustration art artwork style cinematic lighting "
    "light beautiful pretty lovely nice cute scene view wide shot close background foreground render rendering "
    "colorful colourful trending sitting standing running walking flying sleeping looking playing made make wearing "
    "holding riding as like while across against along around inside sailing".split(),
)
_MOST_FIGURES: Final = 7


def _turned_round(table: dict[str, str]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in words.split()}


_HOUR_OF, _WEATHER_OF = _turned_round(_HOURS), _turned_round(_WEATHERS)
_STYLE_OF, _EXTRA_OF = _turned_round(_STYLES), _turned_round(_EXTRAS)
_PLACES_OF: Final = {
    word: tuple(name for name, words in _PLACES.items() if word in words.split())
    for word in " ".join(_PLACES.values()).split()
}


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
    plain = unicodedata.normalize("NFKD", prompt.lower())
    plain = "".join(sign for sign in plain if not unicodedata.combining(sign))
    plain = re.sub(r"[-_'’]+", " ", plain)
    for phrase, word in _PHRASES.items():
        plain = re.sub(rf"\b{phrase}(s?)\b", word, plain)
    for word, instead in _OWN_COLOURS.items():
        plain = re.sub(rf"\b{word}\b", instead, plain)
    return [words for part in re.split(r"[,.;:!?\n]+", plain) if (words := re.findall(r"\w+", part))]


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
        for word in words:
            if not self._adjective(word):
                self._noun(word, _singular(word))
        self._end()

    def _adjective(self, word: str) -> bool:
        if word in NAMED:
            self._colours.append(NAMED[word])
        elif word in _NUMBERS:
            self._count = _NUMBERS[word]
        elif word in _SIZES:
            self._scale = _SIZES[word]
        else:
            return False
        return True

    def _noun(self, word: str, singular: str) -> None:
        found = find(word) or find(singular)
        if found:
            self._figure(found, plural=find(word) is None)
        elif singular in _WORN and self._mine:
            self._dress()
        elif singular == "sky":
            self._wish.sky = self._take_colour() or self._wish.sky
            _add(self._wish.places, "sky")
        elif not self._setting(word, singular) and word not in _EMPTY:
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
            self._wish.hour = _HOUR_OF.get(kind, self._wish.hour)
            self._wish.weather = _WEATHER_OF.get(kind, self._wish.weather)
            places = _PLACES_OF.get(kind, ())
            _add(self._wish.places, *places)
            _add(self._wish.styles, *filter(None, [_STYLE_OF.get(kind)]))
            _add(self._wish.extras, *filter(None, [_EXTRA_OF.get(kind)]))
            if places and self._colours:
                self._wish.land = self._take_colour()
            known |= any(kind in table for table in (_HOUR_OF, _WEATHER_OF, _PLACES_OF, _STYLE_OF, _EXTRA_OF))
        return known

    def _take_colour(self) -> RGB | None:
        colour = self._colours[0] if self._colours else None
        self._colours = []
        return colour

    def _end(self) -> None:
        del self._wish.wanted[_MOST_FIGURES:]
        self._wish.mood.extend(self._colours)


def _add(to: list[str], *names: str) -> None:
    to.extend(name for name in names if name not in to)


def _singular(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("ies") and len(word) > 4:  # noqa: PLR2004 - not "lies"
        return word[:-3] + "y"
    if word.endswith(("shes", "ches", "xes", "sses")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word
