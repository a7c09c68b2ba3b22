#!/bin/sh
# Install locked wheels into a folder, for an image of any architecture, without running any of
# its programs: into-image.sh amd64|arm64 FOLDER FILE...
set -eu
case $1 in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "found architecture $1, want amd64 or arm64" >&2; exit 2 ;;
esac
folder=$2
shift 2
# A wheel names the oldest glibc that it runs with, and pip takes only what it is told by name;
# Debian 13 has 2.41.
platforms="--platform manylinux2014_$machine"
for minor in $(seq 17 41); do platforms="$platforms --platform manylinux_2_${minor}_$machine"; done
# A certificate authority of the builder's own network, where there is one.
if [ -s /run/secrets/extra_ca ]; then export PIP_CERT=/run/secrets/extra_ca; fi
for file; do
    # shellcheck disable=SC2086 # they are several words
    python3 -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
        --no-compile --no-deps --require-hashes --only-binary=:all: \
        --implementation cp --python-version 3.13 $platforms \
        --target "$folder" --requirement "$file"
done
