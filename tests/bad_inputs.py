"""What a user may get wrong: files for the table of calls in test_bad_inputs.py."""

import json

import numpy as np
import tiny


def files_for_it(root):
    """Makes an export, and beside it damaged, empty and foreign things."""
    tiny.gan().export(root / "export", verify=False)
    for name in ("empty", "other"):
        (root / name).mkdir()
    (root / "other" / "thesis.txt").write_text("")
    (root / "file").write_text("")
    (root / "graph.pb").write_bytes(b"graph")
    (root / "model.h5").write_bytes(b"\x89HDF\r\n\x1a\n")
    np.savez(root / "objects.npz", a=np.array([{}]), allow_pickle=True)
    (root / "garbage.json").write_text("{")
    (root / "list.json").write_text("[]")
    (root / "deep.json").write_text("[" * 100_000)
    (root / "parts.json").write_text(json.dumps({"format": 1, "metrics": [], "fake": 3}))
