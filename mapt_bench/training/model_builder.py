"""The model that a recipe names, and the tracker that it is validated by."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from torch import nn

from mapt_bench.errors import ConfigError, MaptBenchError, a_type
from mapt_bench.labels import LabelSpace
from mapt_bench.model.config_files import mapt_config, mapt_config_to_dict
from mapt_bench.tracking import Tracker
from mapt_bench.user_code import attribute_of, failure_of, running

__all__ = ["TracksVideos", "build_model", "model_blamed", "model_config", "tracker_of"]

_OURS = __name__.partition(".")[0]
_FORM = "package.module:function"


@runtime_checkable
class TracksVideos(Protocol):
    """A model that can be validated while it is trained."""

    def tracker(self) -> Tracker:
        """Return a tracker that runs the model as it then is."""
        ...


def build_model(
    name: str,
    settings: Mapping[str, object],
    labels: LabelSpace,
    *,
    imagenet: Path | None = None,
) -> nn.Module:
    """Build the model of a recipe, its weights drawn from torch's generator.

    Args:
        name: Name or file of a configuration of MAPT, or ``package.module:function``.
        settings: Changes of the configuration by dotted key; of the user's function, keyword
            arguments.
        labels: Classes of the data.
        imagenet: File of torchvision's ImageNet weights for the backbone; ``None`` for random ones.

    Raises:
        ConfigError: If there is no such model or setting, it is of other classes than the data,
            the function does not return a module, or the backbone takes no ImageNet weights.
        DataError: If the ImageNet weights are damaged or of another network.
    """
    if ":" in name:
        if imagenet is not None:
            raise ConfigError(
                f"--imagenet is for the backbone of MAPT, and the model is {name}; load the "
                "weights in your function, or omit it"
            )
        return _of_user(name, settings, labels)
    from mapt_bench.model import build_mapt, load_imagenet

    config = mapt_config(name, **settings)
    if config.labels != labels:
        raise ConfigError(
            f"model {name} tells the classes of {config.labels.name!r} apart, the data have those "
            f"of {labels.name!r}; set model_settings.label_space, or give other data"
        )
    model = build_mapt(config)
    if imagenet is not None:
        load_imagenet(model.backbone, imagenet)
    return model


def model_config(name: str, settings: Mapping[str, object]) -> dict[str, Any] | None:
    """Return the whole configuration of a recipe's model, ready for JSON: names may change.

    Returns:
        ``None`` for models of the user.

    Raises:
        ConfigError: If there is no such model or setting.
    """
    if ":" in name:
        return None
    return mapt_config_to_dict(mapt_config(name, **settings))


def tracker_of(model: nn.Module) -> Tracker | None:
    """Return what the model tracks videos with, or ``None`` if it has no :meth:`tracker`.

    Raises:
        ConfigError: If a user's method fails, or returns no tracker.
    """
    with model_blamed(model):
        if not isinstance(model, TracksVideos):
            return None
        found: object = model.tracker()
        if not isinstance(found, Tracker):
            raise ConfigError(
                f"tracker() of model {_name_of(model)} returned {a_type(found)}; expected a "
                "tracker with start(info) and step(frame)"
            )
        return found


@contextmanager
def model_blamed(model: object) -> Iterator[None]:
    """Name a user's model that fails. What it prints goes to stderr.

    Raises:
        ConfigError: In place of any other exception of a user's model. Those of a model of this
            package are bugs and pass.
    """
    name = _name_of(model)
    if name.partition(".")[0] == _OURS:
        yield
        return
    try:
        with running():
            yield
    except MaptBenchError:
        raise
    except Exception as problem:  # user code may raise anything
        raise ConfigError(f"model {name} failed: {failure_of(problem)}") from problem


def _name_of(model: object) -> str:
    return f"{type(model).__module__}:{type(model).__qualname__}"


def _of_user(name: str, settings: Mapping[str, object], labels: LabelSpace) -> nn.Module:
    build = attribute_of(name, kind="model", form=_FORM)
    if not callable(build):
        raise ConfigError(f"{name!r} is an object of type {type(build).__name__}; expected {_FORM}")
    try:
        with running():
            model = build(labels, **settings)
    except MaptBenchError:
        raise
    except Exception as problem:  # user code may raise anything
        raise ConfigError(f"model {name!r} could not be built: {failure_of(problem)}") from problem
    if not isinstance(model, nn.Module):
        raise ConfigError(f"{name!r} returned {a_type(model)}; expected a torch module")
    return model
