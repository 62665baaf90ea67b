"""Everything that decides a training, in one frozen value."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from mapt_bench.errors import ConfigError, check_range, nearest
from mapt_bench.strict_config import from_mapping, overlaid

__all__ = [
    "STAGE_SETTINGS",
    "AugmentSettings",
    "ClipSettings",
    "OptimizerSettings",
    "Recipe",
    "ScheduleSettings",
    "Stage",
    "StreamSettings",
]

STAGE_SETTINGS = (
    *("batch_size", "accumulate", "loss_weights"),
    *("clips", "augment", "stream", "optimizer", "schedule"),
)
"""What a stage may set for itself."""


@dataclass(frozen=True, kw_only=True)
class ClipSettings:
    """Which frames make a clip.

    Attributes:
        length: Frames of a clip: 2 for pairs, 3 for triples; 1 for single frames, which teach
            what is seen in one frame alone.
        interval: How the pairing interval tau is chosen: ``"fixed"`` takes the only one of
            ``taus``; ``"sampled"`` draws one of them; ``"adaptive"`` takes the one at which the
            median displacement of the things over the square root of their area, by the ground
            truth, is nearest to ``target_displacement``.
        taus: Frames from one image of a clip to the next.
        target_displacement: Of the adaptive interval.
        rare_below: Sequences with a class that is in less than this share of all sequences are
            repeated, by the square root of ``rare_below / share`` (Gupta et al. 2019, LVIS, repeat
            factor sampling, arXiv:1908.03195, section 5.1); 0 draws all alike.
        min_thing_px: Things of fewer visible pixels, after augmentation, become crowd: they are
            neither right nor wrong.
        flow: Whether clips carry the true optical flow from each image to the one before, which
            only synthetic videos know.
        far_share: Share of the clips of three frames whose first frame is ``far`` frames older than
            the second. Motion is not learned between these two, but appearance is.
        far: Least and greatest number of those frames.
    """

    length: int = 2
    interval: Literal["fixed", "sampled", "adaptive"] = "fixed"
    taus: tuple[int, ...] = (1,)
    target_displacement: float = 0.5
    rare_below: float = 0.0
    min_thing_px: int = 1
    flow: bool = False
    far_share: float = 0.0
    far: tuple[int, int] = (4, 10)

    def __post_init__(self) -> None:
        check_range("clips.length", self.length, 1, 3)
        if not self.taus:
            raise ConfigError("clips.taus is empty; expected one interval or more, as [1]")
        for tau in self.taus:
            check_range("clips.taus", tau, 1)
        if self.interval == "fixed" and len(self.taus) > 1:
            raise ConfigError(
                f"clips.taus is {list(self.taus)} with clips.interval fixed; expected one tau, or "
                "clips.interval sampled or adaptive"
            )
        check_range("clips.target_displacement", self.target_displacement, 0, open_low=True)
        check_range("clips.rare_below", self.rare_below, 0, 1)
        check_range("clips.min_thing_px", self.min_thing_px, 1)
        check_range("clips.far_share", self.far_share, 0, 1)
        check_range("clips.far", self.far[0], 1)
        check_range("clips.far (its greatest)", self.far[1], self.far[0])
        if self.far_share > 0 and self.length != 3:
            raise ConfigError(
                f"clips.far_share is {self.far_share} with clips.length {self.length}; expected "
                "clips.length 3, as motion is learned from the last two frames"
            )


@dataclass(frozen=True, kw_only=True)
class StreamSettings:
    """How an endless stream of sequences is used.

    Attributes:
        clips_per_sequence: Clips that a sequence gives, in different turns. The same number of
            sequences is kept for each shard.
        shards: Parts of the stream that go their way side by side: a multiple of the processes
            times their loaders.
        flying_share: Share of the clips that come from flying shapes in place of the stream
            (:mod:`mapt_bench.synthetic.flying`). They teach motion and appearance only.
    """

    clips_per_sequence: int = 16
    shards: int = 4
    flying_share: float = 0.0

    def __post_init__(self) -> None:
        check_range("stream.clips_per_sequence", self.clips_per_sequence, 1)
        check_range("stream.shards", self.shards, 1)
        check_range("stream.flying_share", self.flying_share, 0, 1)


@dataclass(frozen=True, kw_only=True)
class AugmentSettings:
    """How clips are changed. Geometry is the same for every frame of a clip.

    Attributes:
        flip: Probability of a horizontal flip.
        scale: Least and greatest scale, drawn evenly in the logarithm.
        crop: Height and width cut out of the scaled frame, in pixels; what lies beyond its border
            is void. ``None`` keeps the frame's own size.
        shift_px: The crop may lie this far outside the scaled frame.
        brightness: Factor drawn from ``[1 - b, 1 + b]``.
        contrast: The same for contrast.
        saturation: The same for saturation.
        hue: Turn of the hue drawn from ``[-h, h]``; 0.5 is the opposite colour.
        frame_jitter: How much each frame differs from its clip in these four, as a share of their
            ranges; 0 changes all frames alike.
    """

    flip: float = 0.5
    scale: tuple[float, float] = (1.0, 1.0)
    crop: tuple[int, int] | None = None
    shift_px: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    frame_jitter: float = 0.0

    def __post_init__(self) -> None:
        check_range("augment.flip", self.flip, 0, 1)
        check_range("augment.scale", self.scale[0], 0, open_low=True)
        check_range("augment.scale (its greatest)", self.scale[1], self.scale[0])
        for side in self.crop or ():
            check_range("augment.crop", side, 1)
        check_range("augment.shift_px", self.shift_px, 0)
        for name in ("brightness", "contrast", "saturation", "frame_jitter"):
            check_range(f"augment.{name}", getattr(self, name), 0, 1)
        check_range("augment.hue", self.hue, 0, 0.5)


@dataclass(frozen=True, kw_only=True)
class OptimizerSettings:
    """What turns gradients into steps.

    Attributes:
        name: SGD with momentum, as in the paper, or AdamW.
        lr: Learning rate after the warm-up.
        momentum: Of SGD.
        weight_decay: Of weights; one-dimensional parameters (norms, biases) have none.
        clip_norm: The gradient's norm over all parameters is held to this; ``None`` for no limit.
        detector_share: Share of the learning rate that the parts have that see single frames: the
            trunk, the pyramid, the semantic and the instance head; 0 leaves them as they are.
    """

    name: Literal["sgd", "adamw"] = "sgd"
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    clip_norm: float | None = 35.0
    detector_share: float = 1.0

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, 0, open_low=True)
        check_range("optimizer.momentum", self.momentum, 0, 1)
        check_range("optimizer.weight_decay", self.weight_decay, 0)
        check_range("optimizer.detector_share", self.detector_share, 0)
        if self.clip_norm is not None:
            check_range("optimizer.clip_norm", self.clip_norm, 0, open_low=True)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings:
    """How the learning rate goes.

    Attributes:
        warmup_steps: Steps in which it rises linearly, at most half of the training.
        warmup_from: Share of the learning rate that the warm-up starts from.
        decay: After the warm-up: in steps, along half a cosine, or not at all.
        milestones: Shares of the training after which ``"steps"`` multiplies by ``factor``.
        factor: See ``milestones``.
        end: Share of the learning rate that the cosine ends at.
    """

    warmup_steps: int = 500
    warmup_from: float = 1 / 3
    decay: Literal["steps", "cosine", "constant"] = "steps"
    milestones: tuple[float, ...] = (0.75, 0.9)
    factor: float = 0.1
    end: float = 0.0

    def __post_init__(self) -> None:
        check_range("schedule.warmup_steps", self.warmup_steps, 0)
        check_range("schedule.warmup_from", self.warmup_from, 0, 1)
        for milestone in self.milestones:
            check_range("schedule.milestones", milestone, 0, 1)
        check_range("schedule.factor", self.factor, 0, 1)
        check_range("schedule.end", self.end, 0, 1)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Everything that decides a training, apart from its data and its seed.

    Attributes:
        model: Name or YAML file of a configuration of MAPT, or ``package.module:function``, which
            is called with the label space and returns a module.
        model_settings: Changes of that configuration by dotted key, as ``motion.gate: false``.
        suite: Suite, or the stream, that ``train`` takes if it is given no data; decides no result,
            because the record names the data.
        steps: Steps of the optimizer.
        batch_size: Clips of one step, over all processes and parts together.
        accumulate: Parts that the clips of a step are computed in, one after the other.
        precision: ``"auto"`` is bfloat16 on GPUs and processors (AMX) that multiply matrices in
            it, else float32. Weights, losses and the optimizer stay in float32.
        loss_weights: By name of the loss; 1 where nothing is said.
        average: Decay of the moving average of the weights, which is then what is validated and
            exported; 0 keeps none.
        log_every: Steps between two lines of the log; each is the mean over these steps.
        gradient_norms_every: Steps between two measurements of the gradient norm of each loss, a
            multiple of ``log_every``; 0 measures none.
        validate_every: Steps between two validations, a multiple of ``log_every``; 0 for none but
            the last.
        validate_on: How many videos are validated on, spread over those there are.
        checkpoint_every: Steps between two checkpoints, a multiple of ``log_every``.
        keep_checkpoints: How many of the latest are kept.
        export: Precision of the exported weights.
        loaders: Background processes that prepare clips, 0 for none; decides no result.
        cache_mb: Memory for frames that were read or drawn, per process; decides no result.
        clips: Which frames make a clip.
        augment: How clips are changed.
        stream: How an endless stream of sequences is used.
        optimizer: What turns gradients into steps.
        schedule: How the learning rate goes.
        stages: Parts of the training, one after the other; each is a mapping with a ``name``, its
            ``share`` of the steps, and settings that replace the recipe's in it
            (:data:`STAGE_SETTINGS`). Its schedule begins with it. None is one stage, ``joint``.
    """

    model: str
    model_settings: Mapping[str, object] = field(default_factory=dict)
    suite: str = "train"
    steps: int = 20_000
    batch_size: int = 2
    accumulate: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    loss_weights: Mapping[str, float] = field(default_factory=dict)
    average: float = 0.0
    log_every: int = 10
    gradient_norms_every: int = 0
    validate_every: int = 1000
    validate_on: int = 4
    checkpoint_every: int = 500
    keep_checkpoints: int = 2
    export: Literal["float16", "float32"] = "float16"
    loaders: int = 0
    cache_mb: int = 1024
    clips: ClipSettings = ClipSettings()
    augment: AugmentSettings = AugmentSettings()
    stream: StreamSettings = StreamSettings()
    optimizer: OptimizerSettings = OptimizerSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    stages: tuple[Mapping[str, object], ...] = ()

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "accumulate", "log_every", "checkpoint_every"):
            check_range(name, getattr(self, name), 1)
        for name in ("keep_checkpoints", "validate_on"):
            check_range(name, getattr(self, name), 1)
        for name in ("gradient_norms_every", "validate_every", "loaders", "cache_mb"):
            check_range(name, getattr(self, name), 0)
        check_range("average", self.average, 0, 0.999999)
        if self.batch_size % self.accumulate:
            raise ConfigError(
                f"batch_size {self.batch_size} is not divisible by accumulate {self.accumulate}"
            )
        for name in ("checkpoint_every", "gradient_norms_every", "validate_every"):
            if getattr(self, name) % self.log_every:
                raise ConfigError(
                    f"{name} is {getattr(self, name)}; expected a multiple of log_every, "
                    f"{self.log_every}"
                )

        self._stages()

    @property
    def all_stages(self) -> "tuple[Stage, ...]":
        """The parts of the training, in order; their steps add up to ``steps``."""
        return self._stages()

    def _stages(self) -> "tuple[Stage, ...]":
        if not self.stages:
            return (Stage("joint", 0, self),)
        base = {key: value for key, value in self.to_dict().items() if key != "stages"}
        stages, first, done = [], 0, 0.0
        for number, changes in enumerate(self.stages):
            where = f"stages[{number}]"
            name, share = _name_and_share(changes, where)
            done += share
            end = self.steps if number == len(self.stages) - 1 else round(self.steps * done)
            own = {key: value for key, value in changes.items() if key in STAGE_SETTINGS}
            plain = overlaid(base, {**own, "steps": max(1, end - first)})
            stages.append(Stage(name, first, Recipe.from_dict(plain, where=where)))
            first = end
        if abs(done - 1) > 1e-6:
            raise ConfigError(f"the shares of the stages add up to {done:g}; expected 1")
        return tuple(stages)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, ready for JSON, that :meth:`from_dict` reads back."""
        return asdict(self, dict_factory=_plain)

    @classmethod
    def from_dict(cls, data: object, *, where: object | None = None) -> "Recipe":
        """Read a recipe from plain data.

        Raises:
            ConfigError: If a key is unknown (the nearest is named) or a value is wrong.
        """
        return from_mapping(cls, data, what="the recipe", where=where)


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of a training.

    Attributes:
        name: For the log.
        first: Its first step.
        recipe: Its own settings; ``recipe.steps`` are its steps.
    """

    name: str
    first: int
    recipe: Recipe

    @property
    def end(self) -> int:
        """The step after its last."""
        return self.first + self.recipe.steps


def _name_and_share(changes: Mapping[str, object], where: str) -> tuple[str, float]:
    known = ("name", "share", *STAGE_SETTINGS)
    for key in changes:
        if key not in known:
            raise ConfigError(
                f"there is no setting {key!r} of a stage; {nearest(key, known)}", where=where
            )
    name, share = changes.get("name"), changes.get("share")
    if not isinstance(name, str) or not isinstance(share, int | float) or not 0 < share <= 1:
        raise ConfigError(
            f"has the name {name!r} and the share {share!r}; expected text, and a number above 0 "
            "and at most 1",
            where=where,
        )
    return name, float(share)


def _plain(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in pairs}
