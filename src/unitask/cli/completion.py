"""`unitask completion`."""

import click
from click.shell_completion import get_completion_class

_PROGRAM = "unitask"
_SHELLS = ("bash", "zsh", "fish")
_HELP = """Print a script that completes the commands in a shell.

\b
bash, in ~/.bashrc:                   eval "$(unitask completion bash)"
zsh, in ~/.zshrc:                     eval "$(unitask completion zsh)"
fish, in ~/.config/fish/config.fish:  unitask completion fish | source
"""


@click.command(help=_HELP)
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the script."""
    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - click has all three
    script = kind(context.find_root().command, {}, _PROGRAM, f"_{_PROGRAM.upper()}_COMPLETE")
    click.echo(script.source_template % script.source_vars())
