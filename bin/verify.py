#!/usr/bin/env python3
"""Runs `tfgans verify`."""

import sys

from tfgans.cli.verify import main

if __name__ == "__main__":
    sys.exit(main())
