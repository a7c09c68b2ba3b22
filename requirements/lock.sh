#!/bin/sh
# Lock what each image and the tests install: hashes, no download addresses.
# `make lock` runs this; the versions of dev.txt hold for the others too.
set -eu
cd "$(dirname "$0")/.."
lock() {
    out=$1; shift
    uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-emit-find-links --no-annotate --no-header \
        --no-emit-package camfleet --no-emit-package camfleet-node --no-emit-package camfleet-hub \
        --output-file "requirements/$out.txt" "$@"
}
lock dev requirements/dev.in requirements/build.in requirements/node.in requirements/hub.in "$@"
lock fuzz requirements/fuzz.in --constraint requirements/dev.txt "$@"
lock build requirements/build.in --constraint requirements/dev.txt "$@"
lock node requirements/node.in --constraint requirements/dev.txt "$@"
lock hub requirements/hub.in --constraint requirements/dev.txt "$@"
lock ansible requirements/ansible.in --constraint requirements/dev.txt "$@"
lock camera requirements/camera.in --no-deps "$@"
