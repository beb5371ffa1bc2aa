"""Reports as Markdown, and as an HTML page that holds its figures and needs no other file."""

import base64
import html
import io
import re
from collections.abc import Mapping

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: auto; padding: 1rem }
table { border-collapse: collapse; display: block; overflow-x: auto; font-size: 14px;
  margin-bottom: 1rem }
th, td { border-bottom: 1px solid #ccc; padding: .3rem .7rem; text-align: left }
th { white-space: nowrap }
img { max-width: 100% } code { background: #f3f3f3; overflow-wrap: anywhere }
pre { overflow-x: auto } pre code { overflow-wrap: normal }
p:has(> img) { overflow-x: auto } p > img { max-width: max(100%, 45rem) }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; max-width: 17rem }
.wide { max-width: 35rem } figcaption { font-size: 14px; color: #444;
  overflow-wrap: anywhere }
summary { cursor: pointer; font-weight: bold }
body.numbers { max-width: 80rem } h1 { overflow-wrap: anywhere } .numbers td { white-space: nowrap }
.numbers .long { white-space: normal; overflow-wrap: anywhere; min-width: 20rem }
@media (max-width: 40rem) {
  .numbers td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 10rem }
}
"""
# Where a tag and an entity of HTML begin.
_TAG, _ENTITY = re.compile("<(?=[a-zA-Z/!?])"), re.compile(r"&(?=#?\w+;)")
# What Markdown interprets within a line: an underscore at the edge of a word, the end of a link's
# text, number signs that end a heading.
_MARKUP = re.compile(r"[\\`*]|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|#(?=#*$)")
# A cell that is no number or name, but a sentence.
_LONG_CELL = re.compile("<td>(?=[^<]{60})")
# The first bytes of the formats of pictures.
_TYPES = {b"\x89PNG": "image/png", b"RIFF": "image/webp"}


def markdown_table(table: pd.DataFrame, *, escaped: bool = False) -> str:
    """Returns a table in Markdown.

    Args:
        table: The table. Its names and cells are Markdown.
        escaped: Bool, whether foreign text in names and cells is escaped already, by `escape`.
            Default: False, HTML in them is escaped.
    """
    names = [_cell(str(name), escaped=escaped) for name in table.columns]
    rows = [names, ["---"] * table.shape[1]]
    for values in table.itertuples(index=False, name=None):
        rows.append([_cell(value, escaped=escaped) for value in values])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: object, *, escaped: bool) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else " ".join(str(value).split())
    return (text if escaped else _without_html(text)).replace("|", "\\|")


def escape(text: str) -> str:
    """Returns Markdown that shows a text as it is, on one line."""
    return _escaped(" ".join(text.split()))


def escape_sentence(text: str) -> str:
    """Returns Markdown that shows a text as it is, on one line, and words in backticks as code."""
    parts = re.split("(`[^`]+`)", " ".join(text.split()))
    return "".join(part if index % 2 else _escaped(part) for index, part in enumerate(parts))


def as_code(text: str) -> str:
    """Returns Markdown that shows a text as code, on one line."""
    text = " ".join(text.split())
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " * (len(fence) > 1)
    return f"{fence}{space}{text}{space}{fence}"


def _escaped(text: str) -> str:
    return _without_html(_MARKUP.sub(r"\\\g<0>", text))


def _without_html(text: str) -> str:
    return _TAG.sub("&lt;", _ENTITY.sub("&amp;", text))


def svg(figure: Figure, *, salt: str) -> bytes:
    """Returns a figure as SVG: the same bytes for the same figure.

    Args:
        figure: The figure.
        salt: String, from which the names within the file are made.
    """
    vector = io.BytesIO()
    # Fixes the salt and leaves out the date, so that equal rows give equal bytes.
    with mpl.rc_context({"svg.hashsalt": salt, "svg.fonttype": "path"}):
        figure.savefig(vector, format="svg", metadata={"Date": None}, bbox_inches="tight")
    return vector.getvalue()


def page(title: str, text: str, pictures: Mapping[str, bytes], *, numbers: bool = False) -> str:
    """Returns a report as an HTML page that needs no other file.

    Args:
        title: String.
        text: String, the report in Markdown.
        pictures: SVG, PNG or WebP files by name. Each takes the place of `NAME.png` in the text.
        numbers: Bool, whether the tables are of numbers, whose cells are a line each, unless they
            are long.
    """
    from markdown import markdown

    body = markdown(text, extensions=["tables", "fenced_code", "md_in_html"])
    if numbers:
        body = _LONG_CELL.sub('<td class="long">', body)
    for name, data in pictures.items():
        body = body.replace(f'src="{name}.png"', f'src="{_data_url(data)}"')
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    kind = ' class="numbers"' if numbers else ""
    start = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body{kind}>'
    return f"{start}\n{body}\n</body></html>\n"


def _data_url(data: bytes) -> str:
    kind = _TYPES.get(data[:4], "image/svg+xml")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
