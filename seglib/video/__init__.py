"""From a camera, a file or a folder to a window, a file or a folder, frame by frame.

>>> from seglib import load, video
>>> source, sink = video.open_source("me.mp4"), video.VideoWriter("blurred.mp4")
>>> video.process(source, load("portrait").raw, video.Composer(), sink, progress=True)
"""

from seglib.errors import renamed
from seglib.video.compose import Composer, VideoBackground
from seglib.video.process import DisplayedFrame, Report, process
from seglib.video.sinks import (
    FolderSink,
    ListSink,
    MultiSink,
    Sink,
    VideoWriter,
    VirtualCamera,
    Window,
    has_display,
)
from seglib.video.smoothing import (
    SMOOTHERS,
    CutDetector,
    Ema,
    MotionEma,
    OneEuro,
    Smoother,
    for_video,
    smoother,
)
from seglib.video.sources import (
    BACKENDS,
    Camera,
    Frame,
    Frames,
    PictureFolder,
    RealTimeSource,
    Source,
    VideoFile,
    open_source,
)
from seglib.video.stability import (
    Clip,
    flicker,
    lag,
    latency_score,
    latency_scores,
    mask_latency,
    moving_portrait,
)

__all__ = [
    "open_source", "process", "Report", "DisplayedFrame", "Source", "Frames", "Frame", "VideoFile",
    "PictureFolder", "BACKENDS", "Camera", "RealTimeSource", "Composer", "VideoBackground", "Sink",
    "VideoWriter", "FolderSink", "ListSink", "MultiSink", "VirtualCamera", "Window",
    "has_display", "SMOOTHERS", "smoother", "Smoother", "Ema", "MotionEma", "OneEuro",
    "CutDetector", "for_video", "flicker", "lag", "mask_latency", "latency_scores",
    "latency_score", "Clip", "moving_portrait",
]  # fmt: skip

RENAMED = {
    "Album": "ListSink",
    "NotebookView": "a sink of your own with write, close and abort",
    "Paced": "RealTimeSource",
    "Several": "MultiSink",
    "Shown": "DisplayedFrame",
    "ages": "mask_latency",
    "for_film": "for_video",
    "stale_score": "latency_score",
    "stale_scores": "latency_scores",
}
__getattr__ = renamed(__name__, RENAMED)
