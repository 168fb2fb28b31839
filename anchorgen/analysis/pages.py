"""Pages of prose with tables out of result files between markers."""

from __future__ import annotations


def fill_page(text: str, table: str, name: str = "figures") -> str:
    """`text` with the table between the markers of that name; the rest is left as it is.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"the page lacks its markers; expected a line {begin} and after it a line {end}")
    return f"{head}{begin}\n\n{table}\n\n{end}{tail}"
