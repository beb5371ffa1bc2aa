"""Makes `python -m tfgans` the console command."""

import sys

from tfgans.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
