"""The tables of bench/versus as Markdown, from its result."""

NOTES = """\
Rates: the highest at which each direction loses at most 0.1 % for {seconds} s. `>=`: the generator,
not the server, was the limit, or the search ended first; `<=`: so it was for what a ratio is to;
`?`: for both. Over vhost the wire holds back instead of losing, so the rate is what comes through
while it is full. Latency: from when a packet was due, worse direction, best of five trials.
Allocations: 401, Allocate and ChannelBind of new clients; the ideal relay asks for no credentials.
CPU: of the server's threads; what the kernel does to receive a frame runs on its sender's CPU here,
for all alike. turnpike polls: its CPU of packets is an upper bound, and its CPU of an allocation is
that of the control core and of four relayed packets. Memory: resident and 2 MiB pages, without what
the kernel keeps for sockets."""
BUSY = """\
Other programs of the machine took CPU time meanwhile, as the table says: rates are lower, and
latencies higher, than the servers' own."""


def number(value, figure):
    return f"{value * figure['scale']:,.{figure['digits']}f}"


def cell(row, figure):
    """Median (least .. most)."""
    if not row:
        return "-"
    text = f"{row['bound']} {number(row['median'], figure)}".strip()
    if len(row["rounds"]) > 1:
        text += f" ({number(row['min'], figure)} .. {number(row['max'], figure)})"
    return text


def ratio_cell(row):
    return cell(row, {"scale": 1, "digits": 2})


def table(columns, figures, put):
    """Rows of cells, the header first, of {column: {figure: summary}}; without empty rows."""
    rows = [["", *columns]]
    for key, figure in figures.items():
        cells = [put(column.get(key), figure) for column in columns.values()]
        if set(cells) != {"-"}:
            rows.append([figure["name"], *cells])
    return rows


def figures_table(result):
    figures = {key: {**figure, "name": f"{figure['name']}, {figure['unit']}"}
               for key, figure in result["figures"].items()}
    return table({server["name"]: server["figures"] for server in result["servers"]}, figures, cell)


def ratios_table(result):
    return table(result["ratios"], result["figures"], lambda row, _: ratio_cell(row))


def targets_table(result):
    return [["target", "wanted", "ratio", ""]] + [
        [row["name"], row["wanted"], ratio_cell(row["ratio"]),
         row["verdict"] + (", on a busy machine" if result["busy"] else "")]
        for row in result["targets"] if row["ratio"]]


def head(result):
    return f"{result['date'][:10]}, {result['machine']}, Linux {result['kernel']}; " \
           f"rounds: {result['rounds']}, generator on {result['wire']}"


def remarks(result):
    """What each server is, or why it is missing; what failed."""
    return [f"{server['name']}: {server['missing'] or server['what']}"
            for server in result["servers"]] + result["failures"]


def notes(result):
    text = NOTES.format(seconds=result["seconds"])
    return f"{BUSY}\n{text}" if result["busy"] else text


def markdown(rows):
    lines = [rows[0], ["---"] * len(rows[0]), *rows[1:]]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def print_tables(result):
    print(f"`{result['command']}`, {head(result)}\n")
    for rows in (figures_table(result), ratios_table(result), targets_table(result)):
        if len(rows) > 1:
            print(f"{markdown(rows)}\n")
    print(f"{notes(result)}\n")
    print("\n".join(f"- {remark}" for remark in remarks(result)))
