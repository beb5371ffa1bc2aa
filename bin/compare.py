#!/usr/bin/env python3
"""Runs `tfgans compare`."""

import sys

from tfgans.cli.compare import main

if __name__ == "__main__":
    sys.exit(main())
