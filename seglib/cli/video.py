"""`seglib webcam` and `seglib video`: frames in, finished frames out.

Chapter: real-time video.
"""

import argparse
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglib.cli import options as shared
from seglib.errors import SeglibError

if TYPE_CHECKING:
    from seglib.video import Report, Sink, Source


def add_parser(commands: Any) -> None:
    """Add `webcam` and `video`."""
    webcam = commands.add_parser(
        "webcam",
        help="a camera, with its background or hair changed",
        description="Show or record a camera with its background or hair changed; every frame is "
        "shown with its own mask.",
    )
    webcam.add_argument(
        "--camera", default="0", metavar="N|PATH|URL", help="which one: number, device or URL [0]"
    )
    webcam.add_argument("--rate", type=float, help="frames a second to ask the camera for")
    webcam.add_argument("--pixel-format", metavar="CODE", help="such as MJPG or YUYV")
    webcam.add_argument("--backend", help="how OpenCV opens it, such as v4l2 or dshow")
    webcam.add_argument(
        "--virtual", action="store_true", help="send the frames to a virtual camera (pyvirtualcam)"
    )
    webcam.add_argument(
        "--size", type=int, nargs=2, metavar=("W", "H"), help="what to ask the camera for"
    )
    webcam.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="flip left and right [yes]",
    )
    webcam.add_argument(
        "--max-lag",
        type=int,
        default=0,
        metavar="FRAMES",
        help="show a frame with an older mask sooner than wait for its own [0]",
    )
    webcam.add_argument("--output", type=Path, metavar="FILE", help="record to .mp4, .avi ...")
    webcam.add_argument(
        "--window",
        action=argparse.BooleanOptionalAction,
        help="show a window; q or Escape ends [where there is a display]",
    )
    _add_common(webcam)
    webcam.set_defaults(run=_webcam)
    video = commands.add_parser(
        "video",
        help="the same for a video file or a folder of pictures",
        description="Change the background or the hair in a video file or a folder of pictures.",
    )
    video.add_argument("--input", required=True, metavar="FILE|DIR", help="video or pictures")
    video.add_argument(
        "--output",
        type=Path,
        metavar="FILE|DIR",
        help=".mp4, .avi ..., with the input's sound where ffmpeg is installed; a name without "
        "suffix is a new folder of PNG files, which keeps transparency",
    )
    video.add_argument("--fps", type=float, default=30.0, help="rate of a folder of pictures [30]")
    video.add_argument(
        "--window",
        action="store_true",
        help="show it; without --output at its own pace, dropping what comes too late",
    )
    _add_common(video)
    video.set_defaults(run=_video)


def _add_common(parser: argparse.ArgumentParser) -> None:
    shared.add_task(parser)
    shared.add_effect(parser)
    parser.add_argument(
        "--smooth",
        default="motion",
        metavar="NAME",
        help="none, ema, motion or one-euro: how masks are steadied over time [motion]",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="end after so many frames")
    parser.add_argument(
        "--stats", action="store_true", help="write rate, lag and dropped frames into the picture"
    )
    shared.add_model(parser, required=False, text=".tflite file or shipped name [the task's]")


def _webcam(options: argparse.Namespace) -> None:
    from seglib.video import Camera, MultiSink, VideoWriter, VirtualCamera, Window

    size = options.size and tuple(options.size[::-1])
    work = _Work(options)
    with contextlib.ExitStack() as undo:
        camera = int(options.camera) if options.camera.isdigit() else options.camera
        source = Camera(
            camera,
            size,
            options.mirror,
            fps=options.rate,
            pixel_format=options.pixel_format,
            backend=options.backend,
        )
        undo.callback(source.close)
        sinks: list[Sink] = []
        # A window by default; where there is no display, a recording is enough.
        if options.virtual:
            sinks.append(VirtualCamera(source.fps))
        if options.window or (options.window is None and not _only_records(options)):
            sinks.append(Window(source.name))
        if options.output is not None:
            sinks.append(VideoWriter(options.output, source.fps))
        if not sinks:
            raise SeglibError("there is nowhere to show the camera; give --window or --output FILE")
        undo.pop_all()
    print(work.process(source, MultiSink(*sinks), max_lag=options.max_lag))
    if options.output is not None:
        print(f"wrote {options.output}")


def _only_records(options: argparse.Namespace) -> bool:
    from seglib.video import has_display

    return (options.output is not None or options.virtual) and not has_display()


def _video(options: argparse.Namespace) -> None:
    from seglib.video import (
        FolderSink,
        MultiSink,
        PictureFolder,
        RealTimeSource,
        VideoWriter,
        Window,
        open_source,
    )

    if options.output is None and not options.window:
        raise SeglibError("there is nowhere to show the video; give --output FILE or --window")
    if options.input.isdigit() and not Path(options.input).exists():
        raise SeglibError(f"{options.input} is no file; for a camera there is seglib webcam")
    work = _Work(options)
    if options.output is not None:
        shared.keep(options.output, Path(options.input), work.picture)
    with contextlib.ExitStack() as undo:
        source = open_source(options.input, options.fps)
        undo.callback(source.close)
        sinks: list[Sink] = []
        if options.window:
            sinks.append(Window(source.name))
        if options.output is not None:
            if options.output.suffix:
                sound = None if isinstance(source, PictureFolder) else options.input
                sinks.append(VideoWriter(options.output, source.fps, sound_from=sound))
            else:
                sinks.append(FolderSink(options.output))
        undo.pop_all()
    paced = RealTimeSource(source) if options.output is None else source
    print(work.process(paced, MultiSink(*sinks)))
    if options.output is not None:
        print(f"wrote {options.output}")


class _Work:
    """What is done with each frame, ready before any camera or file is opened."""

    def __init__(self, options: argparse.Namespace) -> None:
        from seglib.images import read_image
        from seglib.video import Composer, VideoBackground, smoother
        from seglib.video.sinks import CODECS

        if options.frames is not None and options.frames < 1:
            raise SeglibError(f"--frames is {options.frames}; give 1 or more")
        config, self.picture = shared.effect(options)
        if self.picture is None:
            scene = None
        elif self.picture.suffix.lower() in CODECS:
            scene = VideoBackground(self.picture)
        else:
            scene = read_image(self.picture)
        self._smooth = smoother(options.smooth)
        self._compose = Composer(config, scene)
        segment = shared.segmenter(options, options.model or options.task)
        # The network's own small mask where it is to be had: enlarging it is the pipeline's work.
        self._segment = getattr(segment, "raw", segment)
        self._options = options

    def process(self, source: "Source", sink: "Sink", max_lag: int = 0) -> "Report":
        from seglib.video import process

        return process(
            source,
            self._segment,
            self._compose,
            sink,
            smooth=self._smooth,
            max_lag=max_lag,
            limit=self._options.frames,
            label=self._options.stats,
            progress=True,
        )
