#!/usr/bin/env python3
"""Runs `tfgans report`."""

import sys

from tfgans.cli.report import main

if __name__ == "__main__":
    sys.exit(main())
