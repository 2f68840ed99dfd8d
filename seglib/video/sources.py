"""Where frames come from, by what the caller names: a camera, a video file, a folder of pictures.

Chapter: real-time video.
"""

import re
from pathlib import Path
from typing import Any

from seglib.errors import SeglibError
from seglib.images import read_image
from seglib.video.capture import Camera, VideoFile
from seglib.video.frames import USUAL_FPS, Frame, Source, checked_rate

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
"""Suffixes of the files that a folder is searched for."""


class PictureFolder:
    """The pictures of a folder, in the order of their names, where frame2 comes before frame10.

    A picture that cannot be read is left out, and `note` says so. Attributes: those of `Source`.
    Chapter: real-time video.
    """

    live = False

    def __init__(self, folder: str | Path, fps: float = USUAL_FPS) -> None:
        """List a folder.

        Args:
            folder: where JPEG, PNG or WebP files lie; folders in it are not searched.
            fps: at how many a second they are to be shown.

        Raises:
            SeglibError: there is no such folder, it holds no pictures, or `fps` is not above 0.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise SeglibError(f"there is no folder {folder}; give one with pictures")
        files = [file for file in folder.iterdir() if file.suffix.lower() in PICTURES]
        if not files:
            raise SeglibError(f"{folder} holds no pictures ({', '.join(PICTURES)}); add some")
        self.name, self.note = str(folder), ""
        self.fps, self.count = checked_rate(fps), len(files)
        self._files = sorted(files, key=_natural)
        self._place = self._given = self._broken = 0
        self._first = ""

    def read(self) -> Frame | None:
        """Return the next picture, or None at the end.

        Raises:
            SeglibError: not one picture of the folder could be read.
        """
        while self._place < len(self._files):
            file = self._files[self._place]
            self._place += 1
            try:
                image = read_image(file)
            except SeglibError as error:
                self._broken += 1
                self._first = self._first or str(error)
                self.note = (
                    f"{self.name} has {self._broken} unreadable picture(s), left out: {self._first}"
                )
                continue
            self._given += 1
            return Frame(self._given - 1, (self._given - 1) / self.fps, image)
        if not self._given:
            raise SeglibError(f"{self.note}; add pictures that can be read")
        return None

    def close(self) -> None:
        """Forget the files that are left."""
        self._files = self._files[: self._place]


def open_source(what: int | str | Path, fps: float = USUAL_FPS, **camera: Any) -> Source:
    """Open a camera by its number, a folder of pictures, or a video file.

    Args:
        what: 0, "0", a folder or a file.
        fps: the rate of a folder.
        camera: further arguments of `Camera`.

    Raises:
        SeglibError: there is no such thing, or it cannot be read.

    Chapter: real-time video.
    """
    if isinstance(what, int) or (str(what).isdigit() and not Path(what).exists()):
        return Camera(int(what), **camera)
    if Path(what).is_dir():
        return PictureFolder(what, fps)
    return VideoFile(what)


def _natural(file: Path) -> list[tuple[int, str]]:
    """Order names by the numbers in them."""
    return [
        (int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", file.name)
    ]
