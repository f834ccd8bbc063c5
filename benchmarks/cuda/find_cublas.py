"""Prints the path of the cuBLAS that Python's packages hold; nothing where libkpflow_cuda finds one by itself, or there is none."""

import ctypes
import os
import pathlib


def loads(path):
    try:
        ctypes.CDLL(str(path))
        return True
    except OSError:
        return False


def main():
    folders = [""] + [f"{os.environ[name]}/lib64/" for name in ("CUDA_HOME", "CUDA_PATH") if os.environ.get(name)]
    folders.append("/usr/local/cuda/lib64/")
    if any(loads(f"{folder}libcublas.so.{version}") for folder in folders for version in (13, 12)):
        return
    try:
        import nvidia
    except ImportError:
        return
    found = [path for folder in nvidia.__path__ for path in pathlib.Path(folder).rglob("libcublas.so.1?")]
    for path in sorted(found, key=lambda path: path.name, reverse=True):
        if loads(path):
            print(path)
            return


main()
