"""What the scripts share: flags, and errors of one line."""

import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import quiet  # noqa: F401

import tensorflow as tf
from absl import app, flags, logging


def run(main: Callable[[], None]) -> None:
    """Parses the flags and calls `main`; what the user can mend becomes one line on stderr.

    Exit codes: 0 done, 1 failed, 2 wrong flags, 128 + n ended by signal n.
    """
    app.run(lambda _: _guarded(main), flags_parser=_parse)


def fail(message: str, code: int = 1) -> NoReturn:
    """Ends the script with one line that says what is wrong."""
    end(f"error: {message}", code)


def end(message: str, code: int) -> NoReturn:
    """Ends the script with one line."""
    _tell(message)
    sys.exit(code)


def flagfile(*left_out: str) -> str:
    """Returns the values of this script's flags as the text of a file for --flagfile."""
    lines = [
        flag.serialize()
        for module, defined in flags.FLAGS.flags_by_module_dict().items()
        for flag in defined
        if not module.startswith(("absl.", "tensorflow")) and flag.name not in left_out
    ]
    return "".join(f"{line}\n" for line in lines if line)


def _tell(message: str) -> None:
    # Names of files and what a server says must not steer the terminal.
    plain = "".join(
        one if one.isprintable() else repr(one)[1:-1] for one in " ".join(message.split())
    )
    sys.stderr.write(f"{Path(sys.argv[0]).name}: {plain}\n")


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    _tell(f"warning: {message}")


def _parse(arguments: list[str]) -> list[str]:
    asks_for_help = any(argument.lstrip("-").startswith("help") for argument in arguments[1:])
    try:
        left = app.parse_flags_with_usage(arguments) if asks_for_help else flags.FLAGS(arguments)
    except (flags.Error, OSError) as error:
        fail(f"{error} (--helpshort lists the flags)", 2)
    if left[1:]:
        fail(f"expected flags only, as --name=value. Received: {' '.join(left[1:])}", 2)
    return left


def _guarded(main: Callable[[], None]) -> None:
    if not flags.FLAGS["verbosity"].present:
        logging.set_verbosity(logging.WARNING)
    warnings.showwarning = _show_warning
    try:
        main()
    except (ValueError, OSError, FloatingPointError, ImportError) as error:
        fail(str(error))
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        fail(f"the memory does not suffice: {str(error)[:200]}. Ask for less")
    except KeyboardInterrupt:
        fail("interrupted", 130)
