#!/usr/bin/env python3
"""Runs `tfgans serve`."""

import sys

from tfgans.cli.serve import main

if __name__ == "__main__":
    sys.exit(main())
