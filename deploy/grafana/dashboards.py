"""Writes Grafana's dashboards to deploy/grafana/dashboards: `make docs`.

The builders are typed as Grafana's schema is, so mypy finds what Grafana would not know.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, Literal

from grafana_foundation_sdk.builders import (
    common,
    dashboard,
    prometheus,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    FieldTextAlignment,
    LegendDisplayMode,
    LegendPlacement,
    LineInterpolation,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DataTransformerConfig,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
    VariableOption,
    VariableRefresh,
)
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.text import TextMode

HERE: Final = Path(__file__).parent
RUNBOOKS: Final = HERE.parents[1] / "docs" / "operations.md"
OUT: Final = HERE / "dashboards"
SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
WALL: Final = "http://127.0.0.1:8080"
GREEN, YELLOW, RED = "green", "yellow", "red"
HALF, THIRD, QUARTER, WHOLE = 12, 8, 6, 24
HEIGHT: Final = 8
OF_NODE: Final = 'node="$node"'
COUNTED: Final = frozenset({"fps", "cps", "short"})
COLORED: Final = {"type": "color-text"}
NO_OR_YES: Final = ValueMap(
    options={
        "0": ValueMappingResult(text="no", color=RED),
        "1": ValueMappingResult(text="yes", color=GREEN),
    }
)

Query = tuple[str, str]  # a legend and an expression


def main() -> None:
    """Write all of them."""
    OUT.mkdir(exist_ok=True)
    for name, text_ in dashboards().items():
        (OUT / name).write_text(text_)


def dashboards() -> dict[str, str]:
    """Each file's name and content."""
    built = {"fleet": fleet(), "node": node(), "hub": hub(), "runbooks": runbooks()}
    return {
        f"{name}.json": JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"
        for name, board in built.items()
    }


def fleet() -> dashboard.Dashboard:
    """All nodes, the worst first."""
    return (
        _board("fleet", "camfleet fleet")
        .with_panel(_number("Nodes online", "sum(camfleet:node_online:bool)"))
        .with_panel(
            _number("Nodes offline", "count(camfleet:node_online:bool == 0) or vector(0)", bad=1)
        )
        .with_panel(
            _number("Cameras online", "sum(max by (node, camera) (camfleet_camera_online))")
        )
        .with_panel(
            _number(
                "Alerts",
                'count(ALERTS{alertstate="firing", severity!="info"}) or vector(0)',
                bad=1,
            )
        )
        .with_panel(_nodes())
        .with_panel(
            dashboard.Panel()
            .type("alertlist")
            .title("Alerts, each with its runbook")
            .datasource(SOURCE)
            .options({"viewMode": "list", "datasource": "Prometheus", "maxItems": 50})
            .span(HALF)
            .height(HEIGHT)
        )
        .with_panel(
            _plot(
                "Frames received",
                "fps",
                ("{{node}}", "sum by (node) (camfleet:camera_received:fps)"),
                sort="lowest",
            )
        )
        .with_panel(
            _plot(
                "From capture to the hub, p95",
                "s",
                ("{{node}}", "camfleet:node_latency_seconds:p95"),
                sort="highest",
            )
        )
        .with_panel(
            _plot(
                "Share of frames lost",
                "percentunit",
                ("{{node}}", "camfleet:node_lost:ratio"),
                sort="highest",
            ).axis_soft_max(0.05)
        )
    )


def node() -> dashboard.Dashboard:
    """One node in depth."""
    stage = f'camfleet:camera_latency_seconds:mean{{{OF_NODE}, camera="$camera", stage=%r}}'
    encoded, sent, received, painted = (
        stage.replace("%r", f'"{name}"') for name in ("encoded", "sent", "received", "painted")
    )
    seen = f"clamp_min({painted} - ignoring (stage) {received}, 0)"
    on_screen = f"{seen} or ignoring (stage) 0 * {received}"  # 0 while nobody looks
    return (
        _board("node", "camfleet node")
        .with_variable(
            dashboard.QueryVariable("node")
            .label("Node")
            .datasource(SOURCE)
            .query("label_values(camfleet_node_online, node)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        )
        .with_variable(
            dashboard.QueryVariable("camera")
            .label("Camera")
            .datasource(SOURCE)
            .query(f"label_values(camfleet_camera_online{{{OF_NODE}}}, camera)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .multi(True)
            .include_all(True)
            .current(VariableOption(text="All", value="$__all"))
        )
        .link(
            dashboard.DashboardLink("This node on the wall")
            .type(DashboardLinkType.LINK)
            .url("${wall}/node/${node}")
            .target_blank(True)
        )
        .with_panel(
            _number("Online", f"camfleet:node_online:bool{{{OF_NODE}}}").mappings([NO_OR_YES])
        )
        .with_panel(
            _number(
                "Silent for",
                f"time() - max(camfleet_node_last_heard_timestamp_seconds{{{OF_NODE}}})",
                unit="s",
                bad=10,
            )
        )
        .with_panel(
            _number(
                "Joins in an hour",
                f"sum(increase(camfleet_node_joins_total{{{OF_NODE}}}[1h]))",
                bad=5,
            )
        )
        .with_panel(
            _number(
                "Clock uncertainty",
                f"max(camfleet_clock_uncertainty_seconds{{{OF_NODE}}})",
                unit="s",
                bad=0.25,
            )
        )
        .with_panel(
            _plot(
                "$camera: latency by stage, and how far it may be off",
                "s",
                ("captured and encoded", encoded),
                ("waited on the node", f"clamp_min({sent} - ignoring (stage) {encoded}, 0)"),
                ("on its way to the hub", f"clamp_min({received} - ignoring (stage) {sent}, 0)"),
                ("to the screen", on_screen),
                ("± uncertainty", f"max(camfleet_clock_uncertainty_seconds{{{OF_NODE}}})"),
                is_stacked=True,
                apart="± uncertainty",
            )
            .span(WHOLE)
            .repeat("camera")  # stages of one camera are a sum, those of two are not
            .max_per_row(2)
        )
        .with_panel(
            _plot(
                "Pictures per second",
                "fps",
                ("{{camera}} asked", f"camfleet:camera_asked:fps{{{OF_NODE}}}"),
                ("{{camera}} captured", f"camfleet:camera_captured:fps{{{OF_NODE}}}"),
                ("{{camera}} received", f"camfleet:camera_received:fps{{{OF_NODE}}}"),
                ("{{camera}} painted", f"sum by (camera) ({_rate('frames_painted')})"),
            )
        )
        .with_panel(
            _plot(
                "Dropped, by place and reason",
                "fps",
                (
                    "{{camera}} {{place}}: {{reason}}",
                    f"sum by (camera, place, reason) ({_rate('frames_dropped')})",
                ),
                is_stacked=True,
            )
        )
        .with_panel(
            _plot(
                "Lost",
                "fps",
                (
                    "{{camera}}",
                    f"sum by (camera) ({_rate('frames_lost')})",
                ),
            )
        )
        .with_panel(
            _plot(
                "Reopened because it hung, in an hour",
                "short",
                (
                    "{{camera}}",
                    f"sum by (camera) (increase(camfleet_camera_restarts_total{{{OF_NODE}}}[1h]))",
                ),
            )
        )
        .with_panel(
            _plot(
                "Window and credit",
                "short",
                ("{{camera}} window", f"max by (camera) (camfleet_window_frames{{{OF_NODE}}})"),
                ("{{camera}} credit", f"max by (camera) (camfleet_credit_frames{{{OF_NODE}}})"),
            )
        )
        .with_panel(
            _plot(
                "Link",
                "s",
                ("round trip", f"max(camfleet_round_trip_seconds{{{OF_NODE}}})"),
                ("clock offset", f"max(camfleet_clock_offset_seconds{{{OF_NODE}}})"),
                lowest=None,
            )
        )
        .with_panel(
            _plot(
                "Bytes",
                "Bps",
                (
                    "{{camera}}",
                    f"sum by (camera) ({_rate('received_bytes')})",
                ),
            )
        )
        .with_panel(_plot("Temperature", "celsius", ("processor", _machine("temperature_celsius"))))
        .with_panel(_plot("Processor", "percentunit", ("busy", _machine("cpu_ratio")), highest=1))
        .with_panel(
            _plot(
                "Memory of the machine",
                "bytes",
                ("used", _machine("machine_memory_used_bytes")),
                ("all", _machine("machine_memory_bytes")),
            )
        )
        .with_panel(
            _plot(
                "Held back",
                "bool_yes_no",
                ("under-voltage", _machine("under_voltage")),
                ("throttled", _machine("throttled")),
                highest=1,
            )
            .decimals(0)
            .line_interpolation(LineInterpolation.STEP_AFTER)
        )
        .with_panel(_plot("Wi-Fi", "dBm", ("signal", _machine("wifi_signal_dbm")), lowest=None))
        .with_panel(
            _plot("Disk free", "percentunit", ("disk", _machine("disk_free_ratio")), highest=1)
        )
        .with_panel(_number("Machine up for", _machine("uptime_seconds"), unit="s"))
    )


def hub() -> dashboard.Dashboard:
    """The hub itself."""
    job = 'job="camfleet"'
    rate = "[$__rate_interval]"
    nothing = 'label_replace(vector(0), "reason", "none", "", "")'  # so that it has a name
    return (
        _board("hub", "camfleet hub")
        .with_panel(_number("Healthy", "min(camfleet_hub_healthy)").mappings([NO_OR_YES]))
        .with_panel(_number("Browsers on the wall", "sum(camfleet_viewers)"))
        .with_panel(_number("Programs that read frames", "sum(camfleet_subscribers)"))
        .with_panel(_number("Up for", f"time() - process_start_time_seconds{{{job}}}", unit="s"))
        .with_panel(
            _plot(
                "Frames",
                "fps",
                ("received", f"sum(rate(camfleet_frames_received_total{rate}))"),
                ("forwarded to programs", f"sum(rate(camfleet_frames_forwarded_total{rate}))"),
            )
        )
        .with_panel(
            _plot("Bytes", "Bps", ("received", f"sum(rate(camfleet_received_bytes_total{rate}))"))
        )
        .with_panel(
            _plot(
                "Time of each port's thread that is used",
                "percentunit",
                ("{{port}}", "camfleet:port_busy:ratio"),
                highest=1,
            )
        )
        .with_panel(
            _plot("Event loop late, p99", "s", ("p99", "camfleet:hub_loop_lag_seconds:p99"))
        )
        .with_panel(
            _plot("What waits", "short", ("{{queue}}", "sum by (queue) (camfleet_hub_queue_depth)"))
        )
        .with_panel(
            _plot("Connections", "short", ("{{port}}", "sum by (port) (camfleet_connections)"))
        )
        .with_panel(
            _plot(
                "Processor",
                "percentunit",
                ("of one core", f"rate(process_cpu_seconds_total{{{job}}}{rate})"),
            )
        )
        .with_panel(
            _plot("Memory", "bytes", ("resident", f"process_resident_memory_bytes{{{job}}}"))
        )
        .with_panel(
            _plot(
                "Open files",
                "short",
                ("open", f"process_open_fds{{{job}}}"),
                ("at most", f"process_max_fds{{{job}}}"),
            )
        )
        .with_panel(
            _plot(
                "Disk free",
                "percentunit",
                ("state", "min(camfleet_hub_disk_free_ratio)"),
                highest=1,
            )
        )
        .with_panel(
            _plot(
                "Turned away",
                "cps",
                (
                    "handshakes, {{port}}: {{reason}}",
                    f"sum by (port, reason) (rate(camfleet_handshakes_failed_total{rate}))",
                ),
                (
                    "log-ins: {{reason}}",
                    f"sum by (reason) (rate(camfleet_logins_failed_total{rate}))",
                ),
                (
                    "connections, {{port}}",
                    f"sum by (port) (rate(camfleet_connections_turned_away_total{rate}))",
                ),
            )
        )
        .with_panel(
            _plot(
                "Requests rejected",
                "cps",
                (
                    "{{reason}}",
                    f"sum by (reason) (rate(camfleet_requests_rejected_total{rate}))",
                ),
            )
        )
        .with_panel(
            _plot(
                "Messages rejected",
                "cps",
                (
                    "{{reason}}",
                    f"sum by (reason) (rate(camfleet_messages_rejected_total{rate})) or {nothing}",
                ),
            )
        )
        .with_panel(
            _plot(
                "Reading of these metrics takes",
                "s",
                ("scrape", f"scrape_duration_seconds{{{job}}}"),
            )
        )
    )


def runbooks() -> dashboard.Dashboard:
    """What to do about each alert: the sections of docs/operations.md, numbered as the alerts."""
    board = _board("runbooks", "camfleet runbooks")
    for number, (title, body) in enumerate(sections(RUNBOOKS.read_text()).items(), 1):
        panel = text.Panel().id(number).title(title).mode(TextMode.MARKDOWN).content(body)
        board = board.with_panel(panel.span(HALF).height(HEIGHT))
    return board


def sections(page: str) -> dict[str, str]:
    """Each alert's runbook, by its name."""
    parts = re.split(r"^### (\w+)\n", page, flags=re.MULTILINE)[1:]
    bodies = (re.split(r"^## ", body, flags=re.MULTILINE)[0].strip() for body in parts[1::2])
    return dict(zip(parts[::2], bodies, strict=True))


def _board(name: str, title: str) -> dashboard.Dashboard:
    """An empty dashboard with links to the others and to the wall."""
    others = dashboard.DashboardLink("camfleet").type(DashboardLinkType.DASHBOARDS)
    wall = dashboard.DashboardLink("Wall").type(DashboardLinkType.LINK).url("${wall}/")
    return (
        dashboard.Dashboard(title)
        .uid(f"camfleet-{name}")
        .tags(["camfleet"])
        .time("now-1h", "now")
        .refresh("10s")
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .with_variable(dashboard.TextBoxVariable("wall").label("Wall").default_value(WALL))
        .link(others.tags(["camfleet"]).as_dropdown(True).keep_time(True))
        .link(wall.target_blank(True))
    )


def _nodes() -> table.Panel:
    """One row per node, the worst first."""
    columns = {
        "Trouble": "camfleet:node_trouble:score",
        "Online": "camfleet:node_online:bool",
        "Captured of asked": "camfleet:node_captured:ratio",
        "Latency p95": "camfleet:node_latency_seconds:p95",
        "Uncertainty": "max by (node) (camfleet_clock_uncertainty_seconds)",
        "Lost": "camfleet:node_lost:ratio",
        "Temperature": "max by (node) (camfleet_node_temperature_celsius)",
    }
    links = [
        {"title": "${__value.text} in depth", "url": "/d/camfleet-node?var-node=${__value.raw}"},
        {"title": "On the wall", "url": "${wall}/node/${__value.raw}", "targetBlank": True},
    ]
    panel = (
        table.Panel()
        .title("Nodes, the worst first")
        .description(
            "Trouble is 10 for a node that is offline; else what is missing of its pictures "
            "counts up to 5, and each second of its latency 1."
        )
        .datasource(SOURCE)
        .span(WHOLE)
        .height(HEIGHT + 2)
        .align(FieldTextAlignment.AUTO)
        .inspect(False)
        .sort_by([common.TableSortByFieldState().display_name("Trouble").desc(True)])
        .override_by_name("Node", [DynamicConfigValue("links", links)])
        .override_by_name("Trouble", [*_looks("none", 1), DynamicConfigValue("decimals", 1)])
        .override_by_name(
            "Online",
            [
                DynamicConfigValue("mappings", [NO_OR_YES]),
                DynamicConfigValue("custom.cellOptions", COLORED),
            ],
        )
        .override_by_name("Captured of asked", _looks("percentunit", 0.8, is_low_bad=True))
        .override_by_name("Latency p95", _looks("s", 0.5))
        .override_by_name("Uncertainty", _looks("s", 0.25))
        .override_by_name("Lost", _looks("percentunit", 0.01))
        .override_by_name("Temperature", _looks("celsius", 80))
    )
    names = {"node": "Node", "Time": "Time"}
    for ref, (title, expression) in zip("ABCDEFG", columns.items(), strict=True):
        query = prometheus.Dataquery().datasource(SOURCE).ref_id(ref).expr(expression)
        panel = panel.with_target(query.instant().format(PromQueryFormat.TABLE))
        names[f"Value #{ref}"] = title
    hidden = {"Time": True, "__name__": True}
    return panel.with_transformation(
        DataTransformerConfig("merge", options={})
    ).with_transformation(
        DataTransformerConfig("organize", options={"excludeByName": hidden, "renameByName": names})
    )


def _machine(gauge: str) -> str:
    """What a node reports of its machine; once, also where it is scraped itself."""
    return f"max(camfleet_node_{gauge}{{{OF_NODE}}})"


def _rate(counter: str) -> str:
    """How fast one of a node's counters grows."""
    return f"rate(camfleet_{counter}_total{{{OF_NODE}}}[$__rate_interval])"


def _looks(unit: str, bound: float, *, is_low_bad: bool = False) -> list[DynamicConfigValue]:
    """A column's unit, and red from its alert's bound on."""
    steps = [(None, RED), (bound, GREEN)] if is_low_bad else [(None, GREEN), (bound, RED)]
    thresholds = {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in steps],
    }
    return [
        DynamicConfigValue("unit", unit),
        DynamicConfigValue("thresholds", thresholds),
        DynamicConfigValue("custom.cellOptions", COLORED),
    ]


def _number(
    title: str,
    expression: str,
    *,
    unit: str = "short",
    bad: float | None = None,
) -> stat.Panel:
    """A number; red from `bad` on."""
    steps = [Threshold(value=None, color=GREEN)]
    if bad is not None:
        steps.append(Threshold(value=bad, color=RED))
    return (
        stat.Panel()
        .title(title)
        .datasource(SOURCE)
        .unit(unit)
        .span(QUARTER)
        .height(HEIGHT // 2)
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .thresholds(dashboard.ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(steps))
        .with_target(prometheus.Dataquery().datasource(SOURCE).ref_id("A").expr(expression))
    )


def _plot(
    title: str,
    unit: str,
    *queries: Query,
    is_stacked: bool = False,
    apart: str = "",
    lowest: float | None = 0,
    highest: float | None = None,
    sort: Literal["", "lowest", "highest"] = "",
) -> timeseries.Panel:
    """A plot over time.

    `apart` is the legend of what is not stacked with the others; `lowest` and `highest` bound the
    axis, where None is as the numbers are; `sort` says which of many lines is named first.
    """
    panel = (
        timeseries.Panel()
        .title(title)
        .datasource(SOURCE)
        .unit(unit)
        .span(HALF)
        .height(HEIGHT)
        .fill_opacity(30 if is_stacked else 5)
        .tooltip(
            common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING)
        )
    )
    if lowest is not None:
        panel = panel.min(lowest)
    if highest is not None:
        panel = panel.max(highest)
    if unit in COUNTED:
        panel = panel.axis_soft_max(1)  # of nothing at all, Grafana draws an axis up to 100
    legends = common.VizLegendOptions().show_legend(True)
    if sort:
        legends = (
            legends.display_mode(LegendDisplayMode.TABLE)
            .placement(LegendPlacement.RIGHT)
            .calcs(["lastNotNull"])
            .sort_by("Last *")
            .sort_desc(sort == "highest")
        )
    panel = panel.legend(legends)
    if is_stacked:
        panel = panel.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    if apart:
        alone = {"mode": "none", "group": "A"}
        dashes = {"fill": "dash", "dash": [6, 6]}
        panel = panel.override_by_name(
            apart,
            [
                DynamicConfigValue("custom.stacking", alone),
                DynamicConfigValue("custom.fillOpacity", 0),
                DynamicConfigValue("custom.lineStyle", dashes),
            ],
        )
    for ref, (legend, expression) in zip("ABCDEFGH", queries, strict=False):
        query = prometheus.Dataquery().datasource(SOURCE).ref_id(ref).expr(expression)
        panel = panel.with_target(query.legend_format(legend))
    return panel


if __name__ == "__main__":
    main()
