"""Weights and frames for FlowNet2 that are the same on every machine.

Entry number ``i`` of the state dict, in sorted order of keys, is drawn from PCG64 seeded with
``[seed, i]``: weights Xavier-uniform, biases uniform in ``[0, 0.02)``. The second frame is the
first, a smooth texture, moved by a few pixels.
"""

import numpy as np
import torch


def _random(*seed):
    return np.random.Generator(np.random.PCG64(list(seed)))


def made_up_weights(shapes, seed):
    weights = {}
    for index, name in enumerate(sorted(shapes)):
        shape, rng = shapes[name], _random(seed, index)
        if len(shape) == 1:
            values = rng.uniform(0.0, 0.02, shape)
        else:
            bound = np.sqrt(6.0 / ((shape[0] + shape[1]) * np.prod(shape[2:], dtype=int)))
            values = rng.uniform(-bound, bound, shape)
        weights[name] = torch.from_numpy(values.astype(np.float32))
    return weights


def made_up_frames(seed, height, width, shift):
    """Return ``(1, 3, 2, height, width)`` in 0..255; the motion is ``shift``, down and right."""
    cells = _random(seed, 999).uniform(0.0, 255.0, (3, height // 8 + 8, width // 8 + 8))
    texture = cells.repeat(8, axis=1).repeat(8, axis=2)
    for axis in (1, 2):
        texture = np.apply_along_axis(np.convolve, axis, texture, np.ones(9) / 9.0, mode="same")
    pair = [
        texture[:, 16 - down : 16 - down + height, 16 - right : 16 - right + width]
        for down, right in ((0, 0), shift)
    ]
    return torch.from_numpy(np.stack(pair, axis=1).astype(np.float32))[None]
