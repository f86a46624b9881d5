"""The result of bench/versus as one page of HTML that loads nothing, in the look of turnpike-load's
own pages: the style sheet is theirs."""
import html
import math

from versus_text import (figures_table, head, notes, number, ratios_table, remarks,
                         targets_table)

WIDTH, LEFT, RIGHT, TOP, ROW = 520, 118, 96, 8, 34
AXIS = 24
COLOURS = {"coturn": "down", "ideal": "mid", "turnpike": "up", "turnpike-vhost": "good"}
STYLE = """
.row{font-weight:600}.dot{fill-opacity:.45}.mark{stroke:var(--c);stroke-width:3}
svg text.value{text-anchor:start;fill:var(--ink)}
.verdict{margin-top:8px}@media print{@page{size:landscape}}"""


def escape(value):
    return html.escape(str(value))


def table(rows):
    lines = ["".join(f"<th>{escape(text)}" for text in rows[0])]
    lines += ["".join(f"<td>{escape(text)}" for text in row) for row in rows[1:]]
    body = "".join(f"<tr>{line}</tr>\n" for line in lines)
    return f"<div class=scroll><table>{body}</table></div>\n"


class Scale:
    """Logarithmic, in whole powers of ten: servers differ by factors."""

    def __init__(self, values):
        self.first = math.floor(math.log10(min(values)))
        self.last = max(math.ceil(math.log10(max(values))), self.first + 1)

    def place(self, value):
        share = (math.log10(value) - self.first) / (self.last - self.first)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def ticks(self):
        return [10.0 ** power for power in range(self.first, self.last + 1)]


def plot_row(server, row, figure, scale, y):
    """A dot for each round and a stroke for the median."""
    dots = "".join(
        f"<circle class=dot cx={scale.place(each['value'] * figure['scale']):.1f} cy={y} r=4>"
        f"<title>{escape(each['bound'])} {number(each['value'], figure)}</title></circle>"
        for each in row["rounds"])
    x = scale.place(row["median"] * figure["scale"])
    label = f"{row['bound']} {number(row['median'], figure)}".strip()
    return (f"<g style='--c:var(--{COLOURS[server]})'>"
            f"<text class='y row' x={LEFT - 10} y={y + 4}>{server}</text>{dots}"
            f"<path class=mark d='M{x:.1f} {y - 10}v20'/>"
            f"<text class=value x={WIDTH - RIGHT + 12} y={y + 4}>{escape(label)}</text></g>\n")


def plot(result, key):
    figure = result["figures"][key]
    rows = [(server["name"], server["figures"][key]) for server in result["servers"]
            if key in server["figures"]]
    values = [each["value"] * figure["scale"] for _, row in rows for each in row["rounds"]]
    if not values or min(values) <= 0:
        return ""
    scale = Scale(values)
    bottom = TOP + ROW * len(rows)
    svg = "".join(f"<path class=grid d='M{scale.place(tick):.1f} {TOP}V{bottom}'/>"
                  f"<text x={scale.place(tick):.1f} y={bottom + 16}>{tick:,g}</text>"
                  for tick in scale.ticks())
    svg += "".join(plot_row(name, row, figure, scale, TOP + ROW * i + ROW // 2)
                   for i, (name, row) in enumerate(rows))
    better = f", {figure['better']} is better" if figure["better"] else ""
    return (f"<figure><figcaption><b>{escape(figure['name'])}</b><span class=unit>"
            f"{figure['unit']}{better}</span></figcaption>\n<svg viewBox='0 0 {WIDTH} "
            f"{bottom + AXIS}' role=img aria-label='{escape(figure['name'])}'>{svg}</svg>"
            "</figure>\n")


def verdicts(rows):
    lines = []
    for name, wanted, ratio, verdict in rows:
        style = "verdict" if verdict.startswith("met") else "verdict bad"
        lines.append(f"<div class='{style}'><b>{verdict}</b> {escape(name)}: {escape(ratio)}, "
                     f"wanted {wanted}</div>\n")
    return "".join(lines)


def write_page(result, style, path):
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8>"
        "<meta name=viewport content='width=device-width,initial-scale=1'>"
        f"<title>turnpike versus others, {result['date'][:10]}</title>",
        f"<style>{style}{STYLE}</style>",
        f"<main><h1>turnpike versus others</h1><p class=sub>{escape(head(result))}</p>",
        verdicts(targets_table(result)[1:]),
        "<h2>Every round, and the median</h2><div class=plots>",
        *(plot(result, key) for key in result["figures"]),
        "</div><h2>Figures: median (least .. most)</h2>",
        table(figures_table(result)),
        "<h2>Ratios within a round: median (least .. most)</h2>",
        table(ratios_table(result)),
        f"<h2>What they mean</h2><p>{escape(notes(result).replace('`', ''))}</p><ul>",
        *(f"<li>{escape(remark)}" for remark in remarks(result)),
        f"</ul><h2>Command</h2><code>{escape(result['command'])}</code>",
        f"<footer>Revision {escape(result['revision'])}.</footer></main></html>\n",
    ]
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n".join(parts))
