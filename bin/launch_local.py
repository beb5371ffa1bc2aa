#!/usr/bin/env python3
"""Runs `tfgans launch`."""

import sys

from tfgans.cli.launch import main

if __name__ == "__main__":
    sys.exit(main())
