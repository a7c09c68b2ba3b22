"""Takes or gives back the right to roll out, which one run has at a time."""

from __future__ import annotations

DOCUMENTATION = """
module: camfleet_lock
short_description: Take or give back the right to roll out
description:
  - A file on the hub's machine says who rolls out. It counts as given back after some time, for a
    run may end without a chance to say so.
options:
  path:
    description: The file.
    type: path
    default: /run/lock/camfleet-rollout.json
  state:
    description: Whether to take it or to give it back.
    type: str
    choices: [present, absent]
    default: present
  machine:
    description: The control machine.
    type: str
    required: true
  pid:
    description: The run on it.
    type: int
    required: true
  force:
    description: Take it from whoever has it.
    type: bool
    default: false
  lease_s:
    description: So many seconds after it was last taken it counts as given back.
    type: int
    default: 3600
author:
  - camfleet
"""

EXAMPLES = """
- name: Take the lock
  camfleet_lock:
    machine: desk
    pid: 4711
"""

RETURN = """
is_held:
  description: Whether this run has it.
  returned: always
  type: bool
holder:
  description: Who else has it, or had it.
  returned: always
  type: dict
"""

import fcntl
import json
import os
import time

from ansible.module_utils.basic import AnsibleModule

_ARGUMENTS = {
    "path": {"type": "path", "default": "/run/lock/camfleet-rollout.json"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "machine": {"type": "str", "required": True},
    "pid": {"type": "int", "required": True},
    "force": {"type": "bool", "default": False},
    "lease_s": {"type": "int", "default": 3600},
}


def main() -> None:
    """Take it or give it back, and tell who has it."""
    module = AnsibleModule(argument_spec=_ARGUMENTS, supports_check_mode=True)
    wanted = module.params
    try:
        # Never through a link that somebody else has put there.
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(wanted["path"], flags, 0o644)
    except OSError as error:
        module.fail_json(msg=f"cannot open {wanted['path']}: {error.strerror}")
    with os.fdopen(descriptor, "r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = _read(file)
        is_ours = all(holder.get(name) == wanted[name] for name in ("machine", "pid"))
        is_over = time.time() - holder.get("taken_s", 0) > wanted["lease_s"]
        is_free = not holder or is_ours or is_over or wanted["force"]
        if not module.check_mode:
            if wanted["state"] == "absent" and is_ours:
                _write(file, {})
            elif wanted["state"] == "present" and is_free:
                mine = {"machine": wanted["machine"], "pid": wanted["pid"], "taken_s": time.time()}
                _write(file, mine)
    # Not a change of the machine: a second run that changes nothing takes it too.
    module.exit_json(changed=False, is_held=is_free, holder={} if is_ours else holder)


def _read(file: object) -> dict:
    try:
        holder = json.load(file)
    except ValueError:
        return {}
    return holder if isinstance(holder, dict) else {}


def _write(file: object, holder: dict) -> None:
    file.seek(0)
    file.truncate()
    json.dump(holder, file)
    file.flush()


if __name__ == "__main__":
    main()
