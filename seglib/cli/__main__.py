"""`python -m seglib.cli`: the command line without its installed script."""

import sys

from seglib.cli import main

sys.exit(main())
