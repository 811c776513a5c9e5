"""docs/guide/engines.md: its tables name the engines there are, at the levels that they make."""

from support.source import ROOT, text_of
from support.texts import blocks, section, tables
from unitask.catalogue import Catalogue
from unitask.engines import installed, remote
from unitask.spec.product import Recipe

GUIDE = text_of(ROOT / "docs/guide/engines.md") or ""
RECIPES: list[Recipe] = [recipe for product in Catalogue.load() for recipe in product.recipes]


def test_the_table_of_engines_is_complete() -> None:
    """Every engine of this machine and every kind of provider, with the level of most of its recipes."""
    (rows,) = tables(section(GUIDE, "The engines"))
    levels = {name.strip(" `"): row[1] for row in rows for name in row[0].split(",")}
    assert set(levels) == {*installed(), *remote()}
    for recipe in RECIPES:
        assert f"`{recipe.level}`" in levels[recipe.engine], recipe.engine


def test_the_setting_that_turns_stand_ins_off_names_all_others() -> None:
    """None that makes previews, and every other that is no provider."""
    (line,) = (block.body for block in blocks(GUIDE) if "UNITASK_ENGINES" in block.body)
    stand_ins = {recipe.engine for recipe in RECIPES if recipe.level == "preview"}
    assert set(line.strip().partition("=")[2].split(",")) == set(installed()) - stand_ins
