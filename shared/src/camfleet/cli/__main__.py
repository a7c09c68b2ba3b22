"""`python -m camfleet.cli` is the command `camfleet`."""

from __future__ import annotations

from camfleet.cli import main

raise SystemExit(main())
