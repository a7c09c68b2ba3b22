"""The hub itself."""

from __future__ import annotations

from boards.parts import NO_OR_YES, board, number, plot
from grafana_foundation_sdk.builders import dashboard


def build() -> dashboard.Dashboard:
    """The hub itself."""
    job = 'job="camfleet"'
    rate = "[$__rate_interval]"
    nothing = 'label_replace(vector(0), "reason", "none", "", "")'  # so that it has a name
    return (
        board("hub", "camfleet hub")
        .with_panel(number("Healthy", "min(camfleet_hub_healthy)").mappings([NO_OR_YES]))
        .with_panel(number("Browsers on the wall", "sum(camfleet_viewers)"))
        .with_panel(number("Programs that read frames", "sum(camfleet_subscribers)"))
        .with_panel(number("Up for", f"time() - process_start_time_seconds{{{job}}}", unit="s"))
        .with_panel(
            plot(
                "Frames",
                "fps",
                ("received", f"sum(rate(camfleet_frames_received_total{rate}))"),
                ("forwarded to programs", f"sum(rate(camfleet_frames_forwarded_total{rate}))"),
            )
        )
        .with_panel(
            plot("Bytes", "Bps", ("received", f"sum(rate(camfleet_received_bytes_total{rate}))"))
        )
        .with_panel(
            plot(
                "Time of each port's thread that is used",
                "percentunit",
                ("{{port}}", "camfleet:port_busy:ratio"),
                highest=1,
            )
        )
        .with_panel(plot("Event loop late, p99", "s", ("p99", "camfleet:hub_loop_lag_seconds:p99")))
        .with_panel(
            plot("What waits", "short", ("{{queue}}", "sum by (queue) (camfleet_hub_queue_depth)"))
        )
        .with_panel(
            plot("Connections", "short", ("{{port}}", "sum by (port) (camfleet_connections)"))
        )
        .with_panel(
            plot(
                "Processor",
                "percentunit",
                ("of one core", f"rate(process_cpu_seconds_total{{{job}}}{rate})"),
            )
        )
        .with_panel(
            plot("Memory", "bytes", ("resident", f"process_resident_memory_bytes{{{job}}}"))
        )
        .with_panel(
            plot(
                "Open files",
                "short",
                ("open", f"process_open_fds{{{job}}}"),
                ("at most", f"process_max_fds{{{job}}}"),
            )
        )
        .with_panel(
            plot(
                "Disk free",
                "percentunit",
                ("state", "min(camfleet_hub_disk_free_ratio)"),
                highest=1,
            )
        )
        .with_panel(
            plot(
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
            plot(
                "Requests rejected",
                "cps",
                (
                    "{{reason}}",
                    f"sum by (reason) (rate(camfleet_requests_rejected_total{rate}))",
                ),
            )
        )
        .with_panel(
            plot(
                "Proxy headers ignored",
                "cps",
                (
                    "headers",
                    f"rate(camfleet_proxy_headers_ignored_total{rate})",
                ),
            )
        )
        .with_panel(
            plot(
                "Messages rejected",
                "cps",
                (
                    "{{reason}}",
                    f"sum by (reason) (rate(camfleet_messages_rejected_total{rate})) or {nothing}",
                ),
            )
        )
        .with_panel(
            plot(
                "Reading of these metrics takes",
                "s",
                ("scrape", f"scrape_duration_seconds{{{job}}}"),
            )
        )
    )
