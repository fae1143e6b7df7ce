"""The page: complete without a network, and names of others are no markup in it."""

import html
import json
import re
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path

from fastadasp.report.blocks import blocks
from fastadasp.report.gather import gather
from fastadasp.report.layouts.markdown import markdown
from fastadasp.report.page.content import content
from fastadasp.report.page.interactive import figure
from fastadasp.report.page.page import as_data, write_page
from fastadasp.report.pictures.charts import Chart, Line, spread
from fastadasp.report.pictures.layers import heat_maps
from fastadasp.report.pictures.printed import drawn
from fastadasp.report.pictures.quality import quality_against_cost
from fastadasp.report.pictures.style import looks
from tests.helpers.finished_run import write_run

EVIL = '</script><img src=x onerror=alert(1)><b>"'


def page(root: Path, title: str = "A page") -> str:
    file = root / "page.html"
    write_page(content(gather([root], resamples=100), title), file)
    return file.read_text(encoding="utf-8")


def test_the_page_loads_nothing_and_names_are_text_in_it(tmp_path: Path) -> None:
    write_run(tmp_path, "none", 36, more={"model": EVIL})
    write_run(tmp_path, EVIL, 30, 0.3, more={"model": EVIL}, flops_reduction=0.3)
    text = page(tmp_path, EVIL)
    assert EVIL not in text and "<img src=x" not in text
    assert "default-src 'none'" in html.unescape(text)
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", own), "no address outside of the page"
    assert json.loads(as_data({"a": EVIL})) == {"a": EVIL}


def test_the_page_holds_every_score_and_all_answers(tmp_path: Path) -> None:
    write_run(tmp_path, "none", 36)
    write_run(tmp_path, "fastadasp", 31, 0.3, flops_reduction=0.3)
    text = page(tmp_path)
    assert "90.0" in text and "77.5" in text
    (clips,) = json.loads(re.search(r'id="answers">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert [run["answers"].count("sad") for run in clips["runs"]] == [36, 31]


def test_thirty_methods_are_told_apart_and_labels_do_not_cover_each_other_or_data(tmp_path: Path) -> None:
    add = partial(write_run, tmp_path)
    add("none", 36)
    for number in range(30):
        for amount in (0.1, 0.3):
            add(f"method{number}", 36 - number % 4, amount + number / 10_000, flops_reduction=amount)
    (table,) = gather([tmp_path], resamples=40).tables
    (block,) = blocks(table)
    chart = quality_against_cost(block, chosen=[f"method{number}" for number in range(12)])
    seen = {(line.look.colour, line.look.dash, line.look.marker, line.look.hollow) for line in chart.lines}
    assert len(seen) >= 22
    notes = figure(chart)["layout"]["annotations"]
    assert len(notes) >= 13
    heights = sorted(note["ay"] for note in notes)
    low, high = figure(chart)["layout"]["yaxis"]["range"]
    assert min(b - a for a, b in pairwise(heights)) > 0.9 * (high - low) / 30
    assert all(note["ax"] > max(max(line.x) for line in chart.lines) for note in notes)


def test_methods_of_the_package_all_look_different() -> None:
    from tests.helpers.configs import METHODS

    families = {name: ("decoder", "input", "cache")[place % 3] for place, name in enumerate(METHODS)}
    assert len(set(looks(families).values())) == len(families)


def test_labels_keep_their_order_their_distance_and_their_bounds() -> None:
    places = [0.5, 0.51, 0.5, 0.9, 0.0, 1.0, 0.99]
    found = spread(places, 0.1, 0.0, 1.0)
    ordered = [found[i] for i in sorted(range(len(places)), key=lambda i: places[i])]
    assert ordered == sorted(ordered)
    assert min(b - a for a, b in pairwise(ordered)) >= 0.1 - 1e-9
    assert min(found) >= 0 and max(found) <= 1
    assert spread([0.2, 0.8], 0.1, 0.0, 1.0) == [0.2, 0.8], "labels with room stay where they belong"


def test_layers_and_amounts_make_a_heat_map(tmp_path: Path) -> None:
    write_run(tmp_path, "none", 36)
    for layer in (0, 2):
        for ratio, right in ((0.1, 36), (0.3, 30 + layer)):
            write_run(tmp_path, "fastadasp", right, ratio, ratio=ratio, layer=layer)
    (table,) = gather([tmp_path], resamples=40).tables
    (heat,) = heat_maps(blocks(table)[0])
    assert (heat.y, heat.z) == (["0", "2"], [[90.0, 75.0], [90.0, 80.0]])


def test_axes_are_not_stretched_by_intervals_that_reach_down_to_nothing() -> None:
    (look,) = looks({"a": "decoder"}).values()
    line = Line("a", "decoder", look, [1.0, 2.0], [3.0, 30.0], ["", ""], [0.01, 20.0], [9.0, 40.0], chosen=True)
    low, high = figure(Chart("t", "x", "y", [line], logarithmic=True))["layout"]["yaxis"]["range"]
    assert 0.5 < 10**low < 1.0 and 40 < 10**high < 60
    low, _ = figure(Chart("t", "x", "y", [line]))["layout"]["yaxis"]["range"]
    assert low < 0.01


def test_labels_have_room_and_long_ones_are_shortened_with_the_whole_name_at_hand() -> None:
    long = "a method with a name of more letters than any chart has room for"
    found = {}
    for name in ("short", long):
        (look,) = looks({name: "decoder"}).values()
        line = Line(name, "decoder", look, [1.0], [3.0], [""], chosen=True)
        layout = figure(Chart("t", "x", "y", [line]))["layout"]
        (note,) = layout["annotations"]
        found[name] = layout["margin"]["r"]
        assert note["hovertext"] == name and len(note["text"]) <= 34
    assert found["short"] < found[long] < 350


def test_points_without_lines_are_not_muted_and_lines_of_no_family_have_no_legend() -> None:
    (look,) = looks({"a": "unknown"}).values()
    line = Line("a", "unknown", look, [1.0, 2.0], [3.0, 4.0], ["", ""])
    (points,) = figure(Chart("t", "x", "y", [line], joined=False))["data"]
    assert (points["opacity"], points["mode"]) == (1, "markers")
    (lines,) = figure(Chart("t", "x", "y", [line]))["data"]
    assert lines["opacity"] < 1


def test_a_table_of_few_examples_says_so(tmp_path: Path) -> None:
    write_run(tmp_path, "none", 36)
    (table,) = gather([tmp_path], resamples=40).tables
    assert table.sized == "40 examples"
    few = replace(table, examples=4)
    assert few.sized.startswith("4 examples, so few that") and few.sized in markdown(few)


def test_a_notebook_shows_a_picture_without_pyplot() -> None:
    shown = drawn(Chart("t", "x", "y", []))._repr_png_()
    assert size_of(shown) == (900, 480)


def size_of(png: bytes) -> tuple[int, int]:
    """Width and height from the header of a PNG file."""
    assert png.startswith(b"\x89PNG")
    return int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")


def test_an_empty_chart_can_be_drawn() -> None:
    assert figure(Chart("t", "x", "y", []))["data"] == []
