"""What `config.json` says of the paper's encoder: which models, and sizes of the token networks that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from anchorgen.encode import dinov2, moge, sam3


@dataclass(frozen=True)
class Sam3dConfig:
    """Of each model the repository on the Hub, or a folder. SAM 3D's own place is this machine's: `sam3d.places`.

    Attributes:
        kind: tells these settings from the bundled encoder's.
        sam3: finds the objects.
        threshold: probability from which SAM 3's objects are taken.
        moge: point map and focal length; "" leaves them to SAM 3D's own depth model, of unknown scale.
        dinov2: its patches make the background token.
        dinov2_width: D, channels of these patches.
        num_patches: G, patches along a side of the picture.
        token_width: of pooling and background tokens.
        token_heads: of their attention.
        seed: of SAM 3D's sampling.
    """

    kind: Literal["sam3d"] = "sam3d"
    sam3: str = sam3.REPOSITORY
    threshold: float = 0.5
    moge: str = moge.REPOSITORY
    dinov2: str = dinov2.REPOSITORY
    dinov2_width: int = 1024
    num_patches: int = 37
    token_width: int = 512
    token_heads: int = 8
    seed: int = 0
