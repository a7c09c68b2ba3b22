"""What all dashboards are made of: an empty one, a number, a plot, and the look of a column."""

from __future__ import annotations

from typing import Final, Literal

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    StackingMode,
    TooltipDisplayMode,
)
from grafana_foundation_sdk.models.dashboard import (
    DashboardCursorSync,
    DashboardLinkType,
    DataSourceRef,
    DynamicConfigValue,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

SOURCE: Final = DataSourceRef(type_val="prometheus", uid="prometheus")
HALF, QUARTER, WHOLE = 12, 6, 24
HEIGHT: Final = 8
COLORED: Final = {"type": "color-text"}
_WALL: Final = "http://127.0.0.1:8080"
_GREEN, _RED = "green", "red"
_COUNTED: Final = frozenset({"fps", "cps", "short"})
NO_OR_YES: Final = ValueMap(
    options={
        "0": ValueMappingResult(text="no", color=_RED),
        "1": ValueMappingResult(text="yes", color=_GREEN),
    }
)

Query = tuple[str, str]  # a legend and an expression


def board(name: str, title: str) -> dashboard.Dashboard:
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
        .with_variable(dashboard.TextBoxVariable("wall").label("Wall").default_value(_WALL))
        .link(others.tags(["camfleet"]).as_dropdown(True).keep_time(True))
        .link(wall.target_blank(True))
    )


def looks(unit: str, bound: float, *, is_low_bad: bool = False) -> list[DynamicConfigValue]:
    """A column's unit, and red from its alert's bound on."""
    steps = [(None, _RED), (bound, _GREEN)] if is_low_bad else [(None, _GREEN), (bound, _RED)]
    thresholds = {
        "mode": "absolute",
        "steps": [{"value": value, "color": color} for value, color in steps],
    }
    return [
        DynamicConfigValue("unit", unit),
        DynamicConfigValue("thresholds", thresholds),
        DynamicConfigValue("custom.cellOptions", COLORED),
    ]


def number(
    title: str,
    expression: str,
    *,
    unit: str = "short",
    bad: float | None = None,
) -> stat.Panel:
    """A number; red from `bad` on."""
    steps = [Threshold(value=None, color=_GREEN)]
    if bad is not None:
        steps.append(Threshold(value=bad, color=_RED))
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


def plot(
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
    if unit in _COUNTED:
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
