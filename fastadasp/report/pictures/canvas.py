"""Figures of matplotlib that need no pyplot, and that notebooks show."""

from io import BytesIO

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


class Drawing(Figure):
    """A Figure with the canvas that writes files. A notebook shows it as it stands: pyplot need not be imported."""

    def __init__(self, width: float, height: float) -> None:
        """width, height: inches."""
        super().__init__(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(self)

    def png(self) -> bytes:
        """The drawing as the content of a PNG file."""
        file = BytesIO()
        self.savefig(file, format="png", dpi=100)
        return file.getvalue()

    def _repr_png_(self) -> bytes:
        """What IPython asks the last value of a cell for."""
        return self.png()
