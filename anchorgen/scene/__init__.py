"""The data model: a room as editable 3D object latents, and everything a person does to it."""

from anchorgen.scene.anchors import FACTORS, Anchors
from anchorgen.scene.boxes import Boxes
from anchorgen.scene.check_report import SceneCheck
from anchorgen.scene.checks import Finding
from anchorgen.scene.errors import EditError, LatentSpaceError, SceneFileError, SelectionError
from anchorgen.scene.latent import SceneLatent
from anchorgen.scene.library import Library, LibraryItem
from anchorgen.scene.object_view import ObjectView
from anchorgen.scene.selection import Selector, everything
from anchorgen.scene.steps import Step, decode_argument
from anchorgen.scene.truth import WorldTruth
from anchorgen.scene.variations import Variations

__all__ = [
    "FACTORS",
    "Anchors",
    "Boxes",
    "EditError",
    "Finding",
    "LatentSpaceError",
    "Library",
    "LibraryItem",
    "ObjectView",
    "SceneCheck",
    "SceneFileError",
    "SceneLatent",
    "SelectionError",
    "Selector",
    "Step",
    "Variations",
    "WorldTruth",
    "decode_argument",
    "everything",
]
