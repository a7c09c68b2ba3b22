"""All nodes at a glance, the worst first."""

from __future__ import annotations

from boards.parts import COLORED, HALF, HEIGHT, NO_OR_YES, SOURCE, WHOLE, board, looks, number, plot
from grafana_foundation_sdk.builders import common, dashboard, prometheus, table
from grafana_foundation_sdk.models.common import FieldTextAlignment
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig, DynamicConfigValue
from grafana_foundation_sdk.models.prometheus import PromQueryFormat


def build() -> dashboard.Dashboard:
    """All nodes, the worst first."""
    return (
        board("fleet", "camfleet fleet")
        .with_panel(number("Nodes online", "sum(camfleet:node_online:bool)"))
        .with_panel(
            number("Nodes offline", "count(camfleet:node_online:bool == 0) or vector(0)", bad=1)
        )
        .with_panel(number("Cameras online", "sum(max by (node, camera) (camfleet_camera_online))"))
        .with_panel(
            number(
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
            plot(
                "Frames received",
                "fps",
                ("{{node}}", "sum by (node) (camfleet:camera_received:fps)"),
                sort="lowest",
            )
        )
        .with_panel(
            plot(
                "From capture to the hub, p95",
                "s",
                ("{{node}}", "camfleet:node_latency_seconds:p95"),
                sort="highest",
            )
        )
        .with_panel(
            plot(
                "Share of frames lost",
                "percentunit",
                ("{{node}}", "camfleet:node_lost:ratio"),
                sort="highest",
            ).axis_soft_max(0.05)
        )
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
        .override_by_name("Trouble", [*looks("none", 1), DynamicConfigValue("decimals", 1)])
        .override_by_name(
            "Online",
            [
                DynamicConfigValue("mappings", [NO_OR_YES]),
                DynamicConfigValue("custom.cellOptions", COLORED),
            ],
        )
        .override_by_name("Captured of asked", looks("percentunit", 0.8, is_low_bad=True))
        .override_by_name("Latency p95", looks("s", 0.5))
        .override_by_name("Uncertainty", looks("s", 0.25))
        .override_by_name("Lost", looks("percentunit", 0.01))
        .override_by_name("Temperature", looks("celsius", 80))
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
