"""A node's machine, from small files of its kernel over the link to the hub's API and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import House, Until

PI = {
    "proc/meminfo": "MemTotal: 931344 kB\nMemAvailable: 520184 kB\n",
    "proc/stat": "cpu  8012 15 3034 401234 1203 0 310 0 0 0\n",
    "proc/uptime": "41037.25 158812.11\n",
    "proc/net/wireless": "Inter-| sta-|\n face | tus |\n wlan0: 0000 52. -58. -256 0 0 0\n",
    "sys/class/thermal/thermal_zone0/temp": "62224\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50000\n",
}


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def machine(house: House) -> Any:  # noqa: ANN401 - JSON
    """What the hub's API says of the node's machine; None before it is told."""
    answer = house.get("/api/nodes/garden/history")
    return answer.json["machine"] if answer.status == 200 else None


def samples(house: House) -> dict[str, float]:
    """What the hub's metrics say of one node, by name."""
    text = house.get("/metrics").body.decode()
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.keys() == {"node"}
    }


def test_a_machines_health_reaches_the_api_the_history_and_prometheus_and_follows_it(
    house: House, until: Until, tmp_path: Path
) -> None:
    root = tmp_path / "pi"
    for path, text in PI.items():
        write(root, path, text)
    house.start_hub()
    house.start_node("garden", "front", settings={"CAMFLEET_NODE_SYSTEM_ROOT": str(root)})

    told = until(lambda: machine(house))
    assert (told["temperature_c"], told["wifi_signal_dbm"]) == (62.224, -58)
    assert (told["is_throttled"], told["was_throttled"]) == (False, True)
    assert told["uptime_s"] == 41_037.25
    found = samples(house)
    assert found["camfleet_node_temperature_celsius"] == 62.224
    assert found["camfleet_node_throttled"] == 0
    assert found["camfleet_node_under_voltage_since_start"] == 1
    assert found["camfleet_node_machine_memory_bytes"] == 931_344 * 1024

    write(root, "sys/class/thermal/thermal_zone0/temp", "84000\n")
    write(root, "sys/devices/platform/soc/soc:firmware/get_throttled", "50004\n")
    until(lambda: machine(house)["is_throttled"])
    assert samples(house)["camfleet_node_throttled"] == 1

    def kept() -> Any:  # noqa: ANN401 - JSON
        lines = house.get("/api/nodes/garden/history").json["lines"]
        return 84 in lines.get("temperature_c", []) and 1 in lines["throttled"]

    until(kept)


def test_a_machine_that_tells_little_is_shown_with_gaps(
    house: House, until: Until, tmp_path: Path
) -> None:
    house.start_hub()
    house.start_node("garden", "front", settings={"CAMFLEET_NODE_SYSTEM_ROOT": str(tmp_path)})
    told = until(lambda: machine(house))
    known = {name for name, value in told.items() if value is not None}
    assert known <= {"disk_free_share"}
    assert "camfleet_node_temperature_celsius" not in samples(house)
