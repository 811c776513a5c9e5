"""Where media come from, in the words of IPTC, and the rule that says it of a result.

Definitions: https://cv.iptc.org/newscodes/digitalsourcetype/. The rule, as in docs/guide/provenance.md:

    made by                             nothing of the client's         over the client's media
    a trained model                     trainedAlgorithmicMedia         compositeWithTrainedAlgorithmicMedia
    a classical algorithm (`basic`)     algorithmicMedia                compositeSynthetic
      that `changes_little`             algorithmicMedia                algorithmicallyEnhanced
    a drawing (`preview`)               algorithmicMedia                algorithmicMedia

What an input says of itself is never made less: see `over`.
"""

import re
from collections.abc import Collection, Iterable
from enum import StrEnum
from typing import Final

from unitask.spec.product import Recipe

VOCABULARY: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_NAMED: Final = re.compile(rb"cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{1,64})")


class Source(StrEnum):
    """The kinds of sources that results have."""

    TRAINED = "trainedAlgorithmicMedia"
    WITH_TRAINED = "compositeWithTrainedAlgorithmicMedia"
    SYNTHETIC = "compositeSynthetic"
    DRAWN = "algorithmicMedia"
    ENHANCED = "algorithmicallyEnhanced"

    @property
    def uri(self) -> str:
        """The name that files carry."""
        return VOCABULARY + self


GENERATED: Final = frozenset({*Source, "dataDrivenMedia", "virtualRecording"} - {Source.ENHANCED})
"""The kinds that mean: no camera and no microphone took this, or not all of it."""
_AI: Final = {Source.TRAINED, Source.WITH_TRAINED}
_OF_ITS_INPUTS: Final = {Source.ENHANCED, Source.SYNTHETIC}
"""What is nothing but its inputs, changed or joined, and no more than they are."""
_OURS_ALONE: Final = frozenset({"speech"})
"""The makes that hear or see the client's media and put nothing of them into the result."""
STRONGEST_FIRST: Final = (Source.TRAINED, Source.WITH_TRAINED, Source.SYNTHETIC, Source.DRAWN, Source.ENHANCED)


def source_of(recipe: Recipe, *, has_media: bool) -> Source:
    """Say where a result of a recipe comes from; `has_media`: the client gave some to work on.

    >>> source_of(Recipe("cpu", "basic", "face_swap"), has_media=True).value
    'compositeSynthetic'
    >>> source_of(Recipe("cpu", "basic", "upscale", changes_little=True), has_media=True).value
    'algorithmicallyEnhanced'
    """
    if recipe.level == "full" or recipe.weights:
        return Source.WITH_TRAINED if has_media else Source.TRAINED
    if recipe.level == "preview" or not has_media or recipe.make in _OURS_ALONE:
        return Source.DRAWN
    return Source.ENHANCED if recipe.changes_little else Source.SYNTHETIC


def over(made: Source, inputs: Collection[str]) -> Source:
    """Say where a result comes from whose inputs say this of themselves, an empty text where one says nothing.

    >>> over(Source.ENHANCED, ["trainedAlgorithmicMedia"]).value
    'trainedAlgorithmicMedia'
    >>> over(Source.ENHANCED, ["trainedAlgorithmicMedia", ""]).value
    'compositeWithTrainedAlgorithmicMedia'
    """
    said = set(inputs)
    if made in _AI:
        return made
    if said & _AI:
        return Source.TRAINED if made in _OF_ITS_INPUTS and said == {Source.TRAINED} else Source.WITH_TRAINED
    if made in _OF_ITS_INPUTS and said & GENERATED:
        return Source.DRAWN if said == {Source.DRAWN} else Source.SYNTHETIC
    return made


def named(content: bytes) -> str:
    """Find the strongest source that a text of any form names, else the first of another kind, else nothing."""
    return named_in([name.decode() for name in _NAMED.findall(content)])


def named_in(names: Iterable[str]) -> str:
    """Find the strongest of these sources, empty names aside."""
    found = [name for name in names if name]
    return next((source for source in STRONGEST_FIRST if source in found), found[0] if found else "")
