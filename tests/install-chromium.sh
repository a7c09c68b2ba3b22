#!/bin/sh
# Chromium for the browser tests, where it can be installed; they say why they skip elsewhere.
set -eu
for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null 2>&1; then exit 0; fi
done
[ -z "${CAMFLEET_TEST_CHROMIUM:-}" ] || exit 0
as_root=""
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
        as_root="sudo -n"
    else
        echo "no Chromium here and no right to install it: the browser tests will be skipped"
        exit 0
    fi
fi
if ! command -v apt-get >/dev/null 2>&1; then
    echo "no Chromium here and no apt-get to install it: the browser tests will be skipped"
    exit 0
fi
echo "installing Chromium for the browser tests"
log=$(mktemp)
if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends chromium; } >"$log" 2>&1; then
    tail -n 5 "$log"
    echo "Chromium could not be installed: the browser tests will be skipped"
fi
rm -f "$log"
