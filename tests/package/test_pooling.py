"""The blurred pooling of lesson 10's exercise."""

import pytest
import torch
import torch.nn.functional as F

from course_utils.checks.l10 import blur_pool2d


def test_blurred_pooling_by_hand():
    x = torch.zeros(1, 1, 6, 6)
    x[0, 0, 2, 2] = 16.0  # at stride 1 a 2×2 maximum shows it at the four places (1..2, 1..2)
    # The answer's row 0 weighs rows 0 and 1 by 2/4 each, as the mirror has row 1 too; row 1 weighs 1, 2, 3 by 1, 2, 1.
    assert blur_pool2d(x)[0, 0].tolist() == [[4, 6, 0], [6, 9, 0], [0, 0, 0]]


@pytest.mark.parametrize("size", [(3, 3), (4, 7), (5, 5), (28, 28), (9, 12)])
def test_blurred_pooling_has_the_size_of_max_pooling_and_keeps_flat_pictures(size):
    x = torch.rand(2, 3, *size, dtype=torch.float64)
    assert blur_pool2d(x).shape == F.max_pool2d(x, 2).shape
    flat = torch.full_like(x, 0.7)
    torch.testing.assert_close(blur_pool2d(flat), F.max_pool2d(flat, 2))


def test_blurred_pooling_changes_less_when_the_picture_moves_by_one_pixel():
    torch.manual_seed(0)
    x = torch.rand(4, 1, 32, 32)
    moved = x.roll(1, 3)
    assert (blur_pool2d(moved) - blur_pool2d(x)).norm() < 0.5 * (F.max_pool2d(moved, 2) - F.max_pool2d(x, 2)).norm()
