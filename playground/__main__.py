"""`python -m playground` serves the page."""

import sys

from playground.app import main

sys.exit(main())
