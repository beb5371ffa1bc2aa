#!/usr/bin/env python3
"""Runs `tfgans train`."""

import sys

from tfgans.cli.train import main

if __name__ == "__main__":
    sys.exit(main())
