"""From a camera, a file or a folder to a window, a file or a notebook, frame by frame.

>>> from seglib import load, video
>>> source, sink = video.open_source("me.mp4"), video.VideoWriter("blurred.mp4")
>>> video.process(source, load("portrait").raw, video.Composer(), sink, progress=True)

Chapter: real-time video.
"""

from seglib.video.capture import Camera, Capture, VideoFile
from seglib.video.compose import Composer
from seglib.video.cuts import CutDetector, for_film
from seglib.video.frames import Frame, Frames, Paced, Source
from seglib.video.loop import process
from seglib.video.report import Report, Shown
from seglib.video.scenes import Clip, moving_portrait
from seglib.video.sinks import (
    Album,
    Several,
    Sink,
    VideoWriter,
)
from seglib.video.smoothing import SMOOTHERS, Ema, MotionEma, OneEuro, Smoother, smoother
from seglib.video.sources import PictureFolder, open_source
from seglib.video.stability import flicker, lag
from seglib.video.stale import ages, stale_score, stale_scores
from seglib.video.views import NotebookView, Window, has_display

__all__ = [
    "SMOOTHERS",
    "Album",
    "Camera",
    "Capture",
    "Clip",
    "Composer",
    "CutDetector",
    "Ema",
    "Frame",
    "Frames",
    "MotionEma",
    "NotebookView",
    "OneEuro",
    "Paced",
    "PictureFolder",
    "Report",
    "Several",
    "Shown",
    "Sink",
    "Smoother",
    "Source",
    "VideoFile",
    "VideoWriter",
    "Window",
    "ages",
    "flicker",
    "for_film",
    "has_display",
    "lag",
    "moving_portrait",
    "open_source",
    "process",
    "smoother",
    "stale_score",
    "stale_scores",
]
