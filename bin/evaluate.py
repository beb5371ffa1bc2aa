#!/usr/bin/env python3
"""Runs `tfgans evaluate`."""

import sys

from tfgans.cli.evaluate import main

if __name__ == "__main__":
    sys.exit(main())
