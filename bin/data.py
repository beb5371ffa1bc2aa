#!/usr/bin/env python3
"""Runs `tfgans data`."""

import sys

from tfgans.cli.data import main

if __name__ == "__main__":
    sys.exit(main())
