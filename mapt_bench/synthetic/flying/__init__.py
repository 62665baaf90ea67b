"""Flying clips: randomly textured shapes that fly over a background, with complete ground truth.

Networks learn to find displacement in any video from such clips, as flow networks do. Nothing in
them has a meaning: their classes are random, so no semantic loss may be taken from them.
"""

from mapt_bench.synthetic.flying._flying_video import FlyingVideo, flying_clip
from mapt_bench.synthetic.flying.clip_scene import FlyingSettings

__all__ = ["FlyingSettings", "FlyingVideo", "flying_clip"]
