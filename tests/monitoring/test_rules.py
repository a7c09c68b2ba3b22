"""Each alert against series made by hand: it fires for its cause, in its time, and alone."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Final, NamedTuple

import pytest
from tests.monitoring.conftest import RULES, alerts

PI: Final = 'node="pi"'
FRONT: Final = 'node="pi", camera="front"'
FOR: Final = re.compile(r"- alert: (\w+)\n.*\n +for: (\d+)([mh])")
LENGTH: Final = 720  # samples, one in ten seconds: two hours
MINUTE_S: Final = 60
LATENCY: Final = 'camfleet_latency_seconds_bucket{node="pi", camera="front", stage="received", le='
LAG: Final = "camfleet_hub_loop_lag_seconds_bucket{le="

HEALTHY: Final = {
    'up{job="camfleet"}': "1x",
    f"camfleet_node_online{{{PI}}}": "1x",
    f"camfleet_node_joins_total{{{PI}}}": "1x",
    f'camfleet_node_info{{{PI}, software="camfleet-node 1.0.0"}}': "1x",
    'camfleet_node_info{node="loft", software="camfleet-node 1.0.0"}': "1x",
    'camfleet_node_info{node="office", software="another 2"}': "1x",
    f"camfleet_clock_uncertainty_seconds{{{PI}}}": "0.004x",
    f"camfleet_node_temperature_celsius{{{PI}}}": "62x",
    f"camfleet_node_throttled{{{PI}}}": "0x",
    f"camfleet_node_under_voltage{{{PI}}}": "0x",
    f"camfleet_node_disk_free_ratio{{{PI}}}": "0.6x",
    f"camfleet_camera_online{{{FRONT}}}": "1x",
    f"camfleet_camera_asked_fps{{{FRONT}}}": "10x",
    f"camfleet_frames_captured_total{{{FRONT}}}": "0+100x",
    f"camfleet_frames_sent_total{{{FRONT}}}": "0+95x",
    f"camfleet_frames_received_total{{{FRONT}}}": "0+95x",
    f"camfleet_frames_lost_total{{{FRONT}}}": "0x",
    f'camfleet_frames_dropped_total{{{FRONT}, place="node", reason="newer"}}': "0+5x",
    f'camfleet_frames_dropped_total{{{FRONT}, place="node", reason="still"}}': "0+90x",
    f'{LATENCY}"0.1"}}': "0+95x",
    f'{LATENCY}"1.0"}}': "0+95x",
    f'{LATENCY}"+Inf"}}': "0+95x",
    'camfleet_messages_rejected_total{reason="magic"}': "0+0.01x",
    "camfleet_hub_healthy": "1x",
    'camfleet_port_busy_seconds_total{port="nodes"}': "0+3x",
    f'{LAG}"0.005"}}': "0+100x",
    f'{LAG}"1.0"}}': "0+100x",
    f'{LAG}"+Inf"}}': "0+100x",
    'process_open_fds{job="camfleet"}': "300x",
    'process_max_fds{job="camfleet"}': "65536x",
    "camfleet_hub_disk_free_ratio": "0.5x",
    "camfleet_keys_readable": "1x",
    "camfleet_certificate_expiry_timestamp_seconds": "2600000x",
    'camfleet_handshakes_failed_total{port="nodes", reason="key"}': "0x",
    'camfleet_handshakes_failed_total{port="nodes", reason="other"}': "0+1x",
    'camfleet_logins_failed_total{reason="wrong"}': "0+0.05x",
}


class Case(NamedTuple):
    """What is not as in a healthy fleet, and which labels the alert has then."""

    series: dict[str, str]
    labels: dict[str, str]


CAMERA: Final = {"node": "pi", "camera": "front"}
CASES: Final = {
    "NodeOffline": Case(
        {
            f"camfleet_node_online{{{PI}}}": "0x",
            # What the hub still tells of it; none of this is to raise an alert of its own.
            f"camfleet_camera_online{{{FRONT}}}": "0x",
            f"camfleet_frames_captured_total{{{FRONT}}}": "100x",
            f"camfleet_frames_sent_total{{{FRONT}}}": "95x",
        },
        {"node": "pi"},
    ),
    "NodeComesAndGoes": Case({f"camfleet_node_joins_total{{{PI}}}": "0+0.1x"}, {"node": "pi"}),
    "ClockUncertain": Case({f"camfleet_clock_uncertainty_seconds{{{PI}}}": "0.4x"}, {"node": "pi"}),
    "NodeHot": Case({f"camfleet_node_temperature_celsius{{{PI}}}": "84x"}, {"node": "pi"}),
    "NodeThrottled": Case({f"camfleet_node_throttled{{{PI}}}": "1x"}, {"node": "pi"}),
    "NodeUnderVoltage": Case({f"camfleet_node_under_voltage{{{PI}}}": "1x"}, {"node": "pi"}),
    "NodeDiskFilling": Case({f"camfleet_node_disk_free_ratio{{{PI}}}": "0.05x"}, {"node": "pi"}),
    "SoftwareDiffers": Case(
        {'camfleet_node_info{node="shed", software="camfleet-node 0.9.0"}': "1x"}, {}
    ),
    "CameraStalled": Case(
        {
            f"camfleet_camera_online{{{FRONT}}}": "0x",
            f"camfleet_frames_captured_total{{{FRONT}}}": "100x",
        },
        CAMERA,
    ),
    "CameraSlow": Case({f"camfleet_frames_captured_total{{{FRONT}}}": "0+70x"}, CAMERA),
    "FramesDropped": Case(
        {f'camfleet_frames_dropped_total{{{FRONT}, place="node", reason="newer"}}': "0+40x"}, CAMERA
    ),
    "LatencyHigh": Case(
        {
            f'{LATENCY}"0.1"}}': "0x",
            # A late link makes its clock uncertain as well, which is not another cause.
            f"camfleet_clock_uncertainty_seconds{{{PI}}}": "0.4x",
        },
        CAMERA | {"stage": "received"},
    ),
    "FramesLost": Case({f"camfleet_frames_lost_total{{{FRONT}}}": "0+2x"}, CAMERA),
    "MessagesRejected": Case(
        {'camfleet_messages_rejected_total{reason="magic"}': "0+1x"}, {"reason": "magic"}
    ),
    "HubDown": Case({'up{job="camfleet"}': "0x"}, {"job": "camfleet"}),
    "HubUnhealthy": Case({"camfleet_hub_healthy": "0x"}, {}),
    "HubIngestSaturated": Case(
        {'camfleet_port_busy_seconds_total{port="nodes"}': "0+9x"}, {"port": "nodes"}
    ),
    "HubLoopLate": Case({f'{LAG}"0.005"}}': "0x"}, {}),
    "HubFilesRunningOut": Case({'process_open_fds{job="camfleet"}': "60000x"}, {"job": "camfleet"}),
    "HubDiskFilling": Case({"camfleet_hub_disk_free_ratio": "0.02x"}, {}),
    "KeysUnreadable": Case({"camfleet_keys_readable": "0x"}, {}),
    "KeysRefused": Case(
        {'camfleet_handshakes_failed_total{port="nodes", reason="key"}': "0+1x"}, {"port": "nodes"}
    ),
    "LoginsFail": Case({'camfleet_logins_failed_total{reason="wrong"}': "0+1x"}, {}),
    "CertificateExpires": Case({"camfleet_certificate_expiry_timestamp_seconds": "90000x"}, {}),
}


def patience_s() -> dict[str, int]:
    """For how long each alert waits, in seconds."""
    text = (RULES / "alerts.yml").read_text()
    units = {"m": MINUTE_S, "h": 60 * MINUTE_S}
    return {name: int(count) * units[unit] for name, count, unit in FOR.findall(text)}


def firing(at_s: int, alert: str = "", labels: dict[str, str] | None = None) -> dict[str, object]:
    """Expect one alert at a time, or none at all."""
    expression = "sum without (alertstate, severity) (ALERTS{alertstate='firing'})"
    samples = []
    if alert:
        found = {"alertname": alert} | (labels or {})
        text = ", ".join(f'{name}="{value}"' for name, value in found.items())
        samples = [{"labels": f"{{{text}}}", "value": 1}]
    return {"expr": expression, "eval_time": f"{at_s}s", "exp_samples": samples}


def check(tmp_path: Path, series: dict[str, str], expected: list[dict[str, object]]) -> None:
    """Let promtool play series, and see what fires."""
    made = [{"series": name, "values": f"{values}{LENGTH}"} for name, values in series.items()]
    test = {"interval": "10s", "input_series": made, "promql_expr_test": expected}
    page = {
        "rule_files": [str(path) for path in sorted(RULES.glob("*.yml"))],
        "evaluation_interval": "10s",
        "group_eval_order": ["camfleet-cameras", "camfleet-nodes", "camfleet-hub"],
        "tests": [test],
    }
    path = tmp_path / "test.yml"
    path.write_text(json.dumps(page))  # JSON is YAML
    done = subprocess.run(
        ["promtool", "test", "rules", str(path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_healthy_fleet_raises_no_alert(tmp_path: Path) -> None:
    check(tmp_path, HEALTHY, [firing(minutes * MINUTE_S) for minutes in (1, 5, 15, 60, 119)])


@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_for_its_cause_in_its_time_and_alone(tmp_path: Path, alert: str) -> None:
    case, patience = CASES[alert], patience_s()[alert]
    expected = [firing(patience - 20), firing(patience + 10 * MINUTE_S, alert, case.labels)]
    check(tmp_path, HEALTHY | case.series, expected)


def test_every_alert_has_a_case() -> None:
    assert list(CASES) == alerts()
    assert patience_s().keys() == CASES.keys()


def test_the_files_are_what_prometheus_wants() -> None:
    config = RULES.parent / "prometheus.yml"
    done = subprocess.run(
        ["promtool", "check", "config", str(config)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
