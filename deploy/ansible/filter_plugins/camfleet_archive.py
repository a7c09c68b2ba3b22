"""What the archive of an image holds."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleFilterError


class FilterModule:
    """Filters, as Ansible looks for them."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """By name."""
        return {
            "camfleet_archive": read_archive,
        }


def read_archive(path: str) -> dict[str, str]:
    """Tell what an image's archive holds: its tag, its digest and its architecture."""
    try:
        with tarfile.open(path, "r:") as archive:
            manifest = json.load(_member(archive, "manifest.json"))
            if len(manifest) != 1 or not manifest[0].get("RepoTags"):
                raise AnsibleFilterError(f"{path}: found {len(manifest)} images, want one, tagged")
            config = manifest[0]["Config"]
            architecture = json.load(_member(archive, config))["architecture"]
    except FileNotFoundError as error:
        raise AnsibleFilterError(f"there is no image {path}: `make images` makes it") from error
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as error:
        raise AnsibleFilterError(f"{path} is no archive of an image: {error}") from error
    digest = Path(config).name.removesuffix(".json")
    return {"tag": manifest[0]["RepoTags"][0], "digest": digest, "architecture": architecture}


def _member(archive: tarfile.TarFile, name: str) -> Any:  # noqa: ANN401 - a file's object
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(name)
    return file
