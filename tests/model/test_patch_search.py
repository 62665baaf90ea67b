import numpy as np
import pytest
import torch

from mapt_bench.model import build_mapt, mapt_config
from mapt_bench.model.patch_search import Matcher, correlate, found_channels, packed_channels
from mapt_bench.model.switches import switched

torch.set_num_threads(1)


def test_correlation_equals_a_loop():
    torch.manual_seed(0)
    now, earlier = torch.randn(2, 2, 5, 6, 7)
    radius = 2
    found = correlate(now, earlier, radius)
    assert found.shape == (2, found_channels(radius), 6, 7)
    for b, y, x in ((0, 0, 0), (1, 3, 4), (0, 5, 6), (1, 2, 0)):
        for k in range(found_channels(radius)):
            row, column = y + k // 5 - radius, x + k % 5 - radius
            cosine = torch.zeros(())
            if 0 <= row < 6 and 0 <= column < 7:
                cosine = torch.cosine_similarity(now[b, :, y, x], earlier[b, :, row, column], dim=0)
            torch.testing.assert_close(found[b, k, y, x], cosine, atol=1e-5, rtol=1e-4)


def test_the_gradient_of_correlation_is_right():
    torch.manual_seed(0)
    maps = torch.randn(2, 1, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda both: correlate(both[0], both[1], 1), (maps,))


def test_shapes_of_a_search():
    torch.manual_seed(0)
    matcher = Matcher(8, 3, 2)
    earlier, now = (matcher.features(torch.randn(2, 3, 64, 96)) for _ in range(2))
    assert now.shape == (2, packed_channels(8), 16, 24)
    match = matcher(earlier, now)
    assert match.displacement.shape == (2, 2, 16, 24)
    assert match.hidden.shape == (2, 24, 16, 24)
    assert [search.end.shape[2:] for search in match.searches] == [(4, 6), (8, 12)]


@pytest.mark.parametrize(("down", "right"), [(8, 0), (0, -8), (16, 8)])
def test_untrained_descriptors_find_a_shift_of_a_random_picture(down, right):
    torch.manual_seed(0)
    matcher = Matcher(16, 3, 2)
    picture = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        before = matcher.features(picture)
        after = matcher.features(picture.roll((down, right), dims=(2, 3)))
        fine = correlate(after[:, :16], before[:, :16], 4)[0, :, 8:-8, 8:-8]
    step_down, step_right = -down // 4, -right // 4
    assert (fine.argmax(0) == (step_down + 4) * 9 + step_right + 4).float().mean() > 0.95


def test_a_displacement_is_read_against_the_motion():
    torch.manual_seed(0)
    matcher = Matcher(4, 1, 1)
    x = torch.randn(1, 4, 8, 8)
    displacement = torch.zeros(1, 2, 8, 8)
    displacement[:, 1] = -2
    read = matcher.read(x, displacement)
    torch.testing.assert_close(read[..., 2:], x[..., :-2])
    assert not read[..., :2].any()


def test_the_whole_model_carries_masks_with_matching():
    torch.manual_seed(0)
    model = build_mapt(mapt_config("mapt-tiny", **{"motion.design": "matched-s4"})).eval()
    assert model.config.motion.match_channels == 16
    image = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    step, state = model.step(image)
    assert step.carried is None
    step, _ = model.step(image, state)
    assert step.carried is not None
    assert step.carried.shape[1:] == (15, 23)


def test_switching_offsets_off_leaves_every_tap_at_its_place():
    torch.manual_seed(0)
    model = build_mapt(mapt_config("mapt-tiny", **{"motion.design": "matched-s4"})).eval()
    calm = switched(model, "no-offsets")
    images = torch.rand(2, 3, 64, 96)
    with torch.no_grad():
        reduced = calm.features(images).reduced
        offsets, _ = calm.motion.motion(reduced[:1], reduced[1:])
        moving, _ = model.motion.motion(reduced[:1], reduced[1:])
    assert not offsets.any()
    assert moving.any()
