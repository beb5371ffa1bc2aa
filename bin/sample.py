#!/usr/bin/env python3
"""Runs `tfgans sample`."""

import sys

from tfgans.cli.sample import main

if __name__ == "__main__":
    sys.exit(main())
