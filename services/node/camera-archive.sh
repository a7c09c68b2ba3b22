#!/bin/sh
# Say to apt where the camera's software comes from: camera-archive.sh URI SUITE FOLDER
# An empty URI is Debian with its backports, another one the Raspberry Pi archive.
set -eu
uri=$1 suite=$2 folder=$3
fingerprint=CF8A1AF502A2AA2D763BAE7E82B129927FA3303E  # of the Raspberry Pi archive's signing key
mkdir -p "$folder/etc/apt/sources.list.d" "$folder/etc/apt/preferences.d"

# A package that stands where Mesa would. libcamera wants libegl1, that wants a driver, and the one
# that there is comes with LLVM: 190 MB to render what a Pi's image processor does without.
mkdir -p no-mesa/DEBIAN
cat > no-mesa/DEBIAN/control <<'EOF'
Package: camfleet-no-mesa
Version: 1
Architecture: all
Multi-Arch: foreign
Provides: libegl-mesa0
Maintainer: camfleet
Description: no OpenGL driver, where nothing renders
EOF
dpkg-deb --build no-mesa "$folder/no-mesa.deb"

if [ -z "$uri" ]; then
    # The same mirror as the image's own.
    debian=$(cat /etc/apt/sources.list.d/*.sources /etc/apt/sources.list 2>/dev/null \
        | sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] *\)\{0,1\}\([^ ]*\) .*/\2/p' \
        | head -n 1)
    [ -n "$debian" ] || { echo "found no archive in apt's sources, want one" >&2; exit 1; }
    echo "deb $debian $suite-backports main" > "$folder/etc/apt/sources.list.d/backports.list"
    # Backports give nothing unless they are asked, and are asked for this alone.
    cat > "$folder/etc/apt/preferences.d/camera" <<EOF
Package: src:libcamera
Pin: release n=$suite-backports
Pin-Priority: 900
EOF
    echo python3-libcamera libcamera-ipa > "$folder/packages"
    exit
fi

apt-get update
apt-get install -y --no-install-recommends gpg gpg-agent
key=/run/secrets/camera_key
if [ ! -s "$key" ]; then
    key=/tmp/camera_key
    /usr/lib/apt/apt-helper download-file "${uri%/}/raspberrypi.gpg.key" "$key"
fi
GNUPGHOME=$(mktemp -d)
export GNUPGHOME
gpg --batch --quiet --import "$key"
mkdir -p "$folder/etc/apt/keyrings"
# This key alone, whatever else stands in the file.
gpg --batch --export "$fingerprint" > "$folder/etc/apt/keyrings/camera.gpg"
if [ ! -s "$folder/etc/apt/keyrings/camera.gpg" ]; then
    found=$(gpg --batch --with-colons --list-keys | sed -n 's/^fpr:*\([0-9A-F]*\):.*/\1/p' | xargs)
    echo "found the keys ${found:-none} for $uri, want $fingerprint" >&2
    exit 1
fi
cat > "$folder/etc/apt/sources.list.d/camera.sources" <<EOF
Types: deb
URIs: $uri
Suites: $suite
Components: main
Signed-By: /etc/apt/keyrings/camera.gpg
EOF
echo python3-picamera2 libcamera-ipa > "$folder/packages"
