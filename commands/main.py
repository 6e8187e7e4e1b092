"""The ``flyball`` command: names and one-line summaries here, everything else loaded on use."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

import click

from flyball.errors import FlyballError

# Command name -> module of this package that holds `command`. Loading one command must not load
# the libraries of another: `flyball status` works without the training extra.
COMMANDS: dict[str, str] = {
    "console": "console",
    "dataset": "dataset",
    "decide": "decide",
    "demo": "demo",
    "digest": "digest",
    "effects": "effects",
    "experiment": "experiment",
    "features": "features",
    "feedback": "feedback",
    "import": "importing",
    "kill": "kill",
    "models": "models",
    "notice": "notice",
    "override": "override",
    "promote": "promote",
    "publish": "publish",
    "retrain": "retrain",
    "rollback": "rollback",
    "serve": "serve",
    "shadow": "shadow",
    "sidecar": "sidecar",
    "simulate": "simulate",
    "status": "status",
    "token": "tokens",
    "train": "train",
    "user": "user",
    "watch": "watch",
    "webhook": "webhook",
}

#: Extras that a missing library belongs to, for the error that says what to install.
_EXTRA_OF = dict.fromkeys(
    ("lightgbm", "matplotlib", "mlflow", "onnx", "onnxmltools", "pandas", "scipy", "sklearn"),
    "train",
) | {"ibis": "compile", "sqlglot": "compile", "jupytext": "notebook", "nbclient": "notebook"}


class LazyGroup(click.Group):
    """A click group that imports a command's module only when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands, sorted."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return one command; None if there is no such command."""
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = importlib.import_module(f"commands.{module}").command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(file_okay=False),
    envvar="FLYBALL_HOME",
    default=".flyball",
    show_default=True,
    show_envvar=True,
    help="Directory that holds everything Flyball keeps.",
)
@click.version_option(package_name="flyball")
@click.pass_context
def cli(ctx: click.Context, home: str) -> None:
    """The governor on an API gateway's throttle."""
    from pathlib import Path

    from flyball.home import Home

    ctx.obj = Home(Path(home).absolute())


def _fail(message: str, hint: str, code: int) -> int:
    click.echo(f"flyball: {message}" + (f"\n  {hint}" if hint else ""), err=True)
    return code


def _call(argv: Sequence[str] | None) -> object:
    try:
        return cli.main(args=argv, prog_name="flyball", standalone_mode=False)
    except Exception as error:
        # Libraries that compute, are being imported or call back into Python turn Ctrl-C into
        # errors of their own, each in its way.
        if _INTERRUPTS or str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; expected errors become two clear lines."""
    try:
        # `--once` and `status --json` are piped: stdout carries results, stderr everything else.
        result = _call(argv)
    except (Exception, KeyboardInterrupt) as error:
        return _told(error)
    return result if isinstance(result, int) else 0


def _told(error: BaseException) -> int:
    """Tell the user what happened; the exit code. What nobody expected is raised again."""
    match error:
        case FlyballError():
            return _fail(error.message, error.hint, error.exit_code)
        case click.ClickException():
            error.show()
            return error.exit_code
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort() | KeyboardInterrupt():
            return _fail(
                "interrupted.", "Nothing acknowledged is lost; run the command again.", 130
            )
        case BrokenPipeError():
            # The reader went away (`flyball status | head`); that is not our error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        case ModuleNotFoundError() if extra := _EXTRA_OF.get((error.name or "").split(".")[0]):
            return _fail(f"{error.name} is not installed.", f"pip install 'flyball[{extra}]'", 1)
    raise error


#: Ctrl-C so far. A list, because a handler must not take locks.
_INTERRUPTS: list[int] = []


def _interrupt(number: int, frame: FrameType | None) -> None:
    _INTERRUPTS.append(number)
    signal.default_int_handler(number, frame)


def main() -> None:
    """Entry point of the ``flyball`` script."""
    # Started in the background by a script it is ignored, and stays so.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)
    sys.exit(run())
