"""`unitask models`, and `list|pull|import|check|remove|train-demo` of it."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click
import orjson

from unitask.api.admin_board import served
from unitask.catalogue import Catalogue
from unitask.cli.catalogue import choices
from unitask.engines import installed
from unitask.kit.errors import Unavailable
from unitask.settings import Settings
from unitask.weights import License, Shelf
from unitask.weights.arrival import bring_in, in_words, pull
from unitask.weights.hub import Hub
from unitask.weights.parcel import Parcel, find, own_loras, parcels, with_bases
from unitask.weights.terms import Terms
from unitask.weights.upkeep import damages, remove

_ACCEPT: Final = click.option("--accept-license", is_flag=True, help="Accept the licences without being asked.")


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
@click.pass_context
def models(context: click.Context, *, as_json: bool) -> None:
    """Show at which level each model is made here, and how to get more; list, get, check and remove weights."""
    if context.invoked_subcommand is not None:
        return
    made = _made()
    if as_json:
        click.echo(orjson.dumps(made, option=orjson.OPT_INDENT_2))
        return
    for one in made:
        level = f"{one['level']} by {one['engine']}" if one["level"] else "not here"
        click.echo(f"{one['model']:28} {level:20} {', '.join(one['task_types'])}")
        if one["missing"]:
            click.echo(f"{'':28} {'better with' if one['level'] else 'needs'}: {one['missing']}")
    click.echo("All weights: unitask models list")


def _made() -> list[dict[str, Any]]:
    """Tell of each model what makes it here, with the task types that are made alike in one entry."""
    alike: dict[tuple[str, str | None, str | None, str | None], list[str]] = {}
    for product, choice in choices(Settings.load()):
        level, engine = (choice.recipe.level, choice.recipe.engine) if choice.recipe else (None, None)
        alike.setdefault((product.model, level, engine, choice.missing or None), []).append(product.task_type)
    return [
        {"model": model, "task_types": task_types, "level": level, "engine": engine, "missing": missing}
        for (model, level, engine, missing), task_types in alike.items()
    ]


def _shelf() -> Shelf:
    return Shelf(Settings.load().models_folder)


def _entry(parcel: Parcel, products: list[str], terms: Terms) -> dict[str, Any]:
    manifest = parcel.read()
    size = sum(one.size_bytes for one in manifest.files.values()) if manifest else parcel.disk_bytes
    return {
        "id": parcel.name,
        "title": parcel.title,
        "installed": parcel.is_here,
        "folder": str(parcel.root(manifest)) if manifest else None,
        "revision": manifest.revision if manifest else None,
        "bytes": size,
        "repository": parcel.repository,
        "base": parcel.base or None,
        "license": parcel.license.model_dump() | {"accepted": terms.accepted(parcel.license)},
        "products": products,
    }


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="As JSON, with repositories, folders and licences in full.")
def list_(*, as_json: bool) -> None:
    """List all weights with their licence, what of them is here, and which products they serve."""
    shelf = _shelf()
    terms = Terms(shelf.folder)
    products = served(shelf, Catalogue.load())
    entries = [_entry(one, products.get(one.name, []), terms) for one in parcels(shelf).values()]
    if as_json:
        click.echo(orjson.dumps(entries, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"Weights in {shelf.folder}")
    for entry in entries:
        state = "here" if entry["installed"] else "missing, about"
        restricted = " (restricted)" if entry["license"]["forbids"] else ""
        size = in_words(entry["bytes"])
        click.echo(f"{entry['id']:30} {state:>14} {size:>8}  {entry['license']['name']}{restricted}")
        if entry["products"]:
            click.echo(f"{'':30} for {', '.join(entry['products'])}")
    for name in own_loras(shelf):
        click.echo(f"{name:30} {'here':>14} {'':8}  put there by hand")


@models.command("pull")
@click.argument("names", nargs=-1, required=True, metavar="ID|lora:FAMILY/NAME...")
@_ACCEPT
def pull_(names: tuple[str, ...], *, accept_license: bool) -> None:
    """Get weights from the hub, with those that they lean on if not here. A broken download goes on where it stopped.

    HF_ENDPOINT names a mirror, HF_TOKEN opens what asks for an account.
    """
    shelf = _shelf()
    needed = [one for name in names for one in with_bases(shelf, find(shelf, name))]
    wanted = {one.name: one for one in needed if one.name in names or not one.is_here}
    _agree(shelf, wanted.values(), accepted=accept_license)
    hub = Hub()
    for parcel in wanted.values():
        siblings = [one for one in parcels(shelf).values() if one.name != parcel.name]
        manifest = pull(parcel, hub, siblings, click.echo)
        click.echo(f"{parcel.name}: complete at {manifest.revision} in {parcel.folder}")


@models.command("import")
@click.argument("name", metavar="ID")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--link", is_flag=True, help="Leave the files where they are instead of copying them.")
@_ACCEPT
def import_(name: str, folder: Path, *, link: bool, accept_license: bool) -> None:
    """Take weights from a folder: a copy of the repository, or a model's folder of another Unitask."""
    shelf = _shelf()
    parcel = find(shelf, name)
    _agree(shelf, [parcel], accepted=accept_license)
    manifest = bring_in(parcel, folder, link=link, say=click.echo)
    click.echo(f"{parcel.name}: complete in {parcel.root(manifest)}")
    if parcel.base and (lacks := shelf.lacks((parcel.base,))):
        click.echo(f"It leans on {parcel.base}: {lacks}")


@models.command()
@click.argument("names", nargs=-1, metavar="[ID|lora:FAMILY/NAME...]")
def check(names: tuple[str, ...]) -> None:
    """Read all weights that are here, or those named, and compare them with what came."""
    shelf = _shelf()
    named = [find(shelf, name) for name in names]
    wanted = named or [one for one in parcels(shelf).values() if one.lies.exists()]
    troubles = 0
    for parcel in wanted:
        found = list(damages(parcel))
        troubles += len(found)
        for sentence in found or ["as it came"]:
            click.echo(f"{parcel.name}: {sentence}")
    if not wanted:
        click.echo(f"No weights are in {shelf.folder}; see: unitask models list")
    sys.exit(1 if troubles else 0)


@models.command("remove")
@click.argument("name", metavar="ID|lora:FAMILY/NAME")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also if other weights that are here lean on it.")
def remove_(name: str, *, yes: bool, force: bool) -> None:
    """Remove weights; files that were only linked stay."""
    shelf = _shelf()
    parcel = find(shelf, name)
    if not yes:
        _confirm(f"Remove {parcel.name} from {shelf.folder}?", "--yes")
    remove(parcel, shelf, force=force)
    click.echo(f"{parcel.name} is removed.")


@models.command("train-demo")
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=60, show_default=True, help="How long.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="What all chance comes from.")
@click.option(
    "--prompts", type=click.IntRange(min=1), default=504, show_default=True, help="How many it is tried with."
)
def train_demo(*, minutes: float, seed: int, prompts: int) -> None:
    """Train the demo model here from nothing: a Flux of a few megabytes that paints coloured shapes.

    Broken off, it goes on where it was. At the end it is tried with prompts that it never saw, and put onto the shelf.
    """
    if lacks := installed()["demo"].missing():
        raise Unavailable(f"the demo model cannot be trained here: {lacks}")
    for library in ("DIFFUSERS", "TRANSFORMERS"):
        os.environ.setdefault(f"{library}_VERBOSITY", "error")  # what they warn of is not the operator's
    from unitask.demo.delivery import trained  # noqa: PLC0415 - imports torch

    trained(Settings.load().models_folder, minutes=minutes, seed=seed, prompts=prompts, say=click.echo)


def _agree(shelf: Shelf, wanted: Iterable[Parcel], *, accepted: bool) -> None:
    """Show every licence, and have those accepted that forbid something and were not yet."""
    terms = Terms(shelf.folder)
    under: dict[License, list[str]] = {}
    for parcel in wanted:
        under.setdefault(parcel.license, []).append(parcel.name)
    for given, names in under.items():
        about = f"{', '.join(names)}: {given.name}{f', {given.url}' if given.url else ''}"
        click.echo(about)
        if terms.accepted(given):
            continue
        click.echo(f"  It forbids: {given.forbids}")
        if not accepted:
            _confirm("  Do you accept this licence?", "--accept-license")
        terms.accept(given)


def _confirm(question: str, option: str) -> None:
    """Ask a person; where there is none, say how to answer beforehand."""
    try:
        if click.confirm(question):
            return
    except click.Abort:
        click.echo()
    raise Unavailable(f"nothing was done; to answer yes without being asked, use {option}")
