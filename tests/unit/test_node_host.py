"""What the kernel says of a machine, out of small files that a test has written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest
import structlog

from camfleet.machine_health import MachineHealth, from_facts, to_facts
from camfleet_node.host.identity import group_name, is_contained
from camfleet_node.host.load import read_times
from camfleet_node.host.memory import read_memory
from camfleet_node.host.temperature import read_temperature
from camfleet_node.host.throttling import Power, read_power, read_throttling
from camfleet_node.host.wifi import read_wifi_signal
from camfleet_node.host_watch import HostWatch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB: Final = 1 << 20
S: Final = 1_000_000_000
HUGE: Final = "9223372036854771712"  # version 1's word for no limit
FIRMWARE: Final = "sys/devices/platform/soc/soc:firmware/get_throttled"


class Machine:
    """A `/proc` and a `/sys` in a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("proc/meminfo", "MemTotal:  1024000 kB\nMemAvailable:  512000 kB\n")
        self.use(100)

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def use(self, mib: int) -> None:
        status = (
            f"Name:\tnode\nRssAnon:\t{mib * 1000} kB\nRssFile:\t 9999999 kB\nRssShmem:\t 24 kB\n"
        )
        self.write("proc/self/status", status)

    def heat(self, degrees: float) -> None:
        self.write("sys/class/thermal/thermal_zone0/temp", f"{round(degrees * 1000)}\n")
        self.write("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n")


class FakeCamera:
    def __init__(self) -> None:
        self.spared: list[bool] = []

    def spare(self, is_hot: bool) -> None:  # noqa: FBT001 - as the real one
        self.spared.append(is_hot)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture(autouse=True)
def events() -> Iterator[list[Any]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


# memory


def test_pages_of_files_are_no_memory_in_use(machine: Machine) -> None:
    assert read_memory(machine.root).used == 100_024 * 1024


def test_without_a_group_all_memory_may_be_used(machine: Machine) -> None:
    memory = read_memory(machine.root)
    assert (memory.limit, memory.available) == (1000 * MIB, 500 * MIB)


LIMITS = {
    "version 2": ("0::/system.slice/node.service", "system.slice/node.service/memory.max", "200"),
    "version 2, in a container": ("0::/", "memory.max", "200"),
    "version 2, of a slice above": ("0::/a.slice/b.service", "a.slice/memory.max", "200"),
    "version 1": ("0::/\n4:memory:/docker/x", "memory/docker/x/memory.limit_in_bytes", "200"),
    "version 1, in a container": ("4:memory:/docker/x", "memory/memory.limit_in_bytes", "200"),
}


@pytest.mark.parametrize(("group", "file", "mib"), LIMITS.values(), ids=LIMITS)
def test_a_groups_limit_is_found(machine: Machine, group: str, file: str, mib: str) -> None:
    machine.write("proc/self/cgroup", f"3:cpu:/elsewhere\n{group}\n")
    machine.write(f"sys/fs/cgroup/{file}", f"{int(mib) * MIB}\n")
    assert read_memory(machine.root).limit == 200 * MIB


@pytest.mark.parametrize("word", ["max", HUGE, "", "rubbish"])
def test_a_group_without_a_limit_has_all_memory(machine: Machine, word: str) -> None:
    machine.write("proc/self/cgroup", "0::/\n")
    machine.write("sys/fs/cgroup/memory.max", word)
    assert read_memory(machine.root).limit == 1000 * MIB


def test_a_machine_that_tells_nothing_is_no_want_of_memory(tmp_path: Path) -> None:
    assert read_memory(tmp_path).share == 0
    assert HostWatch([], 80, 90, tmp_path).look(0) == ""


def test_too_little_memory_left_ends_the_process(machine: Machine) -> None:
    watch = HostWatch([], 80, 90, machine.root)
    machine.use(899)
    assert watch.look(0) == ""
    machine.use(930)
    assert watch.look(S) == "", "it looks every two seconds"
    assert watch.look(2 * S) == "memory: 908 MiB used of 1000 MiB, want less than 90 %"


# heat


def test_the_processors_zone_counts_and_not_another(machine: Machine) -> None:
    machine.heat(51.5)
    machine.write("sys/class/thermal/thermal_zone1/temp", "99000")
    machine.write("sys/class/thermal/thermal_zone1/type", "nvme")
    assert read_temperature(machine.root) == 51.5


def test_a_machine_without_zones_has_no_temperature(machine: Machine) -> None:
    assert read_temperature(machine.root) is None


def test_cameras_are_spared_from_hot_until_five_degrees_less(
    machine: Machine, events: list[Any]
) -> None:
    camera = FakeCamera()
    watch = HostWatch([camera], 80, 90, machine.root)
    for second, degrees in enumerate([79.9, 80, 84, 75.1, 79, 74.9, 79, 80.5]):
        machine.heat(degrees)
        assert watch.look(2 * second * S) == ""
    assert camera.spared == [True, False, True]
    assert [event["event"] for event in events] == [
        "hot: every other picture is left out",
        "cool again: no picture is left out",
        "hot: every other picture is left out",
    ]


def test_a_sensor_that_is_gone_changes_nothing(machine: Machine) -> None:
    camera = FakeCamera()
    watch = HostWatch([camera], 80, 90, machine.root)
    machine.heat(85)
    watch.look(0)
    (machine.root / "sys/class/thermal/thermal_zone0/temp").unlink()
    watch.look(2 * S)
    assert (camera.spared, watch.is_hot) == ([True], True)


# power

FLAGS = {
    "0": (),
    "1": ("under-voltage",),
    "50000": ("under-voltage since its start", "throttled since its start"),
    "50005": ("under-voltage", "throttled"),
    "80008": ("soft temperature limit",),
    "20000": ("frequency capped since its start",),
}


@pytest.mark.parametrize(("bits", "flags"), FLAGS.items())
def test_the_firmwares_flags_are_decoded(
    machine: Machine, bits: str, flags: tuple[str, ...]
) -> None:
    machine.write(FIRMWARE, f"{bits}\n")
    assert read_throttling(machine.root) == flags


def test_the_voltages_driver_is_asked_where_the_firmware_is_not_there(machine: Machine) -> None:
    machine.write("sys/class/hwmon/hwmon1/name", "rpi_volt\n")
    machine.write("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n")
    assert read_throttling(machine.root) == ("under-voltage",)


def test_a_machine_that_is_no_pi_tells_nothing_of_its_power(machine: Machine) -> None:
    machine.write("sys/class/hwmon/hwmon0/name", "k10temp\n")
    assert read_throttling(machine.root) is None


def test_throttling_is_logged_when_it_changes(machine: Machine, events: list[Any]) -> None:
    watch = HostWatch([], 80, 90, machine.root)
    for second, bits in enumerate(["0", "0", "1", "1", "0"]):
        machine.write(FIRMWARE, bits)
        watch.look(2 * second * S)
    assert [event["event"] for event in events] == [
        "the machine is held back",
        "the machine is not held back any more",
    ]
    assert events[0]["by"] == ["under-voltage"]


def test_a_supply_that_trips_for_hours_does_not_fill_the_log(
    machine: Machine, events: list[Any]
) -> None:
    watch = HostWatch([], 80, 90, machine.root)
    for look in range(1800):
        machine.write(FIRMWARE, str(look % 2))
        watch.look(2 * look * S)
    assert 8 <= len(events) <= 24
    assert watch.throttling == ("under-voltage",)


# who we are


@pytest.mark.parametrize("trace", [".dockerenv", "run/.containerenv"])
def test_a_container_is_known_by_its_trace(machine: Machine, trace: str) -> None:
    assert not is_contained(machine.root)
    machine.write(trace, "")
    assert is_contained(machine.root)


def test_a_group_has_its_name_or_its_number(machine: Machine) -> None:
    machine.write("etc/group", "root:x:0:\nvideo:x:44:pi,me\n")
    assert (group_name(44, machine.root), group_name(4, machine.root)) == ("video", "4")


# the whole machine, as the hub is told

RECORDED = {
    "Pi 3 on Wi-Fi": {
        "proc/stat": "cpu  8012 15 3034 401234 1203 0 310 0 0 0\ncpu0 2003 4 758 1 0 0 77 0 0 0\n",
        "proc/meminfo": "MemTotal: 931344 kB\nMemFree: 90112 kB\nMemAvailable: 520184 kB\n",
        "proc/net/wireless": "Inter-| sta-|   Quality        |   Discarded packets  | Missed | WE\n"
        " face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22\n"
        " wlan0: 0000   52.  -58.  -256        0      0      0      6    127        0\n",
        "proc/uptime": "41037.25 158812.11\n",
        FIRMWARE: "50005\n",
        "sys/class/thermal/thermal_zone0/temp": "82224\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    },
    "Pi 5 on a cable": {
        "proc/stat": "cpu  1 0 1 90 8 0 0 0 0 0\n",
        "proc/meminfo": "MemTotal:        8257536 kB\nMemAvailable:    7340032 kB\n",
        "proc/net/wireless": "Inter-| sta-|\n face | tus |\n",
        "proc/uptime": "12.03 40.1\n",
        "sys/class/hwmon/hwmon3/name": "rpi_volt\n",
        "sys/class/hwmon/hwmon3/in0_lcrit_alarm": "0\n",
        "sys/class/thermal/thermal_zone0/temp": "47000\n",
        "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    },
}


def record(machine: Machine, name: str) -> None:
    for path, text in RECORDED[name].items():
        machine.write(path, text)


def health_of(machine: Machine) -> MachineHealth:
    watch = HostWatch([], 90, 95, machine.root)
    watch.look(0)
    return watch.health


def test_a_pi_that_is_hot_and_weak_tells_all_of_it(machine: Machine) -> None:
    record(machine, "Pi 3 on Wi-Fi")
    health = health_of(machine)
    assert (health.temperature_c, health.wifi_signal_dbm) == (82.224, -58)
    assert (health.is_under_voltage, health.is_throttled) == (True, True)
    assert (health.was_under_voltage, health.was_throttled) == (True, True)
    assert health.memory_total_bytes == 931_344 * 1024
    assert health.memory_used_bytes == (931_344 - 520_184) * 1024
    assert health.uptime_s == 41_037.25
    assert health.disk_free_share is not None
    assert health.cpu_share is None, "of the time before the first look nothing is known"
    assert from_facts(to_facts(health)) == health


def test_a_newer_pi_knows_under_voltage_alone(machine: Machine) -> None:
    record(machine, "Pi 5 on a cable")
    health = health_of(machine)
    assert (health.is_under_voltage, health.is_throttled) == (False, None)
    assert (health.was_under_voltage, health.was_throttled) == (None, None)
    assert health.wifi_signal_dbm is None


def test_what_a_machine_does_not_tell_is_absent_and_never_0(tmp_path: Path) -> None:
    watch = HostWatch([], 80, 90, tmp_path)
    watch.look(0)
    assert watch.health == MachineHealth(disk_free_share=watch.health.disk_free_share)


def test_how_busy_a_machine_is_counts_from_look_to_look(machine: Machine) -> None:
    machine.write("proc/stat", "cpu  100 0 100 800 0 0 0 0 0 0\n")
    watch = HostWatch([], 80, 90, machine.root)
    shares = []
    for at_ns, text in enumerate(("110 5 105 870 10", "110 5 105 870 10", "0 0 0 10 0")):
        machine.write("proc/stat", f"cpu  {text} 0 0 0 7 0\n")
        watch.look(2 * S * at_ns)
        shares.append(watch.health.cpu_share)
    assert shares == [0.2, None, None], "then no time passed, and then counts went back"


@pytest.mark.parametrize("text", ["", "cpu", "cpu  1 2 3", "cpu  a b c d e f g h", "intr 1 2 3"])
def test_counts_of_time_that_are_none_are_unknown(machine: Machine, text: str) -> None:
    machine.write("proc/stat", text)
    assert read_times(machine.root) is None


LEVELS = {
    "two links": (" wlan0: 0000 52. -58. -256\n wlan1: 0000 60. -48. -256\n", -48),
    "a byte without its sign": (" wlan0: 0000 52 206 0\n", -50),
    "a link that is down": (" wlan0: 0000 0 0 0\n", None),
    "rubbish": (" wlan0: 0000 x y z\n wlan1\n\n", None),
}


@pytest.mark.parametrize(("lines", "level"), LEVELS.values(), ids=LEVELS)
def test_the_strongest_wifi_link_counts(machine: Machine, lines: str, level: float | None) -> None:
    machine.write("proc/net/wireless", f"Inter-| sta-|\n face | tus |\n{lines}")
    assert read_wifi_signal(machine.root) == level


@pytest.mark.parametrize("text", ["", "soon", "-3 0", "inf 0", "nan nan"])
def test_an_uptime_that_is_none_is_unknown(machine: Machine, text: str) -> None:
    machine.write("proc/uptime", text)
    assert health_of(machine).uptime_s is None


def test_a_sensor_that_tells_nonsense_is_unknown(machine: Machine) -> None:
    machine.heat(5800)
    assert health_of(machine).temperature_c is None


def test_a_frequency_that_was_capped_is_throttling_of_the_past(machine: Machine) -> None:
    machine.write(FIRMWARE, "20000")
    wanted = Power(
        is_under_voltage=False, is_throttled=False, was_under_voltage=False, was_throttled=True
    )
    assert read_power(machine.root) == wanted
