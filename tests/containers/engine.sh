#!/bin/sh
# A Docker engine, the base image and arm64 emulation for the tests in this folder. It takes what is
# there; only where no engine answers, on Debian 12 or 13 and as root, it installs and starts one.
# What it cannot have, it names, with exit code 1 where the tests are impossible without it.
set -eu
base=${BASE_IMAGE:-debian:trixie-slim}
began=$(date +%s)

say() { echo "[$(($(date +%s) - began)) s] $*"; }
fail() { echo "$*" >&2; exit 1; }
answers() { docker info >/dev/null 2>&1; }
is_root() { [ "$(id -u)" = 0 ]; }

# Run one with its output in a file that is shown when it fails.
quietly() {
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then rm -f "$log"; else tail -n 20 "$log" >&2; fail "found a failure of: $*"; fi
}

# The archive that this machine's own apt uses.
debian_archive() {
    cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null \
        | sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
        | grep -v security | head -n 1
}

install_engine() {
    . /etc/os-release
    if [ "${VERSION_CODENAME:-}" = bookworm ]; then
        # Debian 12's own Docker is too old for these Dockerfiles; these packages alone are newer.
        archive=$(debian_archive)
        keys=/usr/share/keyrings/debian-archive-keyring.gpg
        echo "deb [signed-by=$keys] $archive trixie main" > /etc/apt/sources.list.d/camfleet-docker.list
        cat > /etc/apt/preferences.d/camfleet-docker <<EOF
Package: *
Pin: release n=trixie
Pin-Priority: -1

Package: docker.io docker-cli docker-buildx docker-compose qemu-user
Pin: release n=trixie
Pin-Priority: 990
EOF
    fi
    # apt must not start services in a machine without an init.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get update
    quietly apt-get install -y --no-install-recommends ca-certificates docker.io docker-cli \
        docker-buildx docker-compose iptables qemu-user
}

start_engine() {
    # A bridge whose packets are larger than the uplink's loses them without a word.
    device=$(sed -n 's/^\([^\t ]*\)[\t ]*00000000[\t ].*/\1/p' /proc/net/route | head -n 1)
    mtu=$(cat "/sys/class/net/${device:-lo}/mtu" 2>/dev/null || echo 1500)
    [ "$mtu" -le 1500 ] || mtu=1500
    mkdir -p /etc/docker
    # containerd's store keeps a tag's images of several architectures.
    [ -e /etc/docker/daemon.json ] || cat > /etc/docker/daemon.json <<EOF
{"features": {"containerd-snapshotter": true}, "mtu": $mtu}
EOF
    nohup dockerd </dev/null >/var/log/camfleet-dockerd.log 2>&1 &
    tries=0
    until answers; do
        tries=$((tries + 1))
        if [ "$tries" -gt 150 ]; then
            tail -n 20 /var/log/camfleet-dockerd.log >&2
            fail "found no answer of dockerd within 30 s, want one"
        fi
        sleep 0.2
    done
}

# Where QEMU stands depends on Debian's version.
register_arm64() {
    registry=/proc/sys/fs/binfmt_misc
    [ -e "$registry/register" ] || mount -t binfmt_misc binfmt_misc "$registry" 2>/dev/null || return 0
    [ ! -e "$registry/qemu-aarch64" ] || return 0
    for qemu in /usr/bin/qemu-aarch64 /usr/bin/qemu-aarch64-static; do
        [ -x "$qemu" ] || continue
        # An ELF header of 64-bit ARM; F opens QEMU now, so that containers need not have it.
        magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
        mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
        printf '%s' ":qemu-aarch64:M::$magic:$mask:$qemu:FPC" > "$registry/register" || true
        return 0
    done
}

# Make the base image out of Debian's packages, for both architectures under one tag.
make_base() {
    export DEBIAN_FRONTEND=noninteractive
    quietly apt-get install -y --no-install-recommends mmdebstrap arch-test
    folder=$(mktemp -d)
    archive=$(debian_archive)
    platforms= makers=
    for architecture in amd64 arm64; do
        if [ "$architecture" != "$(dpkg --print-architecture)" ] && ! has_emulation; then continue; fi
        platforms="$platforms${platforms:+,}linux/$architecture"
        mmdebstrap --quiet --architectures="$architecture" --variant=minbase \
            --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
            --dpkgopt='path-exclude=/usr/share/doc/*' \
            --dpkgopt='path-include=/usr/share/doc/*/copyright' \
            trixie "$folder/$architecture.tar" "$archive" >"$folder/$architecture.log" 2>&1 &
        makers="$makers $!"
    done
    for maker in $makers; do
        wait "$maker" || { tail -n 20 "$folder"/*.log >&2; fail "found a failure of mmdebstrap"; }
    done
    printf 'FROM scratch\nARG TARGETARCH\nADD $TARGETARCH.tar /\nCMD ["bash"]\n' > "$folder/Dockerfile"
    quietly docker buildx build --platform "$platforms" --provenance=false --tag "$base" --load "$folder"
    rm -rf "$folder"
}

has_emulation() {
    [ "$(dpkg --print-architecture 2>/dev/null || uname -m)" = arm64 ] \
        || grep -q enabled /proc/sys/fs/binfmt_misc/qemu-aarch64 2>/dev/null
}

if ! answers; then
    [ -r /etc/debian_version ] && is_root \
        || fail "found no Docker engine that answers (docker info), want one of version 25 or newer"
    if ! command -v dockerd >/dev/null; then
        say "installing Docker"
        install_engine
    fi
    say "starting Docker"
    start_engine
fi
docker buildx version >/dev/null 2>&1 || fail "found no docker buildx, want it"
docker compose version >/dev/null 2>&1 || fail "found no docker compose, want version 2.24 or newer"
if is_root; then register_arm64; fi
has_emulation || echo "found no emulation of arm64, so its tests are skipped; want for example" \
    "qemu-user-static and binfmt-support of Debian, or: docker run --privileged --rm tonistiigi/binfmt"

if ! docker image inspect "$base" >/dev/null 2>&1; then
    say "fetching $base"
    if ! docker pull --quiet "$base" >/dev/null 2>&1; then
        [ "${CAMFLEET_TEST_MAKE_BASE:-}" = 1 ] && is_root \
            || fail "found no $base and no way to pull it, want one of both (or, on Debian and as" \
                "root, CAMFLEET_TEST_MAKE_BASE=1 to make it from packages)"
        say "making $base from packages"
        make_base
    fi
fi
say "Docker $(docker version --format '{{.Server.Version}}') is ready"
