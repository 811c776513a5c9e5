"""What is said of a file that a recipe made."""

from collections.abc import Sequence

from unitask import __version__
from unitask.kit.media import CONTENT_TYPES
from unitask.provenance.manifest import Said
from unitask.provenance.sources import Source, source_of
from unitask.spec.product import Recipe

_KEEPS: frozenset[Source] = frozenset({Source.ENHANCED, Source.SYNTHETIC, Source.WITH_TRAINED})


def statement(recipe: Recipe, model: str, extension: str, inputs: Sequence[str], *, has_media: bool) -> Said:
    """Say it; `extension` and `inputs` are those of the file and of what it was made of.

    A file counts as an edited one if it keeps something of a single file of its own kind.
    """
    source = source_of(recipe, has_media=has_media)
    kinds = [_kind(one) for one in inputs]
    edited = source in _KEEPS and kinds == [_kind(extension)]
    return Said(source=source, release=__version__, engine=recipe.engine, model=model, edited=edited)


def _kind(extension: str) -> str:
    return CONTENT_TYPES.get(extension, extension).partition("/")[0]
