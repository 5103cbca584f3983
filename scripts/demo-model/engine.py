"""Finds what the pinned llama.cpp tree and the build of this project provide."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def llama_cpp_folder():
    """The tree that the build fetched, or the checkout that replaces it."""
    candidates = [os.environ.get("LLAMA_CPP_DIR"), ROOT / ".llama.cpp"]
    for folder in filter(None, candidates):
        if (Path(folder) / "gguf-py").is_dir():
            return Path(folder)
    sys.exit("No llama.cpp tree: run `npm ci` once, or set LLAMA_CPP_DIR.")


def reference_program():
    """The program of test/native that says what llama.cpp itself answers."""
    named = os.environ.get("CRIA_REFERENCE")
    found = [Path(named)] if named else sorted((ROOT / ".build").rglob("cria-reference"))
    if not found:
        sys.exit("No cria-reference: build the native tests once, or set CRIA_REFERENCE.")
    return found[0]


sys.path.insert(0, str(llama_cpp_folder() / "gguf-py"))
import gguf  # noqa: E402, F401  (the pinned tree's own writer, so that file and reader match)
import gguf.quants  # noqa: E402, F401
