"""What MAPT is made of: one frozen dataclass a part, and one that joins them."""

from collections.abc import Collection
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Literal, get_args

from mapt_bench.errors import ConfigError, nearest
from mapt_bench.labels import LabelSpace, label_space
from mapt_bench.model.motion_config import MotionConfig

__all__ = [
    "AppearanceConfig",
    "BackboneConfig",
    "BackboneName",
    "FpnConfig",
    "FusionConfig",
    "Gate",
    "InstanceConfig",
    "LossConfig",
    "MaptConfig",
    "Negatives",
    "Norm",
    "PropagationName",
    "SemanticConfig",
]

Norm = Literal["batch", "frozen-batch", "group"]
"""``batch`` as published; ``frozen-batch`` keeps the statistics of pretrained weights in the trunk,
for batches of one or two; ``group`` for training from scratch at any size of batch."""

BackboneName = Literal["regnet_y_8gf", "regnet_y_400mf", "tiny"]
"""torchvision's RegNetY of two sizes, and a small network of our own."""

Gate = Literal["channel", "scalar"]
"""Whether ``W_a`` and ``W_p`` differ from channel to channel, or are two numbers an instance."""

Negatives = Literal["clip", "batch"]
"""Where negatives come from: things of the class in the other frames of the clip, or in the frames
of all clips that are computed together."""

PropagationName = Literal["motion", "none"]
"""Whether there is a motion head."""


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """Which trunk.

    Attributes:
        name: One of :data:`BackboneName`.
        stem_channels: Of the first convolution, at stride 2; of ``tiny`` alone.
        stem_depth: Residual blocks at stride 2; of ``tiny`` alone.
        widths: Channels at strides 4, 8, 16 and 32; of ``tiny`` alone.
        depths: Residual blocks at each stride, beside the convolution that strides; of ``tiny``
            alone.

    Raises:
        ConfigError: If the name is unknown, or there are not four widths and depths.
    """

    name: BackboneName = "regnet_y_8gf"
    stem_channels: int = 16
    stem_depth: int = 0
    widths: tuple[int, ...] = (32, 64, 96, 128)
    depths: tuple[int, ...] = (1, 1, 1, 1)

    def __post_init__(self) -> None:
        _check_choice("backbone", self.name, BackboneName)
        _check_numbers(self, "the backbone", may_be_zero=("stem_depth", "depths"))
        for name in ("widths", "depths"):
            if len(getattr(self, name)) != 4:
                raise ConfigError(
                    f"{name} of the backbone is {getattr(self, name)}; expected four numbers"
                )


@dataclass(frozen=True, kw_only=True)
class FpnConfig:
    """The two-way feature pyramid.

    Attributes:
        channels: Of every level.
        separable: Whether its 3x3 convolutions are depthwise separable. EfficientPS's paper says
            they are, its code has ordinary ones, at nine times the cost.
        fine_channels: Channels of one more level, at stride 2, before it is widened to those of
            the others; ``None`` leaves it out. Regions are read from it, nothing else: for data
            whose things are a few pixels wide.
    """

    channels: int = 256
    separable: bool = False
    fine_channels: int | None = None

    def __post_init__(self) -> None:
        _check_numbers(self, "the feature pyramid")

    @property
    def finest_stride(self) -> int:
        """Pixels to a cell of the finest level."""
        return 4 if self.fine_channels is None else 2


@dataclass(frozen=True, kw_only=True)
class SemanticConfig:
    """The semantic head.

    Attributes:
        channels: Of its maps, ``S`` among them.
        dpc: Whether the coarse levels pass a dense prediction cell; otherwise they pass two
            separable convolutions, as the fine levels do.
        hard_fraction: Share of the pixels of an image that the loss is the mean over: the hardest.
        loss_stride: 1, 2 or 4: step in pixels, down and right, between the pixels of the loss.
        fine_channels: Channels of convolutions over the pyramid's level at stride 2 that refine the
            logits: these are then at stride 2, and the loss compares each of its pixels with the
            logits at that very pixel. ``None`` leaves them out.
        class_weights: Factor on the loss of each class's pixels, in the order of their numbers in
            the label space; ``None`` for 1. ``tools/measure_classes.py`` prints such factors.
    """

    channels: int = 128
    dpc: bool = True
    hard_fraction: float = 0.25
    loss_stride: int = 1
    fine_channels: int | None = None
    class_weights: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        _check_numbers(self, "the semantic head", shares=("hard_fraction",))
        if self.loss_stride not in (1, 2, 4):
            raise ConfigError(
                f"loss_stride of the semantic head is {self.loss_stride}; expected 1, 2 or 4"
            )


@dataclass(frozen=True, kw_only=True)
class InstanceConfig:
    """The instance head: proposals, boxes, masks.

    Attributes:
        anchor_scales: Side of the square anchors of a level, in its cells.
        anchor_ratios: Height to width of anchors.
        objectness_prior: Share of anchors held for things before training.
        anchor_samples: Anchors an image that the loss is the mean over.
        anchor_positives: Share of them that lie on things, at most.
        anchor_iou: Overlap with a thing up to which an anchor is background, and from which on it
            is the thing's. The best anchor of a thing is always its own.
        proposals_before: Proposals a level before suppression, in training and in testing.
        proposals_after: Proposals an image after suppression, in training and in testing.
        proposal_nms: Overlap above which the weaker proposal is suppressed.
        roi_samples: Regions an image that the loss is the mean over.
        roi_positives: Share of them that lie on things, at most.
        roi_iou: Overlap with a thing from which on a region is the thing's.
        roi_jitter: Copies of each true box, moved and resized a little, that join the proposals in
            training: regions to learn from where few proposals lie on things.
        canonical_scale: Side in pixels of the regions that are read at stride 16; half the side,
            half the stride.
        pool_samples: Points to a side of each cell that a region is read at.
        box_pool: Cells to a side that a region is read as, for its class and box.
        box_channels: Of the two fully connected layers.
        mask_pool: Cells to a side that a region is read as, for its mask of twice as many.
        mask_channels: Of the mask branch.
        mask_convs: Its convolutions.
        mask_separable: Whether they are depthwise separable.
        mask_fine: Whether the mask branch reads every region at the finest level too, beside the
            level of its size.
        mask_dice: Weight of the soft Dice loss of masks beside their binary cross-entropy; 0 leaves
            it out.
        iou_channels: Channels of a branch that predicts the overlap (intersection over union) of
            each mask with its thing; ``None`` leaves it out.
        iou_power: Of the predicted overlap, which multiplies scores.
        score_threshold: Least score of a detection.
        detection_nms: Overlap above which the weaker detection of a class is suppressed.
        detections: Detections an image, at most.
        crowd_share: An unmatched box that lies in crowd by more than this share of its area
            is no background either.
    """

    anchor_scales: tuple[float, ...] = (8.0,)
    anchor_ratios: tuple[float, ...] = (0.5, 1.0, 2.0)
    objectness_prior: float = 0.5
    anchor_samples: int = 256
    anchor_positives: float = 0.5
    anchor_iou: tuple[float, float] = (0.3, 0.7)
    proposals_before: tuple[int, int] = (2000, 1000)
    proposals_after: tuple[int, int] = (2000, 1000)
    proposal_nms: float = 0.7
    roi_samples: int = 256
    roi_positives: float = 0.25
    roi_iou: float = 0.5
    roi_jitter: int = 0
    canonical_scale: int = 224
    pool_samples: int = 2
    box_pool: int = 7
    box_channels: int = 1024
    mask_pool: int = 14
    mask_channels: int = 256
    mask_convs: int = 4
    mask_separable: bool = True
    mask_fine: bool = False
    mask_dice: float = 0.0
    iou_channels: int | None = None
    iou_power: float = 0.5
    score_threshold: float = 0.5
    detection_nms: float = 0.5
    detections: int = 100
    crowd_share: float = 0.5

    def __post_init__(self) -> None:
        shares = (
            "objectness_prior",
            "anchor_positives",
            "anchor_iou",
            "proposal_nms",
            "roi_positives",
            "roi_iou",
            "score_threshold",
            "detection_nms",
            "crowd_share",
        )
        may_be_zero = ("roi_jitter", "mask_dice", "iou_power")
        _check_numbers(self, "the instance head", shares=shares, may_be_zero=may_be_zero)
        if self.anchor_iou[0] > self.anchor_iou[1]:
            raise ConfigError(
                f"anchor_iou of the instance head is {self.anchor_iou}; expected the overlap of"
                " background first, then that of things, which is not less"
            )


@dataclass(frozen=True, kw_only=True)
class AppearanceConfig:
    """The appearance head.

    Attributes:
        enabled: Whether there is one.
        pool: Cells to a side that an instance is read as.
        hidden_channels: Of the first fully connected layer.
        embedding_channels: Of the embedding.
        colour_channels: Channels that a small network makes of the colours of an instance's pixels,
            beside the features of the pyramid; ``None`` omits colours.
        gate: What ``W_a`` and ``W_p`` are made of.
        static: Whether propagated features are left out altogether: ``W_p = 0``, in training too.
        drop_propagated: Share of frames that are trained without propagated features, so that
            embeddings without them are learned, too.
        negatives: Where negatives come from. The default is the clip itself. Then a loss is a mean
            over clips, however a batch is split over processes.
        initial_scale: Of cosines in the loss, before training.
    """

    enabled: bool = True
    pool: int = 14
    hidden_channels: int = 1024
    embedding_channels: int = 128
    colour_channels: int | None = None
    gate: Gate = "channel"
    static: bool = False
    drop_propagated: float = 0.3
    negatives: Negatives = "clip"
    initial_scale: float = 10.0

    def __post_init__(self) -> None:
        _check_choice("gate", self.gate, Gate)
        _check_choice("negatives", self.negatives, Negatives)
        _check_numbers(self, "the appearance head", shares=("drop_propagated",))


@dataclass(frozen=True, kw_only=True)
class LossConfig:
    """What the two heads that link frames are trained on.

    Attributes:
        stop_gradient: Whether their losses end at their own parameters, and shape neither the trunk
            nor the features that they read.
        jittered_masks: Share of clips whose earlier masks are moved and resized a little before
            they are propagated, as those of detections are; the others have the true ones.
        motion_bce: Whether binary cross-entropy is added to the soft Dice loss of the motion head.
    """

    stop_gradient: bool = False
    jittered_masks: float = 0.5
    motion_bce: bool = False

    def __post_init__(self) -> None:
        _check_numbers(self, "the losses", shares=("jittered_masks",))


@dataclass(frozen=True, kw_only=True)
class FusionConfig:
    """The panoptic fusion.

    Attributes:
        overlap: An instance is dropped if more than this share of it lies under stronger ones.
        mask_factor: On mask logits before they meet semantic logits.
        stuff_area: A stuff class that covers fewer pixels becomes void, in an image of
            ``stuff_area_of`` pixels; in others in proportion.
        stuff_area_of: See ``stuff_area``.
        keep_thing_classes: Whether pixels of a thing class that no instance claims keep their
            class, without identity; otherwise they are void.
    """

    overlap: float = 0.5
    mask_factor: float = 4.0
    stuff_area: int = 2048
    stuff_area_of: int = 1024 * 2048
    keep_thing_classes: bool = False

    def __post_init__(self) -> None:
        _check_numbers(self, "the fusion", shares=("overlap",), may_be_zero=("stuff_area",))


@dataclass(frozen=True, kw_only=True)
class MaptConfig:
    """The whole model; without arguments that of the paper.

    Attributes:
        label_space: Name, or file, of the classes to tell apart.
        norm: See :data:`Norm`.
        pixel_mean: RGB that is taken off images in ``[0, 1]``: ImageNet's.
        pixel_std: RGB that they are then divided by.
        backbone: The trunk.
        fpn: The two-way feature pyramid.
        semantic: The semantic head.
        instance: The instance head.
        motion: The motion head.
        propagation: ``none`` leaves the motion head out; embeddings are static then.
        appearance: The appearance head.
        fusion: The panoptic fusion.
        losses: What the motion and the appearance head are trained on.

    Raises:
        ConfigError: If a value is impossible, or two parts do not fit together.
    """

    label_space: str = "kitti-step"
    norm: Norm = "batch"
    pixel_mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    pixel_std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    backbone: BackboneConfig = field(default_factory=BackboneConfig)
    fpn: FpnConfig = field(default_factory=FpnConfig)
    semantic: SemanticConfig = field(default_factory=SemanticConfig)
    instance: InstanceConfig = field(default_factory=InstanceConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    propagation: PropagationName = "motion"
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)
    fusion: FusionConfig = field(default_factory=FusionConfig)
    losses: LossConfig = field(default_factory=LossConfig)

    def __post_init__(self) -> None:
        _check_choice("norm", self.norm, Norm)
        _check_choice("propagation", self.propagation, PropagationName)
        _check_numbers(self, "the model", may_be_zero=("pixel_mean",))
        if self.motion.in_channels != self.semantic.channels:
            raise ConfigError(
                f"motion.in_channels is {self.motion.in_channels}, but the semantic head has"
                f" {self.semantic.channels} channels (semantic.channels); they must be equal"
            )
        self._check_semantic()
        if self.motion.stride not in (4, 8):
            raise ConfigError(
                f"motion.stride is {self.motion.stride}; the semantic head has features at 4 and 8"
            )

    def _check_semantic(self) -> None:
        semantic = self.semantic
        if semantic.fine_channels is not None and self.fpn.fine_channels is None:
            raise ConfigError(
                "semantic.fine_channels reads the pyramid's level at stride 2, which is left out;"
                " set fpn.fine_channels too"
            )
        weights, classes = semantic.class_weights, len(self.labels.class_ids)
        if weights is not None and len(weights) != classes:
            raise ConfigError(
                f"semantic.class_weights has {len(weights)} numbers; expected one for each of the"
                f" {classes} classes of {self.label_space}"
            )

    @cached_property
    def labels(self) -> LabelSpace:
        """The classes to tell apart.

        Raises:
            ConfigError: If there is no such label space.
        """
        return label_space(self.label_space)


def _check_choice(what: str, found: object, choices: Any) -> None:  # noqa: ANN401  # a Literal
    known = get_args(choices)
    if found not in known:
        raise ConfigError(f"unknown {what} {found!r}; {nearest(str(found), known)}")


def _check_numbers(
    config: Any,  # noqa: ANN401  # any of the dataclasses above
    whose: str,
    *,
    shares: Collection[str] = (),
    may_be_zero: Collection[str] = (),
) -> None:
    """Refuse numbers that cannot be: below 1 if whole, 0 or less otherwise, shares beyond 0..1."""
    for entry in fields(config):
        value = getattr(config, entry.name)
        numbers = value if isinstance(value, tuple) else (value,)
        if not numbers:
            raise ConfigError(f"{entry.name} of {whose} is empty; give one number or more")
        for number in numbers:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            if entry.name in shares:
                good, expected = 0 <= number <= 1, "a share from 0 to 1"
            elif entry.name in may_be_zero:
                good, expected = number >= 0, "0 or more"
            elif isinstance(number, int):
                good, expected = number >= 1, "1 or more"
            else:
                good, expected = number > 0, "more than 0"
            if not good:
                raise ConfigError(f"{entry.name} of {whose} is {value}; expected {expected}")
