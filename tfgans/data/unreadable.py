"""Reports files that cannot be read."""

import struct
import warnings
import zlib
from collections.abc import Mapping

from tfgans.data.image_store import ImageStore

# The errors of PIL on files that are damaged, or not what their name says.
ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)
_NUM_LISTED = 5
REMEDY = "with `skip_bad=True`"


def reason(error: BaseException) -> str:
    """Returns the fault of a file."""
    return str(error) or type(error).__name__


def report(store: ImageStore, bad: Mapping[int, str], num_images: int, *, skip_bad: bool) -> None:
    """Raises ValueError, or warns, if some of `num_images` are bad; `bad` says why, by place."""
    if not bad:
        return
    reasons = {store.title(place): bad[place] for place in bad}
    listed = "; ".join(f"{name}: {reasons[name]}" for name in sorted(reasons)[:_NUM_LISTED])
    more = "; ..." if len(bad) > _NUM_LISTED else ""
    summary = f"{len(bad)} of {num_images} images in {store.place} cannot be read ({listed}{more})"
    if len(bad) == num_images:
        raise ValueError(f"{summary}. None is left: check the files")
    if not skip_bad:
        raise ValueError(f"{summary}. Repair or remove them, or leave them out {REMEDY}")
    warnings.warn(f"{summary} and are left out", stacklevel=5)
