#!/usr/bin/env python3
"""Runs `tfgans experiment`."""

import sys

from tfgans.cli.experiment import main

if __name__ == "__main__":
    sys.exit(main())
