#!/usr/bin/env python3
"""Runs `tfgans equilibrium`."""

import sys

from tfgans.cli.equilibrium import main

if __name__ == "__main__":
    sys.exit(main())
