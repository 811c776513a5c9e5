"""`unitask run`, `unitask watch`: from words to files."""

import itertools
import sys
from pathlib import Path
from typing import Any

import click

from unitask.cli import inputs
from unitask.cli.progress import Progress
from unitask.cli.speaking import INTERRUPTED, as_json, plain, print_document, print_line, say, with_client
from unitask_sdk import Client, Conflict, Event, File, Task, TaskFailed


def _place(_: click.Context, __: click.Parameter, value: str | None) -> Path | None:
    """Make the folder that results go into, before anything is ordered; `out/` is a folder, too."""
    if value is None:
        return None
    path = Path(value)
    try:
        (path if value.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise click.BadParameter(f"{value}: {error.strerror}") from None
    return path


_output = click.option(
    "-o", "--output", callback=_place, metavar="PATH", help="Save the result here: a file, or a folder for all files."
)
_timeout = click.option(
    "--timeout", "timeout_s", type=click.FloatRange(min=0), metavar="S", help="Stop waiting after so many seconds."
)


def destinations(files: tuple[File, ...], output: Path) -> list[Path]:
    """Say where each file goes: into a folder under its own name, else under the name that is given.

    The ending is that of the file that was made; a name that an earlier file has taken gets a number: `cat-2.png`.
    """
    folder = output if output.is_dir() else output.parent
    found: list[Path] = []
    for file in files:
        own = Path(file.name)
        stem, suffix = (own.stem, own.suffix) if output.is_dir() else (output.stem, own.suffix or output.suffix)
        taken = {path.stem for path in found}
        stems = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
        found.append(folder / f"{next(one for one in stems if one not in taken)}{suffix}")
    return found


def _saved(client: Client, task: Task, output: Path | None) -> list[str]:
    """Save the files of a result where they are wanted, if they are; gives their names."""
    paths = destinations(task.files, output) if output else []
    for file, path in zip(task.files, paths, strict=False):
        try:
            client.download(file.url, path)
        except OSError as error:
            raise click.ClickException(f"{path} cannot be written: {error.strerror}; see {file.url}") from None
    return [str(path) for path in paths]


def _finish(client: Client, task: Task, output: Path | None, *, json: bool) -> None:
    """Save and print the result of a task, or end with what went wrong.

    Raises:
        TaskFailed: it has no result.

    """
    saved = _saved(client, task, output)
    if json:
        print_document({**task.raw, "saved": saved})
    if not task.completed:
        raise TaskFailed(task)
    if json:
        return
    for warning in task.warnings:
        say(f"note: {warning}")
    for line in saved or [file.url for file in task.files]:
        click.echo(plain(line))


def _follow(client: Client, task: Task, timeout_s: float | None) -> Task:
    """Show how far a task is until it has ended. Who interrupts is asked whether it is to be cancelled."""
    progress = Progress(sys.stderr)
    try:
        return client.wait(task, timeout_s=timeout_s, progress=progress)
    except KeyboardInterrupt:
        progress.end()
        _interrupted(client, task)
        sys.exit(INTERRUPTED)
    finally:
        progress.end()


def _interrupted(client: Client, task: Task) -> None:
    goes_on = f"The task {task.id} goes on; see it with: unitask watch {task.id}"
    if sys.stdin.isatty():
        try:
            if not click.confirm("Cancel the task?", default=True, err=True):
                say(goes_on)
                return
        except (click.Abort, KeyboardInterrupt):
            say(f"\n{goes_on}")
            return
    try:
        say(of_cancel(client.cancel(task)))
    except Conflict as error:
        say(str(error))


def of_cancel(task: Task) -> str:
    """Say what came of a cancel: a task that runs ends a moment later."""
    return f"{task.id}: {'cancelled' if task.finished else 'is being cancelled'}"


@click.command()
@click.argument("model")
@click.argument("text", required=False)
@click.option("-t", "--task-type", help="What the model is to do. Default: the one that takes what is given.")
@click.option(
    "-i", "--input", "pairs", multiple=True, metavar="NAME=VALUE", help="An input; a local file where a file is due."
)
@click.option("--input-json", metavar="JSON", help="Inputs as one object; - reads it from standard input.")
@_output
@_timeout
@click.option("--detach", is_flag=True, help="Order, print the task's id, and do not wait.")
@as_json
@with_client
def run(  # noqa: PLR0917 - click names them
    client: Client,
    model: str,
    text: str | None,
    task_type: str | None,
    pairs: tuple[str, ...],
    input_json: str | None,
    output: Path | None,
    timeout_s: float | None,
    *,
    detach: bool,
    as_json: bool,
) -> None:
    """Order a task and wait for its result.

    MODEL may leave out the vendor: flux1-dev. TEXT is the prompt, or the one text that the product needs.
    """
    given = inputs.given_inputs(pairs, sys.stdin.read() if input_json == "-" else input_json)
    offer = inputs.pick(inputs.offers(client), model, task_type, set(given), text=text is not None)
    order = inputs.order(offer, text, given, client.upload)
    task = client.create(offer.model, offer.task_type, order)
    if detach:
        print_document(task.raw) if as_json else click.echo(task.id)
        return
    say(f"{task.model} {task.task_type}: task {task.id}")
    _finish(client, _follow(client, task, timeout_s), output, json=as_json)


@click.command()
@click.argument("task_id", metavar="ID")
@_output
@_timeout
@as_json
@with_client
def watch(client: Client, task_id: str, output: Path | None, timeout_s: float | None, *, as_json: bool) -> None:
    """Follow a task to its end. To stop following does not stop the task.

    With --json: one line for each change; the last one has the whole task.
    """
    progress = Progress(sys.stderr)
    try:
        if as_json:
            task = _printed(client, task_id, timeout_s)
        else:
            task = client.wait(task_id, timeout_s=timeout_s, progress=progress)
    except KeyboardInterrupt:
        progress.end()
        say(f"The task {task_id} goes on.")
        sys.exit(INTERRUPTED)
    finally:
        progress.end()
    if not as_json:
        _finish(client, task, output, json=False)
    elif task.completed:
        _saved(client, task, output)
    else:
        raise TaskFailed(task)


def _printed(client: Client, task_id: str, timeout_s: float | None) -> Task:
    """Print each change of a task on a line; gives the task at its end."""
    for event in client.events(task_id, timeout_s=timeout_s):
        print_line(_event(event))
        if event.task is not None:
            return event.task
    return client.get(task_id)


def _event(event: Event) -> dict[str, Any]:
    """Write an event as the server does, also where it was found by asking."""
    told = {
        "status": event.status,
        "progress": event.progress,
        "queue_position": event.queue_position,
        "eta_s": event.eta_s,
        "preview_url": event.preview_url,
    }
    return told | ({"task": event.task.raw} if event.task else {})
