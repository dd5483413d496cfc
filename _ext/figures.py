"""Figures that keep their place while a page loads, and that load quickly.

A chapter draws twice as many dots as a page has pixels, for dense screens, and says how wide and
high the figure is to be shown. As attributes of the image these two hold its place; as a style
they would also hold where the page is narrower. A palette makes a third of the file.
"""

from pathlib import Path

from docutils import nodes
from PIL import Image


def pixels(node, side):
    """Return the image's width or height in pixels, or None where it has none."""
    length = str(node.get(side, "")).removesuffix("px")
    return int(length) if length.isdigit() else None


def visit(translator, node):
    """Write the image, with width and height as attributes if it has both."""
    width, height = pixels(node, "width"), pixels(node, "height")
    if width and height:
        del node["width"], node["height"]
    type(translator).visit_image(translator, node)
    if width and height:
        translator.body[-1] = translator.body[-1].replace(
            "<img ", f'<img width="{width}" height="{height}" ', 1
        )


def depart(translator, node):
    """End the image as the translator does."""
    type(translator).depart_image(translator, node)


def shrink(file):
    """Write an opaque PNG again with a palette of 256 colours, to which all its own are close."""
    with Image.open(file) as image:
        image.load()
    if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
        look = {"method": Image.Quantize.MAXCOVERAGE, "dither": Image.Dither.NONE}
        image.convert("RGB").quantize(**look).save(file, optimize=True)


def shrink_all(app, env):
    """Shrink the figures of all executed chapters before they are copied into the site."""
    for file in sorted(Path(app.outdir).parent.glob("jupyter_execute/*.png")):
        shrink(file)


def setup(app):
    """Write images by these functions."""
    app.add_node(nodes.image, override=True, html=(visit, depart))
    app.connect("env-updated", shrink_all)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
