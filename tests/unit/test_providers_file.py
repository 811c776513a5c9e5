"""A file of providers and routes that cannot be used stops the start, with a sentence that names the place."""

from dataclasses import replace
from pathlib import Path

import pytest

from unitask.catalogue import Catalogue
from unitask.settings import Settings, WrongSetting

GOOD = '[provider.hub]\nengine = "upstream"\nurl = "http://127.0.0.1:9"\n'
ROUTE = '[[route]]\nproducts = ["Qubico/flux1-dev"]\n'


def load(folder: Path, text: str) -> Settings:
    """Read settings with this file."""
    path = folder / "providers.toml"
    path.write_text(text)
    return Settings.load(data=folder, providers=path)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("[provider", ["Expected"]),
        ("[providers.hub]", ["providers: Extra inputs are not permitted"]),
        ('[provider.hub]\nengine = "nobody"', ["provider.hub: no engine 'nobody'", "upstream"]),
        ("[provider.nobody]", ["provider.nobody: no engine 'nobody'"]),
        ('[provider.hub]\nengine = "preview"', ["provider.hub: no engine 'preview'"]),
        ('[provider.Hub]\nengine = "upstream"', ["provider.Hub: a name is small letters, digits and dashes"]),
        ('[provider.preview]\nengine = "upstream"', ["provider.preview: an engine of this name runs on this machine"]),
        ("[provider.comfyui]", ["provider.comfyui: url is missing"]),
        ('[provider.hub]\nengine = "upstream"\nurl = "ftp://x"', ["provider.hub.url: "]),
        ('[provider.hub]\nengine = "upstream"\nurl = "http://user@host"', ["provider.hub.url: "]),
        (f"{GOOD}wait_s = 3", ["provider.hub.wait_s: Extra inputs are not permitted"]),
        (f"{GOOD}at_once = 0", ["provider.hub.at_once: "]),
        (f"{GOOD}limit_s = 0", ["provider.hub.limit_s: "]),
        (f'{GOOD}recipes = "not-there"', ["provider.hub: recipes: there is no ", "not-there"]),
        (f'{GOOD}products = ["Qubico/nothing"]', ["'Qubico/nothing' is no product"]),
        (f'{GOOD}costs = {{ "Qubico/nothing" = "1" }}', ["'Qubico/nothing' is no product"]),
        (f'{GOOD}costs = {{ "*" = "a lot" }}', ["a lot"]),
        (f'{GOOD}costs = {{ "*" = "-1" }}', ["-1"]),
        (f"{GOOD}{ROUTE}order = []", ["route.0.order: "]),
        (f'{GOOD}{ROUTE}order = ["nobody"]', ["route: no engine 'nobody'; there are: ", "hub"]),
        (f'{GOOD}{ROUTE}order = [{{ engine = "hub", cost_at_most = "much" }}]', ["route.0.order.0", "much"]),
        (f'{GOOD}{ROUTE}order = [{{ engine = "hub", when = 1 }}]', ["route.0.order.0", "Extra inputs"]),
        (
            f'{GOOD}{ROUTE}order = [{{ engine = "hub", at_most = {{ wide = 1024 }} }}]',
            ["route: 'wide' is no field of Qubico/flux1-dev"],
        ),
        (f'{GOOD}[[route]]\nproducts = ["Qubico/nothing"]\norder = ["hub"]', ["'Qubico/nothing' is no product"]),
        (f'{GOOD}[[route]]\norder = ["hub"]', ["route.0.products: Field required"]),
    ],
)
def test_a_wrong_file_names_the_place(tmp_path: Path, text: str, sentences: list[str]) -> None:
    """And the setting that names the file, in one sentence."""
    with pytest.raises(WrongSetting) as wrong:
        load(tmp_path, text).products_here()
    said = str(wrong.value)
    assert said.startswith(f"UNITASK_PROVIDERS is wrong: {tmp_path / 'providers.toml'}: ")
    for sentence in sentences:
        assert sentence in said


def test_a_file_that_is_not_there_is_a_wrong_setting(tmp_path: Path) -> None:
    """It was meant to be read."""
    with pytest.raises(WrongSetting, match="UNITASK_PROVIDERS is wrong: "):
        Settings.load(data=tmp_path, providers=tmp_path / "not-there.toml").products_here()


@pytest.mark.parametrize(("line", "limits_s"), [("", [1800, 3600]), ("limit_s = 60", [60, 60])])
def test_the_operator_s_limit_counts_whatever_the_product_has(tmp_path: Path, line: str, limits_s: list[int]) -> None:
    """Also where that is less; without one a product has the usual time, or its own where that is longer."""
    routing = load(tmp_path, f"{GOOD}{line}").routing()
    product = Catalogue.load().by_key("Qubico/flux1-dev/txt2img")
    known = Catalogue.of([replace(product, model=f"at-most-{limit_s}", limit_s=limit_s) for limit_s in (120, 3600)])
    recipes = [recipe for one in routing.apply(known) for recipe in one.recipes if recipe.engine == "hub"]
    assert [recipe.limit_s for recipe in recipes] == limits_s


def test_keys_come_from_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under the provider's name; a file with a key in it is refused, and the sentence does not repeat it."""
    monkeypatch.setenv("UNITASK_KEY_MY_HUB", "sk-of-my-hub")
    provider = load(tmp_path, GOOD.replace("hub", "my-hub")).routing().providers["my-hub"]
    assert provider.key is not None
    assert provider.key.get_secret_value() == "sk-of-my-hub"
    assert "sk-of-my-hub" not in repr(provider)
    with pytest.raises(WrongSetting, match=r"provider.hub.key: Extra inputs") as wrong:
        load(tmp_path, f'{GOOD}key = "sk-in-the-file"').routing()
    assert "sk-in-the-file" not in str(wrong.value)
