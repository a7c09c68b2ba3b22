#!/bin/sh
# Prometheus, promtool and Alertmanager for the tests of monitoring, where they can be installed.
set -eu
missing=
for name in prometheus promtool prometheus-alertmanager; do
    command -v "$name" >/dev/null 2>&1 || missing=$name
done
[ -n "$missing" ] || exit 0
as_root=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "no Prometheus here and no right to install it: its tests will be skipped"
        exit 0
    fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no Prometheus here and no apt-get to install it: its tests will be skipped"
    exit 0
fi
echo "installing Prometheus for the tests of monitoring"
log=$(mktemp)
if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends prometheus prometheus-alertmanager; } >"$log" 2>&1
then
    tail -n 5 "$log"
    echo "Prometheus could not be installed: its tests will be skipped"
fi
rm -f "$log"
