"""Objects that can be copied and pickled although they keep what cannot."""

from typing import Any, ClassVar


class Copyable:
    """A copy, or a pickle, leaves out what the object makes again when it needs it.

    A subclass names these attributes in `_left_out`: compiled functions, datasets, open files,
    what was computed for a model. Each has a default in the class, or is a
    `functools.cached_property`.
    """

    _left_out: ClassVar[tuple[str, ...]] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._left_out}
