"""The table of benchmarks/cuda/run.sh: reads the records in a folder, prints the table, writes it as cuda.json.

usage: table.py FOLDER DATE CARD DRIVER; exit status 1 where a test failed or a target was not met.
"""

import json
import pathlib
import re
import sys

# Case, its title, TFLOP/s that the NTK has to reach, and how many times the better peer.
CASES = [
    ("h256-f32", "GRU H=256 B=500 T=90 s=16 f32", 20, 3),
    ("h1024-f32", "GRU H=1024 B=500 T=90 s=16 f32", 30, 3),
    ("h1024-f64", "GRU H=1024 B=500 T=90 s=16 f64", 25, 3),
]
CHECKS = ["test-cpu", "test-cuda", "sanitizer-memcheck", "sanitizer-racecheck"]


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def outcome(folder, steps, name):
    """How a step ended, with the closing line of the test program and of compute-sanitizer."""
    if name not in steps:
        return "not here"
    log = folder / f"{name}.log"
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    closing = [line for line in lines if re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", line)]
    closing += [line.strip("= ") for line in lines if "SUMMARY" in line][-1:]
    verdict = {"0": "passed", "124": "stopped by its limit", "137": "stopped by its limit", "left-out": "no time left"}
    return "; ".join([verdict.get(steps[name], f"FAILED ({steps[name]})")] + closing)


def measure(folder, case, title, target, times):
    """One row: rates of the NTK in TFLOP/s, ours over the better peer's, and whether the targets are met."""
    ours = load(folder / f"bench-{case}.json")
    row = {"case": title, "ours": None, "torch": None, "jax": None, "ratio": None, "rate_met": None, "ratio_met": None}
    if ours is None:
        return row, None
    ntk = ours["rates"]["NTK"]
    row["ours"] = ntk["tflops"]
    for peer in ("torch", "jax"):
        found = load(folder / f"{peer}-{case}.json")
        if found is not None:
            row[peer] = ntk["flop"] / found["seconds"] / 1e12
            row[f"{peer}_variant"] = f"{found['variant']}, {found['version']}"
            row[f"{peer}_difference"] = found["error"]
    best = max((row[peer] for peer in ("torch", "jax") if row[peer] is not None), default=None)
    row["rate_met"] = row["ours"] >= target
    if best is not None:
        row["ratio"] = row["ours"] / best
        row["ratio_met"] = row["ratio"] >= times
    return row, ours


def main():
    folder, date, card, driver = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
    steps = dict(line.split() for line in (folder / "steps.txt").read_text(encoding="utf-8").splitlines())

    def number(value, digits=1):
        return "-" if value is None else f"{value:.{digits}f}"

    def verdict(met):
        return {None: "not measured", True: "met", False: "NOT MET"}[met]

    print(f"\n{card}, driver {driver}, {date}\n")
    checks = {name: outcome(folder, steps, name) for name in CHECKS}
    for name, text in checks.items():
        print(f"{name:<20} {text}")

    rows, details = [], []
    for case, title, target, times in CASES:
        row, ours = measure(folder, case, title, target, times)
        rows.append(row)
        if ours is not None:
            details.append((title, ours["rates"]))
    print("\nTFLOP/s of all, medians of whole calls")
    for title, rates in details:
        print(f"{title}: " + ", ".join(f"{name} {rate['tflops']:.2f}" for name, rate in rates.items()))
    print(f"\nNTK, TFLOP/s\n{'case':<34}{'ours':>8}{'torch':>8}{'jax':>8}{'ratio':>8}   targets")
    for row, (_, _, target, times) in zip(rows, CASES):
        print(
            f"{row['case']:<34}{number(row['ours']):>8}{number(row['torch']):>8}{number(row['jax']):>8}"
            f"{number(row['ratio'], 2):>8}   {target} TFLOP/s {verdict(row['rate_met'])}, {times}x {verdict(row['ratio_met'])}"
        )
    record = {"date": date, "card": card, "driver": driver, "checks": checks, "ntk": rows, "rates": dict(details)}
    (folder / "cuda.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    passed = all(steps.get(name) == "0" for name in ("test-cpu", "test-cuda"))
    sanitized = not any("FAILED" in checks[name] for name in CHECKS)
    met = all(row["rate_met"] and row["ratio_met"] for row in rows)
    sys.exit(0 if passed and sanitized and met else 1)


main()
