"""Errors of edits against decoders whose errors are known: a perfect one, one that ignores the edit, one in between."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from anchorgen.analysis.edit_errors import EditError, change_figures, edit_error, edit_figures
from anchorgen.analysis.evaluation_choice import EDITS
from anchorgen.analysis.metrics import psnr

SIZE = 32
BEFORE = np.full((SIZE, SIZE, 3), 100, np.uint8)
MASK = np.zeros((SIZE, SIZE), bool)
MASK[8:16, 8:16] = True
AFTER = np.where(MASK[..., None], 180, BEFORE).astype(np.uint8)


def measured(edited, unedited=BEFORE, floor=AFTER, mask=MASK, edit="move") -> EditError:
    return edit_error(0, edit, AFTER, mask, *([np.asarray(x, np.uint8)] for x in (edited, unedited, floor)))


def test_a_perfect_decoder_has_no_gap():
    error = measured(AFTER)
    assert error.gap_db == 0 and error.psnr_db == 60
    assert error.gain_db == pytest.approx(60 - psnr(BEFORE, AFTER, MASK))
    assert error.collateral_db == 60


def test_copying_the_source_gains_nothing_and_spoils_nothing():
    error = measured(BEFORE)
    assert error.gain_db == 0 and error.collateral_db == 60
    assert error.gap_db == pytest.approx(60 + 20 * np.log10(80 / 255))


def test_half_the_change_halves_the_error():
    halfway = np.where(MASK[..., None], 140, BEFORE)
    assert measured(halfway).gain_db == pytest.approx(20 * np.log10(2))
    worse_floor = np.where(MASK[..., None], 160, BEFORE)
    assert measured(halfway, floor=worse_floor).gap_db == pytest.approx(20 * np.log10(2))


def test_what_changes_elsewhere_is_collateral_and_nothing_else():
    spoilt = AFTER.copy()
    spoilt[20:] = 110
    error, clean = measured(spoilt), measured(AFTER)
    assert (error.psnr_db, error.gap_db, error.gain_db) == (clean.psnr_db, clean.gap_db, clean.gain_db)
    share = 12 * SIZE / (SIZE**2 - 64)
    assert error.collateral_db == pytest.approx(-10 * np.log10(share * (10 / 255) ** 2))
    unedited = np.full_like(BEFORE, 110)  # against the unedited drawing, not the true picture
    assert measured(np.where(MASK[..., None], AFTER, 110), unedited).collateral_db == 60


def test_seeds_are_averaged():
    pictures = [AFTER, np.where(MASK[..., None], 140, BEFORE).astype(np.uint8)]
    error = edit_error(0, "move", AFTER, MASK, pictures, [BEFORE] * 2, [AFTER] * 2)
    assert error.psnr_db == pytest.approx((60 + psnr(pictures[1], AFTER, MASK)) / 2)


def test_masks_that_cannot_tell():
    empty = measured(AFTER, mask=np.zeros_like(MASK))
    assert (empty.psnr_db, empty.gap_db, empty.gain_db) == (None, None, None) and empty.collateral_db is not None
    full = measured(AFTER, mask=np.ones_like(MASK))
    assert full.collateral_db is None and full.gap_db == 0
    rows = np.arange(SIZE)[:, None] * np.ones((1, SIZE))
    assert measured(AFTER, mask=rows < 27).collateral_db is not None  # 5 of 32 rows outside: 15.6%
    assert measured(AFTER, mask=rows < 28).collateral_db is None  # 12.5%


@pytest.mark.parametrize("edit", ["with_focal", "with_background"])
def test_nothing_is_collateral_of_what_changes_everything(edit):
    assert measured(AFTER, edit=edit).collateral_db is None


def test_as_many_pictures_of_each_as_seeds():
    with pytest.raises(ValueError, match="2 edited, 1 unedited and 1 floor"):
        edit_error(0, "move", AFTER, MASK, [AFTER] * 2, [BEFORE], [AFTER])
    with pytest.raises(ValueError, match="one of each"):
        edit_error(0, "move", AFTER, MASK, [], [], [])


def test_figures_are_means_over_scenes_and_count_what_is_left_out():
    errors = [
        EditError(0, "move", 20.0, 1.0, 3.0, 40.0),
        EditError(0, "remove", 20.0, 3.0, 5.0, None),
        EditError(1, "move", 10.0, 0.0, -1.0, 30.0),
        EditError(2, "move", None, None, None, None),
        EditError(2, "with_focal", 10.0, 4.0, 1.0, None),
    ]
    figures = edit_figures(errors, 3)
    assert figures["edit_scenes"] == 3 and figures["edit_pairs"] == 5 and figures["moves"] == 3
    missing = dict.fromkeys(EDITS, 3) | {"remove": 2, "with_focal": 2}
    missing.pop("move")
    assert figures["edit_pairs_without_slot"] == missing
    assert figures["edit_pairs_without_influence"] == 1
    assert figures["edit_pairs_without_outside"] == {"remove": 1, "move": 1} and figures["moves_without_outside"] == 1
    assert figures["edit_gap_db"] == pytest.approx((2 + 0 + 4) / 3)  # a value a scene, not a pair
    assert figures["edit_gap_db_ci95"] == pytest.approx(1.96 * np.std([2, 0, 4], ddof=1) / np.sqrt(3))
    assert figures["edit_gap_db_move"] == 0.5 and figures["edit_gain_db_move"] == 1.0
    assert figures["collateral_psnr_db_move"] == 35 and figures["collateral_psnr_db"] == 35
    assert figures["collateral_psnr_db_remove"] is None and figures["edit_gap_db_swap"] is None
    assert figures["edit_gap_db_remove"] == 3 and figures["edit_gap_db_remove_ci95"] is None
    assert "collateral_psnr_db_with_focal" not in figures
    assert figures["steer_share"] == 0.5


def test_an_edit_gains_3_db_where_the_drawing_is_as_good_as_the_change_is_large():
    empty = np.zeros_like(MASK)
    masks = dict.fromkeys(EDITS, empty) | {"move": MASK}
    scene = SimpleNamespace(before=BEFORE, after=dict.fromkeys(EDITS, AFTER), influence=masks)
    figures = change_figures([scene, scene])
    change = figures["edit_change_db_move"]
    assert change == pytest.approx(psnr(BEFORE, AFTER, MASK)) and figures["edit_change_db_remove"] is None
    noise = (np.indices(MASK.shape).sum(0) % 2 * 2 - 1)[..., None] * 75  # about as large, and not of its kind
    error = measured(AFTER + noise, BEFORE + noise)
    assert error.psnr_db == pytest.approx(change, abs=0.6) and error.gain_db == pytest.approx(3.3, abs=0.05)
