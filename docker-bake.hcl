# Both images for both architectures, with provenance and a bill of materials:
#   VERSION=0.1.0 REVISION=$(git rev-parse HEAD) REGISTRY=registry.example.org/me/ \
#     docker buildx bake -f docker-bake.hcl --push
# `--print` shows what it would do. Without -f, bake takes docker-compose.yml too, which is for one
# machine. docs/containers.md says more.

variable "VERSION" {
  default = "local"
}

variable "REVISION" {
  default = "unknown"
}

# Ends in a slash; without one the images stay on this machine.
variable "REGISTRY" {
  default = ""
}

# Where the sources are to be found, for the images' labels.
variable "SOURCE" {
  default = ""
}

variable "BASE_IMAGE" {
  default = "debian:trixie-slim"
}

# The Raspberry Pi archive, as /etc/apt/sources.list.d/raspi.sources of a Pi names it; empty is Debian.
variable "CAMERA_ARCHIVE" {
  default = ""
}

# For builders whose network has a certificate authority of its own.
variable "EXTRA_CA" {
  default = "/dev/null"
}

group "default" {
  targets = ["node", "hub"]
}

target "image" {
  context   = "."
  platforms = ["linux/amd64", "linux/arm64"]
  attest    = ["type=provenance,mode=max", "type=sbom"]
  secret    = ["id=extra_ca,src=${EXTRA_CA}"]
  args = {
    BASE_IMAGE = BASE_IMAGE
    VERSION    = VERSION
    REVISION   = REVISION
  }
  labels = SOURCE == "" ? {} : { "org.opencontainers.image.source" = SOURCE }
}

target "node" {
  inherits   = ["image"]
  dockerfile = "services/node/Dockerfile"
  tags       = ["${REGISTRY}camfleet-node:${VERSION}"]
  args = {
    CAMERA_ARCHIVE = CAMERA_ARCHIVE
  }
}

target "hub" {
  inherits   = ["image"]
  dockerfile = "services/hub/Dockerfile"
  tags       = ["${REGISTRY}camfleet-hub:${VERSION}"]
}
