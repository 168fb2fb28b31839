"""`VariationsPanel`: what to ask of the prior, and the gallery of what it gave."""

from __future__ import annotations

from typing import Any

import ipywidgets

from anchorgen_widgets.building import button, close_all, field, filling, side_by_side, with_class
from anchorgen_widgets.names import display_names
from anchorgen_widgets.resampling import RESAMPLE_TARGETS
from anchorgen_widgets.sampling import SceneSampler
from anchorgen_widgets.slot_rows import SlotRow
from anchorgen_widgets.variation_gallery import VariationGallery

MAX_DETAILS = 4


class VariationsPanel:
    """Attributes:
    target, strength, seed, count: what to resample, how much, which draw, and how many to choose from.
    resample: takes one sample; choose: samples `count` to choose from.
    gallery: those.
    box: the container to put on the page.
    """

    def __init__(self) -> None:
        self.target = ipywidgets.Dropdown(options=RESAMPLE_TARGETS, layout=filling())
        self.strength = ipywidgets.FloatSlider(value=0.6, min=0.0, max=1.0, step=0.05, layout=filling())
        self.seed = ipywidgets.IntText(value=0, layout=filling())
        self.count = ipywidgets.BoundedIntText(value=6, min=1, max=24, layout=filling())
        self.target.observe(lambda change: setattr(self.strength, "disabled", change["new"] == "released"), "value")
        self.resample = button("Resample", "random", "Take one sample of the prior", style="primary")
        self.choose = button("Show several", "th", "Sample several scenes to choose from")
        self.gallery = VariationGallery(thumb_px=92, columns=3)
        rows = [
            field("what", self.target),
            field("strength", self.strength),
            side_by_side(field("seed", self.seed), field("how many", self.count)),
            with_class(ipywidgets.HBox([self.resample, self.choose]), "ag-toolbar"),
            self.gallery,
        ]
        self.box = with_class(ipywidgets.VBox(rows), "ag-variations")

    @property
    def asked(self) -> dict[str, Any]:
        """`target`, `strength` and `seed`, as `EditorSession.resample` takes them."""
        return {"target": self.target.value, "strength": self.strength.value, "seed": self.seed.value}

    def show(self, sampler: SceneSampler) -> None:
        """The gallery of the variations there are, best first, and what is sure and unsure over them."""
        summary, variations = sampler.summary, sampler.variations
        if summary is None:
            self.gallery.clear()
            return
        details = []
        for number, problems in enumerate(summary.problems):
            changes = [str(f"{change.name} {change.kind}") for change in summary.changes(number) if change.slot >= 0]
            more = ["…"] if len(changes) > MAX_DETAILS else []
            wrong = [f"{problems} problem{'s' if problems > 1 else ''}"] if problems else []
            details.append("\n".join([*wrong, *changes[:MAX_DETAILS], *more]))
        captions = [f"seed {sampler.first_seed + number}" for number in range(len(variations))]
        pictures = [variation.picture for variation in variations]
        self.gallery.show(pictures, captions, [int(k) for k in summary.order], details)
        self.gallery.show_slots(_slot_rows(sampler))
        if sampler.taken >= 0:
            self.gallery.taken = sampler.taken

    def close(self) -> None:
        close_all(self.box)


def _slot_rows(sampler: SceneSampler) -> list[SlotRow]:
    """Rows of the slots over which the variations differ."""
    summary = sampler.summary
    if summary is None:
        return []
    names = display_names(summary.base)
    rows = []
    for slot in range(summary.base.num_slots):
        share, spread = float(summary.presence_share[slot]), float(summary.position_spread_m[slot])
        look = float(summary.appearance_spread[slot])
        if share and (share < 1 or spread > 1e-6 or look > 1e-6):
            name = names.get(summary.base.ids[slot], "") or f"slot {slot}"
            rows.append(SlotRow(name, share, spread, look))
    return rows
