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
img { max-width: 100% } code { background: #f3f3f3 }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem } figure { margin: 0; max-width: 17rem }
.wide { max-width: 35rem } figcaption { font-size: 14px; color: #444 }
summary { cursor: pointer; font-weight: bold }
body.numbers { max-width: 80rem } h1 { overflow-wrap: anywhere } .numbers td { white-space: nowrap }
"""
# Where a tag and an entity of HTML begin.
_TAG, _ENTITY = re.compile("<(?=[a-zA-Z/!?])"), re.compile(r"&(?=#?\w+;)")
# The first bytes of the formats of pictures.
_TYPES = {b"\x89PNG": "image/png", b"RIFF": "image/webp"}


def markdown_table(table: pd.DataFrame) -> str:
    """Returns a table in Markdown."""
    rows = [[str(name) for name in table.columns], ["---"] * table.shape[1]]
    rows += [[_cell(value) for value in row] for row in table.itertuples(index=False, name=None)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return plain(" ".join(text.split())).replace("|", "\\|")


def plain(text: str) -> str:
    """Returns a text in which Markdown finds no HTML."""
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
        numbers: Bool, whether the tables are of numbers, whose cells are a line each.
    """
    from markdown import markdown

    body = markdown(text, extensions=["tables", "fenced_code", "md_in_html"])
    for name, data in pictures.items():
        body = body.replace(f'src="{name}.png"', f'src="{_data_url(data)}"')
    head = f'<meta charset="utf-8"><title>{html.escape(title)}</title><style>{_STYLE}</style>'
    kind = ' class="numbers"' if numbers else ""
    start = f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body{kind}>'
    return f"{start}\n{body}\n</body></html>\n"


def _data_url(data: bytes) -> str:
    kind = _TYPES.get(data[:4], "image/svg+xml")
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"
