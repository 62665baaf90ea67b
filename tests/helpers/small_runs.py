"""Runs small enough for tests: drawn videos, a few variants."""

from helpers.scenes import KITTI, Box, DrawnVideo

from mapt_bench.data import KittiStepWriter
from mapt_bench.experiments import Cell, DataSource, Plan, SegmentSource, Variant

UNLINKED = Variant("unlinked", "unlinked", "reference", "unlinked")
COPY = Variant("copy", "copy", "baseline", "copy", memory=0)
MOTION = Variant("motion", "motion", "heads", "motion", memory=0)
ORACLE = Variant("oracle", "oracle", "reference", "oracle")


def walk(frames, speed=2, name="walk", **changes):
    """Two boxes that move apart, evenly."""
    scene = [
        [Box(1, 20 - speed * t), Box(2, 60 + speed * t, color=(30, 30, 200))] for t in range(frames)
    ]
    return DrawnVideo(scene, name=name, **changes)


def source(*videos, **changes):
    """A data source of drawn videos with their true segments."""
    videos = videos or (walk(6, name="a"), walk(7, speed=1, name="b"))
    given = {
        "name": "drawn",
        "videos": videos,
        "labels": KITTI,
        "segments": (SegmentSource(),),
        "fingerprint": "of drawn videos",
    }
    return DataSource(**{**given, **changes})


def plan(*variants, reference="copy", **changes):
    """An ablation of a few variants."""
    variants = variants or (UNLINKED, COPY, ORACLE)
    given = {
        "experiment": "ablate",
        "variants": variants,
        "cells": tuple(Cell(variant) for variant in variants),
        "reference": reference,
    }
    return Plan(**{**given, **changes})


def write_videos(folder, *videos):
    """Write the true maps of videos; return where those of the first lie."""
    with KittiStepWriter(folder, KITTI) as writer:
        for video in videos:
            for index, name in enumerate(video.info.frame_names):
                writer.write(video.info.name, name, video.truth(index))
    return folder / "panoptic_maps" / "val" / videos[0].info.name
