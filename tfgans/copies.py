"""Makes objects with caches and open files copyable and picklable."""

from typing import Any, ClassVar


class Copyable:
    """Leaves attributes out of copies and pickles that the object restores on demand.

    A subclass lists these attributes in `_transient`: compiled functions, datasets, open files and
    results computed for a model. Each has a default in the class, or is a
    `functools.cached_property`.
    """

    _transient: ClassVar[tuple[str, ...]] = ()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in self._transient}
