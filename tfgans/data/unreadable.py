"""Reports files that cannot be read."""

import struct
import warnings
import zlib
from collections.abc import Mapping

# The errors of PIL on files that are damaged, or not what their name says.
ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_NUM_LISTED = 5
REMEDY = "with `skip_bad=True`"


def reason(error: BaseException) -> str:
    """Returns the fault of a file."""
    return str(error) or type(error).__name__


def report(place: str, bad: Mapping[str, str], *, num_files: int, skip_bad: bool) -> None:
    """Raises ValueError, or warns, if there are bad files; `bad` says why, by their names."""
    if not bad:
        return
    listed = "; ".join(f"{file}: {bad[file]}" for file in sorted(bad)[:_NUM_LISTED])
    more = "; ..." if len(bad) > _NUM_LISTED else ""
    summary = f"{len(bad)} of {num_files} images in {place} cannot be read ({listed}{more})"
    if len(bad) == num_files:
        raise ValueError(f"{summary}. None is left: check the files")
    if not skip_bad:
        raise ValueError(f"{summary}. Repair or remove them, or leave them out {REMEDY}")
    warnings.warn(f"{summary} and are left out", stacklevel=5)
