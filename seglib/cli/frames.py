"""`seglib demo`, `webcam` and `video`: photos and frames in, finished ones out."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from typing import Annotated as A

from seglib.cli.models import Channel, Range, keep, segmenter
from seglib.errors import SeglibError
from seglib.files import list_files

if TYPE_CHECKING:
    from seglib.postprocess import PostprocessConfig
    from seglib.video import Report, Sink, Source

PICTURES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class Effect:
    """What a picture becomes, and by which network: options that three commands share."""

    task: A[Literal["portrait", "hair"], "change what is behind the person, or dye"] = "portrait"
    background: A[
        str | None,
        "portrait: blur, bokeh or grey; transparent cuts it away; a colour such as #00ff00 or a "
        "picture's file is put there [the preset's, or blur]",
    ] = None
    color: A[tuple[int, int, int] | None, "hair: RGB, 0 to 255 [255 0 0]"] = None
    strength: A[float | None, "hair: 0 (nothing) to 1 (full dye) [1]"] = None
    preset: A[str, "how the mask is cleaned and enlarged; a wrong one lists them"] = "default"
    model: A[str | None, ".tflite file or shipped name [the task's]"] = None
    channel: Channel = None
    value_range: Range = None

    def config(self) -> tuple["PostprocessConfig", Path | None]:
        """Return the settings that the options ask for, and the new background's file.

        The preset's own effect stays where it suits the task and needs no picture that is not
        there.
        """
        from seglib.postprocess import preset

        for name in ("background",) if self.task == "hair" else ("color", "strength"):
            if getattr(self, name) is not None:
                raise SeglibError(f"--{name} does not go with --task {self.task}; leave it out")
        own, chosen, picture = preset(self.preset).effect, self.background, None
        if self.task == "hair":
            changes = {"effect": own if own in ("recolour", "multiply") else "recolour"}
            changes |= {"color": self.color or (255, 0, 0)}
            changes |= {} if self.strength is None else {"strength": self.strength}
        elif chosen in (None, "blur", "bokeh", "grey"):
            changes = {"effect": chosen or (own if own in ("blur", "bokeh", "grey") else "blur")}
        elif chosen == "transparent" or chosen.startswith("#"):
            changes = {"effect": "replace", "background": chosen}
        else:
            changes, picture = {"effect": "clone" if own == "clone" else "replace"}, Path(chosen)
        return preset(self.preset, **changes), picture

    def segment(self) -> Callable:
        """Return what gives a photo's mask, the network's own small one where it is to be had.

        Enlarging it is the pipeline's work.
        """
        found = segmenter(self.model or self.task, self.channel, self.value_range)
        return getattr(found, "raw", found)


@dataclass(frozen=True)
class VideoEffect(Effect):
    """What is done with each frame of a camera or a video."""

    smooth: A[str, "none, ema, motion or one-euro: how masks are steadied"] = "motion"
    frames: A[int | None, "end after so many frames"] = None
    stats: A[bool, "write rate, lag and dropped frames into the picture"] = False

    def work(self) -> Callable[..., "Report"]:
        """Return `seglib.video.process`, ready before any camera or file is opened."""
        from seglib.images import read_image
        from seglib.video import Composer, VideoBackground, process, smoother
        from seglib.video.sinks import CODECS

        if self.frames is not None and self.frames < 1:
            raise SeglibError(f"--frames is {self.frames}; give 1 or more")
        (config, picture), scene = self.config(), None
        if picture is not None:
            moves = picture.suffix.lower() in CODECS
            scene = VideoBackground(picture) if moves else read_image(picture)
        return functools.partial(
            process,
            smooth=smoother(self.smooth),
            compose=Composer(config, scene),
            segment=self.segment(),
            limit=self.frames,
            label=self.stats,
            progress=True,
        )


def demo(
    *,
    image: A[Path, "the photo, or a folder of photos"],
    output: A[Path | None, ".jpg, .png ..., or a folder for a folder"] = None,
    mask: A[Path | None, "write the bare mask too, as a grey .png"] = None,
    effect: Effect,
) -> None:
    """Dye the hair of a photo, or change its background or cut it away.

    With a folder, each of its photos. For example: seglib demo --task portrait --image me.jpg
    --background transparent --output me.png
    """
    from seglib.images import read_image, write_image, write_mask
    from seglib.postprocess import Pipeline, cover

    if output is None and mask is None:
        raise SeglibError("there is nothing to write; give --output or --mask")
    config, picture = effect.config()
    scene = None if picture is None else read_image(picture)
    # A photo that cannot be read is said before any model is loaded.
    first = None if image.is_dir() else read_image(image)
    segment, pipeline = effect.segment(), Pipeline(config)
    for photo_path, *paths in _photos(image, output, mask, config.background == "transparent"):
        for path in filter(None, paths):
            keep(path, photo_path, picture)
        photo = read_image(photo_path) if first is None else first
        alpha = pipeline.alpha(photo, segment(photo))
        if paths[0] is not None:
            behind = None if scene is None else cover(scene, photo.shape[:2])
            write_image(paths[0], pipeline.compose(photo, alpha, behind))
        if paths[1] is not None:
            write_mask(paths[1], alpha)
    print(f"wrote {' and '.join(str(path) for path in (output, mask) if path)}")


def _photos(
    image: Path, output: Path | None, mask: Path | None, clear: bool
) -> Iterator[tuple[Path, Path | None, Path | None]]:
    """Yield each photo with where its picture and its mask go; a folder's under its own names."""
    if not image.is_dir():
        yield image, output, mask
        return
    from tqdm.auto import tqdm

    files = list_files(image, PICTURES)
    if not files:
        raise SeglibError(f"{image} holds no pictures ({', '.join(PICTURES)}); add some")
    stems = [file.stem for file in files]
    for file in tqdm(files, unit="photo", desc=str(image)):
        # Two photos of one stem, such as me.jpg and me.png, must not overwrite each other.
        name = file.stem if stems.count(file.stem) == 1 else file.name.replace(".", "_")
        suffix = ".png" if clear else file.suffix
        yield file, output and output / f"{name}{suffix}", mask and mask / f"{name}.png"


def webcam(
    *,
    camera: A[str, "which one: number, device or URL"] = "0",
    rate: A[float | None, "frames a second to ask the camera for"] = None,
    size: A[tuple[int, int] | None, "width and height to ask the camera for"] = None,
    pixel_format: A[str | None, "such as MJPG or YUYV"] = None,
    backend: A[str | None, "how OpenCV opens it, such as v4l2 or dshow"] = None,
    mirror: A[bool, "flip left and right"] = True,
    max_lag: A[int, "show frames with a mask so many frames older, sooner than wait"] = 0,
    output: A[Path | None, "record to .mp4, .avi ..."] = None,
    virtual: A[bool, "send the frames to a virtual camera (pyvirtualcam)"] = False,
    window: A[bool | None, "show a window; q or Escape ends [where there is a display]"] = None,
    effect: VideoEffect,
) -> None:
    """Show or record a camera with its background or hair changed."""
    from seglib.video import Camera, VideoWriter, VirtualCamera, Window, has_display

    which = int(camera) if camera.isdigit() else camera
    asked = {"fps": rate, "pixel_format": pixel_format, "backend": backend}

    def sinks(source: "Source") -> Iterator["Sink"]:
        if virtual:
            yield VirtualCamera(source.fps)
        # A window by default; where there is no display, a recording is enough.
        if window or (window is None and (has_display() or not (output or virtual))):
            yield Window(source.name)
        if output is not None:
            yield VideoWriter(output, source.fps)

    opened = functools.partial(Camera, which, size and size[::-1], mirror, **asked)
    _stream(effect.work(), opened, sinks, output, max_lag=max_lag)


def video(
    *,
    input_: A[str, "a video, or a folder of pictures"],
    output: A[
        Path | None,
        ".mp4, .avi ..., with the input's sound where ffmpeg is installed; a name without suffix "
        "is a new folder of PNG files, which keeps transparency",
    ] = None,
    fps: A[float, "rate of a folder of pictures"] = 30.0,
    window: A[bool, "show it; without --output at its own pace, dropping late frames"] = False,
    effect: VideoEffect,
) -> None:
    """Change the background or the hair in a video or a folder of pictures."""
    from seglib.video import FolderSink, PictureFolder, RealTimeSource, VideoWriter, Window
    from seglib.video import open_source as open_any

    if output is None and not window:
        raise SeglibError("there is nowhere to show the video; give --output FILE or --window")
    if input_.isdigit() and not Path(input_).exists():
        raise SeglibError(f"{input_} is no file; for a camera there is seglib webcam")
    work = effect.work()
    if output is not None:
        keep(output, Path(input_), effect.config()[1])

    def sinks(source: "Source") -> Iterator["Sink"]:
        if window:
            yield Window(source.name)
        if output is not None and output.suffix:
            sound = None if isinstance(source, PictureFolder) else input_
            yield VideoWriter(output, source.fps, sound_from=sound)
        elif output is not None:
            yield FolderSink(output)

    def opened() -> "Source":
        source = open_any(input_, fps)
        return RealTimeSource(source) if output is None else source

    _stream(work, opened, sinks, output)


def _stream(
    work: Callable, opened: Callable, sinks: Callable, output: Path | None, **options: Any
) -> None:
    """Run from a source to what `sinks` yields for it; where these fail, the source is closed."""
    from seglib.video import MultiSink

    with contextlib.ExitStack() as undo:
        source = opened()
        undo.callback(source.close)
        made = list(sinks(source))
        if not made:
            raise SeglibError("there is nowhere to show the camera; give --window or --output FILE")
        undo.pop_all()
    print(work(source, sink=MultiSink(*made), **options))
    if output is not None:
        print(f"wrote {output}")
