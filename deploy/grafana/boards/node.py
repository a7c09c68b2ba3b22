"""One node in depth."""

from __future__ import annotations

from typing import Final

from boards.parts import NO_OR_YES, SOURCE, WHOLE, board, number, plot
from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models.common import LineInterpolation
from grafana_foundation_sdk.models.dashboard import (
    DashboardLinkType,
    VariableOption,
    VariableRefresh,
)

OF_NODE: Final = 'node="$node"'


def build() -> dashboard.Dashboard:
    """One node in depth."""
    stage = f'camfleet:camera_latency_seconds:mean{{{OF_NODE}, camera="$camera", stage=%r}}'
    encoded, sent, received, painted = (
        stage.replace("%r", f'"{name}"') for name in ("encoded", "sent", "received", "painted")
    )
    seen = f"clamp_min({painted} - ignoring (stage) {received}, 0)"
    on_screen = f"{seen} or ignoring (stage) 0 * {received}"  # 0 while nobody looks
    return (
        board("node", "camfleet node")
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
            number("Online", f"camfleet:node_online:bool{{{OF_NODE}}}").mappings([NO_OR_YES])
        )
        .with_panel(
            number(
                "Silent for",
                f"time() - max(camfleet_node_last_heard_timestamp_seconds{{{OF_NODE}}})",
                unit="s",
                bad=10,
            )
        )
        .with_panel(
            number(
                "Joins in an hour",
                f"sum(increase(camfleet_node_joins_total{{{OF_NODE}}}[1h]))",
                bad=5,
            )
        )
        .with_panel(
            number(
                "Clock uncertainty",
                f"max(camfleet_clock_uncertainty_seconds{{{OF_NODE}}})",
                unit="s",
                bad=0.25,
            )
        )
        .with_panel(
            plot(
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
            plot(
                "Pictures per second",
                "fps",
                ("{{camera}} asked", f"camfleet:camera_asked:fps{{{OF_NODE}}}"),
                ("{{camera}} captured", f"camfleet:camera_captured:fps{{{OF_NODE}}}"),
                ("{{camera}} received", f"camfleet:camera_received:fps{{{OF_NODE}}}"),
                ("{{camera}} painted", f"sum by (camera) ({_rate('frames_painted')})"),
            )
        )
        .with_panel(
            plot(
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
            plot(
                "Lost",
                "fps",
                (
                    "{{camera}}",
                    f"sum by (camera) ({_rate('frames_lost')})",
                ),
            )
        )
        .with_panel(
            plot(
                "Reopened because it hung, in an hour",
                "short",
                (
                    "{{camera}}",
                    f"sum by (camera) (increase(camfleet_camera_restarts_total{{{OF_NODE}}}[1h]))",
                ),
            )
        )
        .with_panel(
            plot(
                "Window and credit",
                "short",
                ("{{camera}} window", f"max by (camera) (camfleet_window_frames{{{OF_NODE}}})"),
                ("{{camera}} credit", f"max by (camera) (camfleet_credit_frames{{{OF_NODE}}})"),
            )
        )
        .with_panel(
            plot(
                "Link",
                "s",
                ("round trip", f"max(camfleet_round_trip_seconds{{{OF_NODE}}})"),
                ("clock offset", f"max(camfleet_clock_offset_seconds{{{OF_NODE}}})"),
                lowest=None,
            )
        )
        .with_panel(
            plot(
                "Bytes",
                "Bps",
                (
                    "{{camera}}",
                    f"sum by (camera) ({_rate('received_bytes')})",
                ),
            )
        )
        .with_panel(plot("Temperature", "celsius", ("processor", _machine("temperature_celsius"))))
        .with_panel(plot("Processor", "percentunit", ("busy", _machine("cpu_ratio")), highest=1))
        .with_panel(
            plot(
                "Memory of the machine",
                "bytes",
                ("used", _machine("machine_memory_used_bytes")),
                ("all", _machine("machine_memory_bytes")),
            )
        )
        .with_panel(
            plot(
                "Held back",
                "bool_yes_no",
                ("under-voltage", _machine("under_voltage")),
                ("throttled", _machine("throttled")),
                highest=1,
            )
            .decimals(0)
            .line_interpolation(LineInterpolation.STEP_AFTER)
        )
        .with_panel(plot("Wi-Fi", "dBm", ("signal", _machine("wifi_signal_dbm")), lowest=None))
        .with_panel(
            plot("Disk free", "percentunit", ("disk", _machine("disk_free_ratio")), highest=1)
        )
        .with_panel(number("Machine up for", _machine("uptime_seconds"), unit="s"))
    )


def _machine(gauge: str) -> str:
    """What a node reports of its machine; once, also where it is scraped itself."""
    return f"max(camfleet_node_{gauge}{{{OF_NODE}}})"


def _rate(counter: str) -> str:
    """How fast one of a node's counters grows."""
    return f"rate(camfleet_{counter}_total{{{OF_NODE}}}[$__rate_interval])"
