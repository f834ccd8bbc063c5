"""The table of benchmarks/cuda/run.sh: reads the records in a folder, prints the table, writes it as cuda.json.

usage: table.py FOLDER DATE CARD DRIVER; exit status 1 where a test failed or a target was not met.
"""

import json
import pathlib
import re
import sys

# What the NTK has to reach: TFLOP/s, and times the better peer.
TARGETS = {"h256-f32": (20, 3), "h1024-f32": (30, 3), "h1024-f64": (25, 3)}
# Other rates of the same cases, and which sweep they were told to make.
OTHERS = ["h256-f32-own", "h1024-f32-own", "h1024-f64-own", "h256-f32-s1-persistent", "h256-f32-s1-batched"]
TESTS = ["test-cuda", "test-cuda-own-batched", "test-cuda-persistent", "test-cpu"]
SANITIZERS = ["sanitizer-memcheck", "sanitizer-racecheck", "sanitizer-racecheck-batched"]
PEERS = ["torch", "jax"]
VERDICTS = {"0": "passed", "124": "stopped by its limit", "137": "stopped by its limit", "left-out": "no time left"}


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def lines_of(path):
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def outcome(folder, steps, name):
    """How a step ended, with the closing lines of the test program and of compute-sanitizer, or what they told so far."""
    if name not in steps:
        return "not run"
    lines = lines_of(folder / f"{name}.log")
    closing = [line for line in lines if re.fullmatch(r"\d+ passed, \d+ failed, \d+ skipped", line)]
    if name.startswith("test") and not closing and steps[name] != "left-out":
        groups = [re.search(r" (\d+) passed +(\d+) failed ", line) for line in lines]
        passed, failed = (sum(int(group[i]) for group in groups if group) for i in (1, 2))
        closing.append(f"{passed} passed, {failed} failed so far")
    summary = [line.strip("= ") for line in lines if "SUMMARY" in line][-1:]
    hazards = sum(bool(re.match(r"=+ (Error|Warning|Invalid|Program hit|Race)", line)) for line in lines)
    if name.startswith("sanitizer") and steps[name] != "left-out":
        closing += summary or [f"{hazards} reports so far"]
    return "; ".join([VERDICTS.get(steps[name], f"FAILED ({steps[name]})")] + closing)


def engine(device):
    """What multiplied matrices, from the library's line on its device: "..., matrix products by cuBLAS 13.0.2 (path)"."""
    return device.partition("matrix products by ")[2].partition(" (")[0] or "?"


def measure(folder, case):
    """One row: rates of the NTK in TFLOP/s, ours over the better peer's, and whether the targets are met."""
    ours = load(folder / f"bench-{case}.json")
    row = {"case": case, "ours": None, "torch": None, "jax": None, "ratio": None, "rate_met": None, "ratio_met": None}
    if ours is None:
        return row
    ntk = ours["rates"]["NTK"]
    row["sizes"] = f"GRU H={ours['H']} B={ours['B']} T={ours['T']} s={ours['s']} {ours['dtype']}"
    row["device"], row["products"] = ours["device"], engine(ours["device"])
    row["sweep"] = next((sweep for sweep in ("persistent", "batched") if case.endswith(sweep)), "auto")
    row["ours"], row["rates"] = ntk["tflops"], ours["rates"]
    for peer in PEERS:
        found = load(folder / f"{peer}-{case}.json")
        if found is not None:
            row[peer] = ntk["flop"] / found["seconds"] / 1e12
            row[f"{peer}_variant"] = f"{found['variant']}, {found['version']}"
            row[f"{peer}_difference"] = found["error"]
    if case in TARGETS:
        rate, times = TARGETS[case]
        best = max((row[peer] for peer in PEERS if row[peer] is not None), default=None)
        row["rate_met"] = row["ours"] >= rate
        if best is not None:
            row["ratio"] = row["ours"] / best
            row["ratio_met"] = row["ratio"] >= times
    return row


def peer_lines(folder, steps):
    """Each variant's time; for a peer that failed also the last thing it said."""
    for name, status in steps.items():
        if name.partition("-")[0] not in PEERS:
            continue
        lines = lines_of(folder / f"{name}.log")
        said = [line.partition(" ")[2] for line in lines if re.match(r"(torch|jax) .*: ", line)]
        if status != "0":
            said.append(VERDICTS.get(status, f"FAILED ({status}): " + (lines[-1] if lines else "")))
        yield f"{name}: " + "; ".join(said)


def main():
    folder, date, card, driver = pathlib.Path(sys.argv[1]), *sys.argv[2:5]
    steps = dict(line.split() for line in (folder / "steps.txt").read_text(encoding="utf-8").splitlines())

    def number(value, digits=1):
        return "-" if value is None else f"{value:.{digits}f}"

    def verdict(met):
        return {None: "not measured", True: "met", False: "NOT MET"}[met]

    print(f"\n{card}, driver {driver}, {date}\n")
    checks = {name: outcome(folder, steps, name) for name in TESTS + SANITIZERS}
    for name, text in checks.items():
        print(f"{name:<28} {text}")
    for name in steps:
        if name.startswith("bench") and steps[name] != "0":
            said = [line for line in lines_of(folder / f"{name}.log") if line.startswith("kpflow_native_bench: ")]
            print(f"{name:<28} {VERDICTS.get(steps[name], f'FAILED ({steps[name]})')} {' '.join(said)}".rstrip())

    print()
    for line in peer_lines(folder, steps):
        print(line)
    rows = [measure(folder, case) for case in [*TARGETS, *OTHERS]]
    for device in dict.fromkeys(row["device"] for row in rows if "device" in row):
        print(device)
    print("\nTFLOP/s of all, medians of whole calls")
    for row in rows:
        if "rates" in row:
            print(f"{row['case']}: " + ", ".join(f"{name} {rate['tflops']:.2f}" for name, rate in row["rates"].items()))
    print(f"\nNTK, TFLOP/s\n{'case':<33}{'products':<33}{'sweep':<11}{'ours':>7}{'torch':>7}{'jax':>7}{'ratio':>7}   targets")
    for row in rows:
        goal = ""
        if row["case"] in TARGETS:
            rate, times = TARGETS[row["case"]]
            goal = f"{rate} TFLOP/s {verdict(row['rate_met'])}, {times}x {verdict(row['ratio_met'])}"
        print(
            f"{row.get('sizes', row['case']):<33}{row.get('products', '-'):<33}{row.get('sweep', '-'):<11}"
            f"{number(row['ours']):>7}{number(row['torch']):>7}{number(row['jax']):>7}{number(row['ratio'], 2):>7}   {goal}".rstrip()
        )
    record = {"date": date, "card": card, "driver": driver, "checks": checks, "ntk": rows}
    (folder / "cuda.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    # What racecheck tells of the persistent sweeps alone may be a false alarm about remote shared memory, and is for a reader.
    alarms = [name for name in SANITIZERS if "FAILED" in checks[name]]
    clean = not alarms or (alarms == ["sanitizer-racecheck"] and steps.get("sanitizer-racecheck-batched") == "0")
    passed = all(steps.get(name) == "0" for name in TESTS)
    met = all(row["rate_met"] and row["ratio_met"] for row in rows if row["case"] in TARGETS)
    sys.exit(0 if passed and clean and met else 1)


main()
