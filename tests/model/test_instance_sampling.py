import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mapt_bench.model.proposals import crowd_share, mean_over_images, sample_balanced


def test_the_share_of_crowd_is_counted_in_pixels():
    crowd = torch.zeros(6, 8, dtype=torch.bool)
    crowd[2:4, 3:7] = True
    boxes = torch.tensor(
        [
            [3, 2, 7, 4],  # all of it
            [0, 0, 8, 6],  # 8 of 48
            [0, 0, 3, 6],  # beside it
            [5, 3, 20, 20],  # beyond the image: 2 of 3 x 3
            [-9, -9, -1, -1],  # outside
            [2.6, 1.8, 7.4, 4.1],  # rounds to all of it
        ],
        dtype=torch.float32,
    )
    expected = torch.tensor([1, 8 / 48, 0, 2 / 9, 0, 1])
    torch.testing.assert_close(crowd_share(boxes, crowd), expected)


@given(
    things=st.integers(0, 20),
    background=st.integers(0, 20),
    ignored=st.integers(0, 5),
    count=st.integers(1, 16),
    share=st.sampled_from([0.0, 0.25, 0.5, 1.0]),
)
def test_samples_keep_their_share(things, background, ignored, count, share):
    kinds = torch.tensor([1] * things + [0] * background + [-1] * ignored)
    kinds = kinds[torch.randperm(len(kinds), generator=torch.Generator().manual_seed(0))]
    drawn = sample_balanced(kinds == 1, kinds == 0, count=count, thing_share=share)
    expected = min(things, int(count * share))
    assert [len(each) for each in drawn] == [expected, min(background, count - expected)]
    assert (kinds[drawn[0]] == 1).all()
    assert (kinds[drawn[1]] == 0).all()
    assert len(torch.cat(drawn).unique()) == len(torch.cat(drawn))


def test_a_seed_decides_what_is_drawn():
    every = torch.ones(50, dtype=torch.bool)

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return sample_balanced(every, ~every, count=10, thing_share=1.0, generator=generator)[0]

    assert torch.equal(draw(3), draw(3))
    assert not torch.equal(draw(3), draw(4))


def test_images_count_alike():
    values = torch.tensor([1.0, 2.0, 3.0, 10.0])
    # (1 + 2 + 3) / 3 = 2 of the first, nothing of the second, 10 / 4 of the third.
    mean = mean_over_images(values, [3, 0, 1], [3, 0, 4])
    assert mean.item() == pytest.approx((2 + 0 + 2.5) / 3)
