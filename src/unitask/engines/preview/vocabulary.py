"""The English words that the preview engine knows, apart from colours and the names of figures.

A table's key is what the scene is told, its value the words that mean it.
"""

from typing import Final


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


def _turned_round(table: dict[str, str]) -> dict[str, str]:
    return {word: name for name, words in table.items() for word in words.split()}


# Longest first: "polar bear" must be met before "bear" is.
PHRASES: Final = {
    "star sky": "starry",
    "stars": "starry",
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
    "cherry blossom tree": "pink tree",
    "cherry blossom": "pink tree",
    "cup of coffee": "cup",
    "cup of tea": "cup",
    "mug of coffee": "cup",
    "bowl of ramen": "bowl",
    "bowl of soup": "bowl",
    "bowl of rice": "bowl",
    "bowl of noodle": "bowl",
    "bowl of salad": "bowl",
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
    "village": "three house",
    "ice cube": "cube",
    "high quality": "quality",
}
OWN_COLOURS: Final = {
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
    "cloudy": "cloudy cloud overcast gloomy",
}
_PLACES: Final = {
    "mountains": "mountain mountainous alps peak himalaya hill cliff volcano canyon valley landscape",
    "city": "city cityscape skyline downtown town building tokyo york paris london manhattan cyberpunk metropolis",
    "forest": "forest wood jungle woodland rainforest grove",
    "meadow": "meadow field grass garden park countryside prairie lawn farm spring hillside pasture",
    "desert": "desert dune sahara sand savanna pyramid",
    "snow": "snow snowy winter wintry arctic antarctica ice icy glacier christmas frozen",
    "water": "sea ocean lake river water pond harbor harbour bay waterfall fjord coast island",
    "beach": "beach shore seaside tropical coastline",
    "road": "road street highway alley avenue traffic crossroad",
    "space": "space galaxy nebula cosmos cosmic universe interstellar planet orbit",
    "underwater": "underwater undersea aquarium reef",
    "room": "room bedroom kitchen indoor indoors interior office library sofa couch bed floor windowsill",
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
    "popart": "popart halftone warhol",
    "mosaic": "mosaic tile lowpoly polygon geometric",
    "sepia": "sepia vintage antique daguerreotype",
    "mono": "monochrome noir grayscale greyscale bw",
    "neon": "neon synthwave vaporwave cyberpunk",
    "dream": "dreamy dream ethereal fantasy faerie",
    "emboss": "emboss embossed relief clay sculpture marble statue",
}
_EXTRAS: Final = {
    "rainbow": "rainbow",
    "aurora": "aurora borealis",
    "sun": "sun sunny sunshine sunlight sunlit",
    "moon": "moon moonlight moonlit",
}
NUMBERS: Final = {
    "a": 1, "an": 1, "one": 1, "single": 1, "two": 2, "pair": 2, "couple": 2, "three": 3, "four": 4, "five": 5,
    "six": 6, "several": 4, "some": 3, "many": 5, "group": 4, "flock": 5, "2": 2, "3": 3, "4": 4, "5": 5, "6": 6,
}  # fmt: skip
SIZES: Final = {
    "little": 0.74, "small": 0.74, "tiny": 0.55, "mini": 0.6, "baby": 0.7, "cute": 0.95,
    "big": 1.28, "large": 1.28, "huge": 1.45, "giant": 1.55, "enormous": 1.55, "tall": 1.2, "majestic": 1.2,
}  # fmt: skip
IRREGULAR: Final = {
    "men": "man", "women": "woman", "people": "person", "children": "child", "kids": "child", "mice": "mouse",
    "wolves": "wolf", "leaves": "leaf", "puppies": "puppy", "daisies": "daisy", "butterflies": "butterfly",
}  # fmt: skip
WORN: Final = _set(
    "skirt dress shirt coat suit jacket costume outfit clothes sweater hoodie uniform robe kimono armor armour "
    "feather fur eye hair hat scarf roof sail petal wing scale leaf",
)
EMPTY: Final = _set(
    "the of in on at with and or to by for from into over under near behind beside between through up its his her "
    "their is are be it that this there very highly ultra quality best masterpiece detailed detail 4k 8k hd uhd hdr "
    "photo photograph photorealistic realistic realism picture image illustration art artwork style cinematic lighting "
    "light beautiful pretty lovely nice cute scene view wide shot close background foreground render rendering "
    "colorful colourful trending sitting standing running walking flying sleeping looking playing made make wearing "
    "holding riding as like while across against along around inside sailing",
)
HOUR_OF: Final = _turned_round(_HOURS)
WEATHER_OF: Final = _turned_round(_WEATHERS)
STYLE_OF: Final = _turned_round(_STYLES)
EXTRA_OF: Final = _turned_round(_EXTRAS)
PLACES_OF: Final = {
    word: tuple(name for name, words in _PLACES.items() if word in words.split())
    for word in " ".join(_PLACES.values()).split()
}
