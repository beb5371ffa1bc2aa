"""The paths of TensorFlow Serving's REST API."""

import re
import urllib.parse
from typing import NamedTuple

from tfgans.serving.client.rest_format import InvalidRequestError

_MODEL = r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
_POST = re.compile(rf"{_MODEL}:(classify|regress|predict)", re.IGNORECASE | re.ASCII)
_GET = re.compile(rf"{_MODEL}(?:/(metadata))?", re.IGNORECASE | re.ASCII)
_METHODS = ("classify", "regress", "predict")
_LAST_VERSION = 2**63 - 1


class Address(NamedTuple):
    """What a request is about.

    Attributes:
        method: String, "classify", "regress", "predict", "metadata" or "status".
        model: String, the model's name.
        version: Int, or None if the request has none.
        label: String, or None if the request has none.
    """

    method: str
    model: str
    version: int | None
    label: str | None

    def __str__(self) -> str:
        """The model and version as in TensorFlow Serving's errors."""
        if self.label is not None:
            return f"Label({self.model}, {self.label})"
        if self.version is not None:
            return f"Specific({self.model}, {self.version})"
        return f"Latest({self.model})"


def parse_address(http_method: str, path: str) -> Address:
    """Returns the address of a request under /v1/, of which `path` is still percent-encoded.

    Raises:
        InvalidRequestError: If TensorFlow Serving does not know such a request.
    """
    if http_method == "GET" and path.lower() == "/v1/models":
        raise InvalidRequestError("Missing model name in request.")
    pattern = {"GET": _GET, "POST": _POST}.get(http_method)
    match = pattern and pattern.fullmatch(path)
    # Unlike the rest of the path, the method counts by case.
    if match is None or (http_method == "POST" and match[4] not in _METHODS):
        raise InvalidRequestError(f"Malformed request: {http_method} {path}")
    model, digits, label, method = match.groups()
    # TensorFlow Serving compares "metadata" by case, and answers the status otherwise.
    if http_method == "GET" and method != "metadata":
        method = "status"
    # `int` refuses more than some thousands of digits.
    if digits is not None and (len(digits) > 99 or int(digits) > _LAST_VERSION):
        raise InvalidRequestError(f"Failed to convert version: {digits:.40} to numeric.")
    return Address(
        method,
        urllib.parse.unquote(model),
        None if digits is None else int(digits),
        None if label is None else urllib.parse.unquote(label),
    )
