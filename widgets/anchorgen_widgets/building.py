"""What the panels of the editor are built of."""

from __future__ import annotations

from typing import TypeVar

import ipywidgets

AnyWidget = TypeVar("AnyWidget", bound=ipywidgets.DOMWidget)


def button(text: str, icon: str, tooltip: str = "", style: str = "") -> ipywidgets.Button:
    """A button as wide as its text."""
    width = {"width": "auto"}
    return ipywidgets.Button(description=text, icon=icon, tooltip=tooltip or text, button_style=style, layout=width)


def field(name: str, control: ipywidgets.DOMWidget) -> ipywidgets.HBox:
    """A control with its name before it."""
    label = ipywidgets.Label(name, layout={"width": "68px", "flex": "0 0 auto"})
    return ipywidgets.HBox([label, control])


def side_by_side(*fields: ipywidgets.DOMWidget) -> ipywidgets.HBox:
    """Fields in one row, each as wide as the others."""
    for one in fields:
        one.layout.flex, one.layout.min_width = "1 1 0", "0"
    return ipywidgets.HBox(fields)


def filling() -> ipywidgets.Layout:
    """As wide as there is room."""
    return ipywidgets.Layout(width="auto", flex="1 1 auto", min_width="0")


def with_class(box: AnyWidget, name: str) -> AnyWidget:
    box.add_class(name)
    return box


def close_all(widget: ipywidgets.Widget) -> None:
    """Closes a container with all that is in it."""
    for child in getattr(widget, "children", ()):
        close_all(child)
    widget.close()
