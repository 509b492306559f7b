"""`python3 -m masqgate.cli`: the same as `masqgate`."""

import sys

from . import main

sys.exit(main())
