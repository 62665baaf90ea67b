"""Flying clips: randomly textured shapes that fly over a background, with complete ground truth.

Networks learn displacement from such clips, as flow networks do. The classes of the shapes are
random, so do not train semantics on them.
"""

from mapt_bench.synthetic.flying._flying_video import FlyingVideo, flying_clip
from mapt_bench.synthetic.flying.clip_scene import FlyingSettings

__all__ = ["FlyingSettings", "FlyingVideo", "flying_clip"]
