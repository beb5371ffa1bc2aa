#!/usr/bin/env python3
"""Runs `tfgans card`."""

import sys

from tfgans.cli.card import main

if __name__ == "__main__":
    sys.exit(main())
