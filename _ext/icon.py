"""Draw the logo as a picture for a phone's home screen, which takes no SVG."""

from pathlib import Path
from xml.etree import ElementTree

from fontTools.pens.recordingPen import RecordingPen
from fontTools.svgLib.path import parse_path
from matplotlib import path as outlines
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch

ICON = "_static/touch-icon.png"
PIXELS = 180
CODES = {
    "moveTo": [outlines.Path.MOVETO],
    "lineTo": [outlines.Path.LINETO],
    "curveTo": [outlines.Path.CURVE4] * 3,
}


def outline(description):
    """Return the outline that the d of an SVG's path describes."""
    pen = RecordingPen()
    parse_path(description, pen)
    steps = [(command, points) for command, points in pen.value if command in CODES]
    return outlines.Path(
        [point for _, points in steps for point in points],
        [code for command, _ in steps for code in CODES[command]],
    )


def draw(logo, target):
    """Draw the logo's tile and curves; the tile fills the square, as a phone rounds it itself."""
    root = ElementTree.parse(logo).getroot()
    side = float(root.get("viewBox").split()[-1])
    picture = Figure((1, 1), dpi=PIXELS, facecolor=root.find("{*}rect").get("fill"))
    ax = picture.add_axes((0, 0, 1, 1), xlim=(0, side), ylim=(side, 0))
    ax.axis("off")
    for curve in root.iterfind("{*}path"):
        look = {
            "edgecolor": curve.get("stroke"),
            "linewidth": 72 * float(curve.get("stroke-width")) / side,
            "capstyle": curve.get("stroke-linecap", "butt"),
        }
        ax.add_patch(PathPatch(outline(curve.get("d")), fill=False, **look))
    picture.savefig(target)


def name_the_icon(app, pagename, templatename, context, doctree):
    """Tell a phone where the picture is."""
    link = (
        f'<link rel="apple-touch-icon" href="{context["pathto"](ICON, resource=True)}">'
    )
    context["metatags"] = context.get("metatags", "") + link


def add_icon(app, exception):
    """Draw the picture into the built site."""
    if exception is None and app.builder.format == "html":
        draw(Path(app.srcdir, app.config.html_logo), Path(app.outdir, ICON))


def setup(app):
    """Name the icon on each page, and draw it when they are written."""
    app.connect("html-page-context", name_the_icon)
    app.connect("build-finished", add_icon)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
