"""Puts errors of the library, which name arguments, into terms of flags."""

import contextlib
import re
from collections.abc import Iterator, Mapping

# A call, whose arguments are left alone; `name` or `name=value` in backticks; name=value as a word
# of its own, not in a path or in the name of a run of a sweep.
_ARGUMENT = re.compile(
    r"\w\([^()]*\)"
    r"|`(?P<quoted>\w+)(?:=(?P<quoted_value>[^`()]+))?`"
    r"|(?:(?<= )|\A(?=\w+='))(?P<bare>\w+)=(?P<bare_value>'[^']*'|(?>[\w.+-]*\w)(?![,:/=]\S))"
)
_ABSENT = re.compile(r"(--\w+) must be None\b")


def in_flags(text: str, flags: Mapping[str, str]) -> str:
    """Returns an error with flags in place of arguments.

    >>> in_flags("`cache` is for folders. Received: cache='disk'", {"cache": "cache"})
    '--cache is for folders. Received: --cache=disk'

    Args:
        text: The error.
        flags: The name of the flag for each argument that has one; other arguments stay.
    """

    def replaced(match: re.Match[str]) -> str:
        argument = match["quoted"] or match["bare"]
        if argument not in flags:
            return match[0]
        return _flag(flags[argument], match["quoted_value"] or match["bare_value"])

    return _ABSENT.sub(r"\1 must be left out", _ARGUMENT.sub(replaced, text))


def _flag(name: str, value: str | None) -> str:
    if value is None or value == "True":
        return f"--{name}"
    if value == "False":
        return f"--no{name}"
    if value == "None":
        return f"no --{name}"
    return f"--{name}=" + value.strip("'")


@contextlib.contextmanager
def errors_in_flags(flags: Mapping[str, str]) -> Iterator[None]:
    """Raises a ValueError of the block with flags in place of arguments; see `in_flags`."""
    try:
        yield
    except ValueError as error:
        raise ValueError(in_flags(str(error), flags)) from error
