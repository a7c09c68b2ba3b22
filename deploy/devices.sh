#!/bin/sh
# Write what the service `node` of docker-compose.yml needs of this machine's cameras: their devices
# and the groups that these belong to, by number. They differ by model, and may change at a boot.
#   deploy/devices.sh > docker-compose.override.yml
set -eu
devices=
groups=
for device in /dev/media* /dev/video* /dev/v4l-subdev* /dev/dma_heap/* /dev/vcio; do
    [ -c "$device" ] || continue
    devices="$devices      - $device
"
    group=$(stat -c %g "$device")
    case " $groups " in *" $group "*) ;; *) groups="$groups $group" ;; esac
done
[ -n "$devices" ] || { echo "found no camera's device in /dev, want one" >&2; exit 1; }
# !override, or what stands in docker-compose.yml would be added to.
printf 'services:\n  node:\n    devices: !override\n%s' "$devices"
printf '    group_add: !override\n'
for group in $groups; do printf '      - "%s"\n' "$group"; done
