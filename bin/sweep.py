#!/usr/bin/env python3
"""Runs `tfgans sweep`."""

import sys

from tfgans.cli.sweep import main

if __name__ == "__main__":
    sys.exit(main())
