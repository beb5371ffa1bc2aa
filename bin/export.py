#!/usr/bin/env python3
"""Runs `tfgans export`."""

import sys

from tfgans.cli.export import main

if __name__ == "__main__":
    sys.exit(main())
