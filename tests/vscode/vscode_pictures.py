"""Pictures of the window for README, site and marketplace: sharp, of few colours, of a bounded size.

`make pictures` sets LLMSTEP_PICTURES. Only then the tests put their pictures into the repository.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from playwright.async_api import FloatRect
    from vscode_window import Window

ROOT = Path(__file__).parents[2]
SITE, MEDIA = ROOT / "docs" / "images", ROOT / "vscode-extension" / "media"
LARGEST = 150_000
"""Bytes of one picture."""
LARGEST_ANIMATION = 500_000


async def shot(window: Window, clip: FloatRect | None = None) -> Image.Image:
    """What the window shows, or a part of it in CSS pixels."""
    await window.page.wait_for_timeout(300)  # fonts and shadows of what has just appeared
    return Image.open(io.BytesIO(await window.page.screenshot(clip=clip))).convert("RGB")


def keep(window: Window, picture: Image.Image, name: str, *folders: Path) -> Path:
    """Keep a picture among those of this run, and with LLMSTEP_PICTURES in folders of the repository."""
    file = window.pictures / f"{name}.png"
    few(picture).save(file, optimize=True)
    assert file.stat().st_size < LARGEST, f"{file} has {file.stat().st_size} bytes"
    return publish(file, *folders)


def animation(window: Window, frames: Sequence[tuple[Image.Image, int]], name: str, *folders: Path) -> Path:
    """Keep an animation like a picture; each frame has its milliseconds."""
    pictures = [frame for frame, _ in frames]
    width, height = pictures[0].size
    sheet = Image.new("RGB", (width, height * len(pictures)))
    for index, picture in enumerate(pictures):
        sheet.paste(picture, (0, index * height))
    palette = few(sheet)  # one for all, else colours flicker
    first, *rest = (picture.quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures)
    file = window.pictures / f"{name}.gif"
    first.save(file, save_all=True, append_images=rest, duration=[time for _, time in frames], loop=0, optimize=True)
    assert file.stat().st_size < LARGEST_ANIMATION, f"{file} has {file.stat().st_size} bytes"
    return publish(file, *folders)


def few(picture: Image.Image) -> Image.Image:
    """The picture in 256 colours: those of text, which are few and strong, among them."""
    return picture.quantize(256, method=Image.Quantize.FASTOCTREE, kmeans=1, dither=Image.Dither.NONE)


def publish(file: Path, *folders: Path) -> Path:
    if os.environ.get("LLMSTEP_PICTURES"):
        for folder in folders:
            (folder / file.name).write_bytes(file.read_bytes())
    return file
