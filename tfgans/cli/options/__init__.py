"""The flags of the commands: a module for each concept, and each flag once.

`define` declares the flags; the other functions make what the parsed flags describe. Names that a
flag may take are written down here, so that help needs no TensorFlow; a test compares them with the
library's.
"""
