"""The commands `tfgans train`, `tfgans sample`, ...: a module each, and their flags by concept.

Nothing here imports TensorFlow before a command runs, so that `--help` answers at once.
"""
