import importlib.util
from pathlib import Path

import numpy as np
import pytest

_FILE = Path(__file__).parents[2] / "tools" / "measure_classes.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("measure_classes", _FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_weights_fall_with_the_root_of_the_share_up_to_a_cap(tool):
    weights = tool.class_weights(np.array([640, 360, 0]), cap=5.0)
    assert weights[1] / weights[0] == pytest.approx(0.8 / 0.6)
    assert weights[2] / weights[0] == pytest.approx(5 * 0.8)
    assert 0.64 * weights[0] + 0.36 * weights[1] == pytest.approx(1)
