"""Runs a command: parses its flags, calls it, and turns errors into a line and an exit code."""

import contextlib
import dataclasses
import os
import shlex
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from absl import flags, logging

from tfgans import quiet
from tfgans.cli.parser import MissingFlag, Parser
from tfgans.cli.wording import in_flags

_HELP = frozenset({"-h", "-help", "--help", "--helpshort", "--helpfull"})


class Exit(Exception):  # noqa: N818 (some ends are no errors)
    """Ends a command with a line on stderr and an exit code.

    Args:
        message: The line.
        code: Int, the exit code of the process.
    """

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


@contextlib.contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Turns a failed import into an `Exit` that says how to install the missing packages.

    Args:
        extra: The extra of tfgans that installs them.
    """
    from tfgans import checks

    try:
        yield
    except ImportError as error:
        raise Exit(
            f"{error}. The command needs more packages: {checks.install_command(extra)}"
        ) from error


@dataclasses.dataclass(frozen=True)
class Command:
    """A command of `tfgans`.

    Args:
        name: What follows `tfgans` on the command line.
        summary: What it does, a sentence.
        examples: Command lines, each after `tfgans NAME`.
        define: Declares the flags.
        run: Does the work with the parsed flags. What remains of the command line is the second
            argument; it is empty without `passes_on`, `operand` or `separates`.
        passes_on: Whether flags that are not declared are for another command.
        tensorflow: Whether the command uses TensorFlow with the parsed flags. Default: it does.
        action: The word that must follow the name, before the flags. Default: "", none.
        operand: The name of a required positional argument; a name that ends in "..." accepts one
            or more. `run` gets them as the rest of the command line. Default: "", none.
        separates: Whether the words after a lone `--` are left for another command.
    """

    name: str
    summary: str
    examples: tuple[str, ...]
    define: Callable[[Parser], None]
    run: Callable[[Parser, Sequence[str]], int]
    passes_on: bool = False
    tensorflow: Callable[[Parser], bool] = lambda _: True
    action: str = ""
    operand: str = ""
    separates: bool = False

    def main(self, arguments: Sequence[str] | None = None) -> int:
        """Runs the command in this process; nothing of it is left when it ends.

        Args:
            arguments: The words after the name of the command. Default: those of this process.

        Returns:
            The exit code: 0 done, 1 failed, 2 wrong flags, 128 + n ended by signal n.
        """
        try:
            code = self._main(arguments)
            sys.stdout.flush()
        except BrokenPipeError:
            # `head` and its like have read enough. At its exit Python would write the rest again.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 128 + signal.SIGPIPE
        return code

    def _main(self, arguments: Sequence[str] | None) -> int:
        words = list(sys.argv[1:] if arguments is None else arguments)
        if self.action and not _HELP.intersection(words):
            if words[:1] != [self.action]:
                return self._fail(
                    f"expected `{self._usage}`. Received: {shlex.join(words) or 'nothing'} "
                    f"(tfgans {self.name} --help lists the flags)",
                    2,
                )
            del words[0]
        parser = Parser()
        self.define(parser)
        if _HELP.intersection(words):
            sys.stdout.write(self.help(parser))
            return 0
        try:
            left = parser.parse(words, known_only=self.passes_on)
        except UnicodeDecodeError as error:
            return self._fail(f"--flagfile must name a file of text. Received: {error}", 2)
        except MissingFlag as error:
            return self._fail(f"{error}, as in: tfgans {self.name} {self.examples[0]}", 2)
        except (flags.Error, OSError) as error:
            return self._fail(f"{error} (tfgans {self.name} --help lists the flags)", 2)
        if self.operand and len(left) != 1 and not (left and self.operand.endswith("...")):
            return self._fail(
                f"expected `{self._usage}`. Received: {shlex.join(left) or 'nothing'}", 2
            )
        separated = self.separates and "--" in words and left == words[words.index("--") + 1 :]
        if left and not (self.passes_on or self.operand or separated):
            return self._fail(
                "expected flags only, as --name=value, or as '--name=value' if the value holds "
                f"spaces. Received: {shlex.join(left)}",
                2,
            )
        return self._run(parser, left)

    def help(self, parser: Parser) -> str:
        """Returns what the command does, examples, and its flags."""
        lines = [
            self.summary,
            "",
            f"Usage: {self._usage}",
            "",
            "Examples",
            *(f"  tfgans {self.name} {example}" for example in self.examples),
            "",
            parser.help(),
            "",
            "Every command",
            "  --flagfile=FILE           reads flags from a file; flags beside it have priority",
            "  --help                    prints this",
        ]
        return "\n".join(lines) + "\n"

    @property
    def _usage(self) -> str:
        words = [self.name, *self.action.split(), *self.operand.split()]
        flags_of = ["--flag=value ..."] + ["[-- --flag=value ...]"] * self.separates
        return " ".join(["tfgans", *words, *([] if self.operand else flags_of)])

    def _run(self, parser: Parser, left: Sequence[str]) -> int:
        try:
            with self._session(parser):
                return self.run(parser, left)
        except Exit as end:
            return self._fail(str(end), end.code, prefix="" if end.code > 2 else "error: ")
        except BrokenPipeError:
            raise
        except (ValueError, OSError, FloatingPointError, ImportError) as error:
            return self._fail(in_flags(str(error), parser.arguments()))
        except _memory_errors() as error:
            return self._fail(
                f"out of memory: {str(error)[:200]}. Use smaller batches, smaller networks or, in "
                "training, --accumulate_steps"
            )
        except KeyboardInterrupt:
            return self._fail("interrupted", 130)

    @contextlib.contextmanager
    def _session(self, parser: Parser) -> Iterator[None]:
        """Shows warnings as lines, starts TensorFlow, and puts back what a command changes.

        The same warning is shown once, although Python's record of those that were shown is
        cleared by each `warnings.catch_warnings`.
        """
        told: set[str] = set()
        shown, verbosity = warnings.showwarning, logging.get_verbosity()

        def show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
            text = in_flags(str(message), parser.arguments())
            if text not in told:
                told.add(text)
                tell(self.name, f"warning: {text}")

        warnings.showwarning = show_warning
        logging.set_verbosity(logging.WARNING)
        try:
            if not self.tensorflow(parser):
                yield
                return
            quiet.start_tensorflow()
            with _default_dtype_policy():
                yield
        finally:
            warnings.showwarning = shown
            logging.set_verbosity(verbosity)

    def _fail(self, message: str, code: int = 1, *, prefix: str = "error: ") -> int:
        tell(self.name, f"{prefix}{message}")
        return code


def tell(name: str, message: str) -> None:
    """Writes a line of the command `name` to stderr."""
    # File names, and what a server says, must not control the terminal.
    plain = "".join(
        letter if letter.isprintable() else repr(letter)[1:-1]
        for letter in " ".join(message.split())
    )
    sys.stderr.write(f"tfgans {name}: {plain}\n")


@contextlib.contextmanager
def interrupting_signals() -> Iterator[None]:
    """Raises KeyboardInterrupt at other signals too: the processes of the runs must end with it.

    A signal that the process ignores, as SIGHUP under `nohup`, stays ignored.
    """
    before = {
        number: signal.signal(number, _interrupt)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, _: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt(number)


def typed_command(name: str, arguments: Sequence[str]) -> str:
    """Returns the command line as in the documentation, however Python was started.

    Args:
        name: The name of the command.
        arguments: The words after it.
    """
    return shlex.join(["tfgans", name, *arguments])


def resume_command(name: str, arguments: Sequence[str]) -> str:
    """Returns the command line that continues the work of this command, for a shell.

    Args:
        name: The name of the command.
        arguments: The words after it.
    """
    program = Path(sys.argv[0])
    if program.name == "__main__.py":
        start = [sys.executable, "-m", "tfgans", name]
    elif program.parent.name == "bin" and program.suffix == ".py" and program.exists():
        start = [sys.executable, os.fspath(program)]
    else:
        start = ["tfgans", name]
    return shlex.join([*start, *arguments])


def _memory_errors() -> tuple[type[Exception], ...]:
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is None:
        return (MemoryError,)
    return (MemoryError, tensorflow.errors.ResourceExhaustedError)


@contextlib.contextmanager
def _default_dtype_policy() -> Iterator[None]:
    import keras

    policy = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(policy)
