"""Write docs/reference/ from the code: `make reference`. A test compares the pages with what this gives."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
from pydantic.fields import FieldInfo
from reference_routes import routes_page

from unitask.api.openapi_webhooks import EVENTS, STATES
from unitask.api.wording import BEFORE_ROUTES, FAILURES, LEVELS, REFUSALS, STATUSES, Refusal
from unitask.cli import commands, speaking
from unitask.kit.errors import TaskFailure
from unitask.settings import PROVIDER_KEYS, Settings

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs" / "reference"
WRITTEN: Final = "This page is written by `make reference` from the code, so that it cannot say anything else.\n"
GROUPS: Final = {
    "data": "The server and its database",
    "api_key": "Keys and tokens",
    "prices": "Prices and providers",
    "trusted_proxies": "Behind a reverse proxy",
    "store": "Where files lie, and what they carry",
    "keep_days": "How long things are kept, and how large they may be",
    "slots": "Workers and engines",
    "allow_private_networks": "Requests",
    "max_attempts": "Tasks",
    "log_level": "Log",
}
"""The headings of the settings, each by the first setting below it in the order of the code."""
OTHERS: Final = {
    f"{PROVIDER_KEYS}NAME": "The key of the provider with this name in the file of providers, in capital letters: "
    f"`{PROVIDER_KEYS}HUB` for `hub`.",
    "UNITASK_ADDRESS": "For clients and the commands that are clients: the server to speak to. Default: "
    "`http://127.0.0.1:8000`. Their key is `UNITASK_API_KEY`.",
    "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION": "The bucket's, where ours are not set.",
    "HF_ENDPOINT, HF_TOKEN": "For `unitask models pull`: a mirror of the hub; a token for models that ask for one.",
    "RAY_AUTH_MODE, RAY_USAGE_STATS_ENABLED": "Ray's own, for `unitask cluster run`: see the guide to workers on Ray.",
}
UNITS: Final = ((2**30, "GiB"), (2**20, "MiB"))
KINDS: Final = {
    "str": "text",
    "SecretStr": "secret text",
    "int": "whole number",
    "float": "number",
    "bool": "`1` or `0`",
}


def pages() -> dict[str, str]:
    """Write every page, by the name of its file."""
    return {
        "api.md": routes_page(),
        "commands.md": commands_page(),
        "errors.md": errors_page(),
        "events.md": events_page(),
        "settings.md": settings_page(),
    }


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table; bars, stars and the like in a cell stay what they are."""
    lines = [head, ["---"] * len(head), *(map(plain, row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def plain(text: str) -> str:
    """Let a text say in Markdown what it says; what is set as code in it is left, but for bars."""
    parts = re.split(r"(`[^`]*`)", text.replace("|", "\\|"))
    return "".join(part if part.startswith("`") else re.sub(r"([*<\[])", r"\\\1", part) for part in parts)


def settings_page() -> str:
    """Write every setting with its default and meaning."""
    parts = [
        "# Settings\n",
        (
            "For whoever runs a server or a worker. All settings come from the environment, and a wrong value stops "
            f"the start with a sentence. `unitask doctor` shows which are in force.\n\n{WRITTEN}"
        ),
    ]
    rows: list[list[str]] = []
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            rows = []
            parts += [f"## {GROUPS[name]}\n", rows]
        rows.append([f"`UNITASK_{name.upper()}`", kind(field), default(field), field.description or ""])
    parts += [
        "## Other variables\n",
        table(
            ["variable", "meaning"],
            [[", ".join(f"`{one}`" for one in names.split(", ")), text] for names, text in OTHERS.items()],
        ),
    ]
    head = ["setting", "takes", "default", "meaning"]
    return "\n".join(part if isinstance(part, str) else table(head, part) for part in parts)


def kind(field: FieldInfo) -> str:
    """Say what a setting takes."""
    written = re.sub(r"\b(?:\w+\.)+", "", str(field.annotation)).removeprefix("<class '").removesuffix("'>")
    if choices := re.fullmatch(r"Literal\[(.*)\]", written):
        return " or ".join(f"`{one}`" for one in re.findall(r"'(\w+)'", choices[1]))
    written = written.removesuffix(" | None")
    if written.startswith("tuple"):
        return "list, by commas"
    if written.startswith("dict"):
        return "`name=number`, by commas"
    found = KINDS.get(written, "path" if written == "Path" else "")
    if not found:
        raise ValueError(f"say in KINDS what a setting of the type {written} takes")
    bounds = {
        name: getattr(one, name) for one in field.metadata for name in ("ge", "le", "min_length") if hasattr(one, name)
    }
    least, most, shortest = (bounds.get(name) for name in ("ge", "le", "min_length"))
    if least is not None and most is not None:
        return f"{found}, {least} to {most}"
    if least is not None:
        return f"{found}, {least} or more"
    return f"{found}, {shortest} characters or more" if shortest else found


def default(field: FieldInfo) -> str:
    """Write a default as it would be set; nothing for what has none."""
    if field.default in (None, "", (), {}):
        return ""
    if not isinstance(field.default, int | float):
        return f"`{field.default}`"
    size = next(
        (f" ({field.default // of} {unit})" for of, unit in UNITS if field.default and not field.default % of), ""
    )
    return f"`{field.default:g}`" if isinstance(field.default, float) else f"`{int(field.default)}`{size}"


def commands_page() -> str:
    """Write every command with its options."""
    parts = [
        "# Commands\n",
        (
            "For whoever types `unitask`. Commands that look after a server work on its database, with the settings of "
            "the environment; those that order and follow tasks speak HTTP to the server at `UNITASK_ADDRESS`.\n"
        ),
        WRITTEN,
        (
            "Every command ends with 0 when it did its work, with 2 when it was called wrongly, and else with "
            f"{speaking.REFUSED}; what else there is for programs stands in the guide to the "
            "[command line](../guide/command-line.md).\n"
        ),
    ]
    parts += [text for path, command in walked(commands, ("unitask",)) for text in described(path, command)]
    return "\n".join(parts)


def walked(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Give every command that does something, with the words that call it."""
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in sorted(command.list_commands(context)):
        inner = command.get_command(context, name)
        if inner is not None and not inner.hidden:
            yield from walked(inner, (*path, name))


def described(path: tuple[str, ...], command: click.Command) -> list[str]:
    """Write one command: what it does, how it is called, what its options mean."""
    context = click.Context(command, info_name=" ".join(path))
    if not command.help:
        raise ValueError(f"{' '.join(path)} has no help")
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    paragraphs = [" ".join(one.split()) for one in command.help.replace("\b", "").split("\n\n")]
    texts = [f"## {' '.join(path)}\n", plain("\n\n".join(paragraphs)) + "\n", f"```text\n{usage}\n```\n"]
    rows = [option(one, context) for one in command.params if isinstance(one, click.Option) and not one.hidden]
    return [*texts, table(["option", "meaning"], rows)] if rows else texts


def option(parameter: click.Option, context: click.Context) -> list[str]:
    """Write one option with its help as `--help` shows it."""
    record = parameter.get_help_record(context)
    if record is None or not parameter.help:
        raise ValueError(f"{context.info_name} {parameter.opts[-1]} has no help")
    return [f"`{record[0]}`", record[1]]


def errors_page() -> str:
    """Write every refusal, every way in which a task fails, and the states of a task."""
    missing = {one for one in subclasses(TaskFailure) if one.__module__ == TaskFailure.__module__} - set(FAILURES)
    if missing:
        raise ValueError(f"say in api/wording.py why these happen: {missing}")
    return "\n".join(
        [
            "# Errors\n",
            (
                "For whoever writes a client: every answer that is no success, every way in which a task fails, and "
                f"what to change.\n\n{WRITTEN}"
            ),
            "## Refused requests\n",
            (
                "The HTTP status is the code in the body, `{code, data, message}`, and the message is a sentence for "
                "people. Where an order is refused with 400, 500 or 503, `data` is a task that failed, with the same "
                "sentence in `error.message`, because clients look there.\n"
            ),
            table(["status", "when", "what to change"], map(refusal, REFUSALS.values())),
            "Before a route is found:\n",
            table(["status", "when", "what to change"], map(refusal, BEFORE_ROUTES.values())),
            "## Tasks that failed\n",
            (
                f"A task that failed has `error.code` {TaskFailure.number}; every other task has 0. `error.message` is "
                "the sentence for people, `error.raw_message` what the engine or provider said. Nothing is charged.\n"
            ),
            table(["kind", "what happened", "what to change"], [[f"`{one.code}`", *FAILURES[one]] for one in FAILURES]),
            "The kinds are for reading: on the wire the sentence tells them apart.\n",
            "## States of a task\n",
            table(["status", "meaning"], [[f"`{name}`", text] for name, text in STATUSES.items()]),
            "## Levels of a result\n",
            "`meta.engine_level` says how real a result is.\n",
            table(["level", "meaning"], [[f"`{name}`", text] for name, text in LEVELS.items()]),
        ]
    )


def subclasses(parent: type) -> Iterator[Any]:
    """Give all classes below a class."""
    for one in parent.__subclasses__():
        yield one
        yield from subclasses(one)


def refusal(one: Refusal) -> list[str]:
    """Write the row of a refusal."""
    return [str(one.status), one.when, one.change]


def events_page() -> str:
    """Write the events of webhooks and the states of their messages."""
    return "\n".join(
        [
            "# Webhook events\n",
            (
                "For whoever receives webhooks: which messages there are, and where each stands. What a message holds "
                "and how to verify it is explained in the guide to [webhooks](../guide/webhooks.md).\n"
            ),
            WRITTEN,
            "## Events\n",
            "`config.webhook_config.events` of an order names those that are wanted, without `task.`.\n",
            table(["event", "told when"], [[f"`{name}`", text] for name, text in EVENTS.items()]),
            "## States of a message\n",
            "`GET /api/v1/webhooks/deliveries` lists messages, also by state.\n",
            table(
                ["state", "meaning"], [[f"`{name}`", f"{text[0].upper()}{text[1:]}."] for name, text in STATES.items()]
            ),
        ]
    )


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
        print(os.path.relpath(FOLDER / name))


if __name__ == "__main__":
    main()
