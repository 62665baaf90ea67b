import math

import pytest
import torch

from mapt_bench.model.linking_losses import (
    InstanceEmbeddings,
    grid_masks,
    jittered_masks,
    joined_embeddings,
    mask_losses,
    matching_loss,
)

torch.set_num_threads(1)

TEN = torch.tensor(10.0)


def looks(vectors, tracks, frames, labels=None):
    embeddings = torch.tensor(vectors, dtype=torch.float32).view(-1, 2)
    labels = [1] * len(tracks) if labels is None else labels
    columns = (tracks, labels, frames, [0] * len(tracks))
    return InstanceEmbeddings(
        embeddings, *(torch.tensor(each, dtype=torch.long) for each in columns)
    )


def test_masks_on_a_grid_are_shares_of_cells_and_end_with_the_image():
    masks = torch.zeros(1, 6, 6, dtype=torch.bool)
    masks[0, :, 4:] = True
    found = grid_masks(masks, 4, (3, 4))
    # The last cells of the image are two pixels wide, and covered; beyond it there is nothing.
    assert found[0].tolist() == [[0, 1, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    assert grid_masks(masks[:0], 4, (3, 4)).shape == (0, 3, 4)


def test_mask_loss_by_hand():
    wanted = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    half = torch.tensor([[[0.0, 1.0, 1.0, 0.0]]])
    both = mask_losses(torch.cat((wanted, half)), torch.cat((wanted, wanted)))
    assert both.tolist() == pytest.approx([0, 1 - 2 * 1 / 4])
    # Three cells are touched; two of them are as wrong as can be.
    wrong = -math.log(1e-4) * 2 / 3
    assert mask_losses(half, wanted, bce=True).item() == pytest.approx(0.5 + wrong, rel=1e-3)
    assert mask_losses(half[:0], wanted[:0]).shape == (0,)


def test_jittered_masks_stay_near_and_differ_from_one_another():
    masks = torch.zeros(3, 32, 64)
    masks[0, 10:20, 10:30] = 1
    masks[1, 5:9, 40:44] = 1
    draws = torch.Generator().manual_seed(0)
    moved = jittered_masks(masks, draws)
    assert moved.shape == masks.shape
    assert moved.min() >= 0
    assert moved.max() <= 1 + 1e-6
    for before, after in zip(masks[:2], moved[:2], strict=True):
        overlap = torch.minimum(before, after).sum() / torch.maximum(before, after).sum()
        assert 0.4 < overlap < 0.999
    assert moved[2].sum() == 0
    assert not torch.equal(moved, jittered_masks(masks, draws))
    assert jittered_masks(masks[:0], draws).shape == (0, 32, 64)


def test_jitter_without_change_is_the_mask_itself(monkeypatch):
    monkeypatch.setattr("mapt_bench.model.linking_losses._SHIFT", 0.0)
    monkeypatch.setattr("mapt_bench.model.linking_losses._RESIZE", 0.0)
    masks = torch.zeros(1, 8, 12)
    masks[0, 2:5, 3:9] = 1
    assert torch.allclose(jittered_masks(masks, torch.Generator()), masks, atol=1e-5)


def test_matching_loss_by_hand():
    # Tracks 1 and 2 in two frames; 1 looks alike in both, 2 turned by a right angle: it now looks
    # just like 1.
    seen = looks([(1, 0), (0, 1), (1, 0), (1, 0)], [1, 2, 1, 2], [0, 0, 1, 1])
    two = math.log(2)  # two candidates that look equal
    parts = [
        two,  # 1 of the first frame: itself and 2 look equal
        two + 0 - 0 + 1,  # 2 of the first frame: logits 0 and 0; its cosine with itself is 0
        math.log(1 + math.exp(-10)),  # 1 of the second frame among (1, 0) and (0, 1)
        10 + math.log(1 + math.exp(-10)) + 1,  # 2 of the second frame prefers 1
    ]
    assert matching_loss(seen, TEN).item() == pytest.approx(sum(parts) / 4, rel=1e-5)


def test_other_classes_are_no_candidates():
    seen = looks([(1, 0), (1, 0), (1, 0)], [1, 1, 2], [0, 1, 1], labels=[1, 1, 2])
    assert matching_loss(seen, TEN).item() == pytest.approx(0)


def test_other_clips_add_things_of_the_same_class():
    seen = looks([(1, 0), (1, 0)], [1, 1], [0, 1])
    other = looks([(1, 0), (1, 0)], [1, 9], [0, 0], labels=[1, 2])
    both = joined_embeddings([seen, other])
    assert both.clips.tolist() == [0, 0, 1, 1]
    # Nothing is seen twice in the other clip: its loss is 0.
    assert matching_loss(both, TEN, clips=2).item() == pytest.approx(0)
    across = matching_loss(both, TEN, clips=2, across_clips=True)
    assert across.item() == pytest.approx(math.log(2) / 2)


@pytest.mark.parametrize(
    "seen",
    [looks([], [], []), looks([(1, 0)], [1], [0]), looks([(1, 0), (0, 1)], [1, 2], [0, 1])],
    ids=["nothing", "one", "two strangers"],
)
def test_nothing_seen_twice_costs_nothing(seen):
    assert matching_loss(seen, TEN).item() == 0
