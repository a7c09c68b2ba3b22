#!/bin/sh
# What these tests call beside Docker and Ansible: ssh, and sshpass to log in by a password.
set -eu
missing=
command -v ssh >/dev/null || missing="$missing openssh-client"
command -v sshpass >/dev/null || missing="$missing sshpass"
[ -n "$missing" ] || exit 0
if ! [ "$(id -u)" = 0 ] || ! command -v apt-get >/dev/null; then
    echo "found no$missing, want it: apt install$missing" >&2
    exit 1
fi
echo "installing$missing"
log=$(mktemp)
if ! { apt-get update && DEBIAN_FRONTEND=noninteractive \
    apt-get install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    exit 1
fi
rm -f "$log"
