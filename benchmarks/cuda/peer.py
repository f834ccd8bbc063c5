"""What the two peers share: arguments, the arrays that kpflow_native_bench wrote, and the record of what was measured."""

import argparse
import json
import os
import statistics
import sys

import numpy as np

LIMITS = {"f32": 1e-4, "f64": 1e-10}  # relative Frobenius error of the NTK of one probe


class Case:
    """One case: weights, inputs, one probe and our answer, from the folder --arrays."""

    def __init__(self, peer, version):
        parser = argparse.ArgumentParser(description=f"NTK times a block of probes in {peer}, timed.")
        parser.add_argument("--arrays", required=True, help="what kpflow_native_bench --arrays wrote")
        parser.add_argument("--probes", type=int, default=16)
        parser.add_argument("--repeat", type=int, default=7)
        parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
        parser.add_argument("--json", required=True, help="where the record of the fastest variant is kept")
        parser.add_argument("--variants", default="", help="only these, with commas between them")
        arguments = parser.parse_args()
        self.variants = arguments.variants.split(",") if arguments.variants else None
        self.peer, self.version = peer, version
        self.probes, self.repeat, self.device = arguments.probes, arguments.repeat, arguments.device
        self.json = arguments.json
        self.folder = arguments.arrays
        self.theta = [self.load(name) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        self.x, self.probe, self.answer = self.load("x"), self.load("probe"), self.load("ntk")
        self.dtype = {"float32": "f32", "float64": "f64"}[str(self.x.dtype)]
        self.best = None
        if os.path.exists(self.json):
            with open(self.json, encoding="utf-8") as file:
                self.best = json.load(file)

    def load(self, name):
        return np.load(f"{self.folder}/{name}.npy")

    def wants(self, variant):
        return self.variants is None or variant in self.variants

    def block_shape(self):
        """[s, B, T, H]; the first probe of a block is the one that our answer is for, the others are random."""
        return (self.probes,) + self.probe.shape[1:]

    def record(self, variant, seconds, first):
        """Keeps the fastest variant; `first` is what it makes of the first probe."""
        error = float(np.linalg.norm(first - self.answer[0]) / np.linalg.norm(self.answer[0]))
        median = statistics.median(seconds)
        print(f"{self.peer} {variant}: {median:.6f} s, differs from ours by {error:.2g}", flush=True)
        if not error < LIMITS[self.dtype]:
            sys.exit(f"{self.peer} {variant}: its result is not ours")
        if self.best is None or median < self.best["seconds"]:
            self.best = {"peer": self.peer, "version": self.version, "variant": variant, "seconds": median, "error": error}
            with open(self.json, "w", encoding="utf-8") as file:
                json.dump(self.best, file)
