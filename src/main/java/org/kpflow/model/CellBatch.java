package org.kpflow.model;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.DoubleBuffer;
import org.kpflow.base.Checks;

/**
 * One step of a {@link CellFunction} for several trials, on off-heap buffers. All have one row per
 * trial and H units as their last axis. Every buffer that a function has to fill must be filled
 * whole: what was left out counts as not finite. Those to be read cannot be written.
 */
public final class CellBatch {
  private final int gates;
  private final int components;
  private final int units;
  private final int capacity;
  private final DoubleBuffer previous;
  private final DoubleBuffer q;
  private final DoubleBuffer p;
  private final DoubleBuffer site;
  private final DoubleBuffer siteByState;
  private final DoubleBuffer next;
  private final DoubleBuffer nextByHidden;
  private final DoubleBuffer nextByInput;
  private final DoubleBuffer nextByState;
  private long firstTrial;
  private int rows;
  private long step;

  /** Room for {@code capacity} trials of a layer of H units. */
  public CellBatch(int gates, int components, int units, int capacity) {
    this.gates = gates;
    this.components = components;
    this.units = units;
    this.capacity = capacity;
    this.previous = room(components);
    this.q = room(gates);
    this.p = room(gates);
    this.site = room(1);
    this.siteByState = room(components);
    this.next = room(components);
    this.nextByHidden = room(gates * components);
    this.nextByInput = room(gates * components);
    this.nextByState = room(components * components);
  }

  private DoubleBuffer room(int slots) {
    long bytes = (long) capacity * slots * units * Double.BYTES;
    Checks.that(
        bytes <= Integer.MAX_VALUE, "cell: %d bytes for a step of it, expected less", bytes);
    return ByteBuffer.allocateDirect((int) bytes).order(ByteOrder.nativeOrder()).asDoubleBuffer();
  }

  /** Doubles that a batch takes per trial and unit. */
  public static long slots(int gates, int components) {
    long g = gates;
    long m = components;
    return 2 * m + 2 * g + 1 + m + 2 * g * m + m * m;
  }

  /** Moves on to a step of some trials, and forgets what was filled. */
  public void begin(long trial, int trials, long newStep) {
    Checks.range("trials", trials, 0, capacity);
    firstTrial = trial;
    rows = trials;
    step = newStep;
    for (DoubleBuffer filled :
        new DoubleBuffer[] {site, siteByState, next, nextByHidden, nextByInput, nextByState}) {
      for (int i = 0; i < filled.capacity(); i++) {
        filled.put(i, Double.NaN);
      }
    }
  }

  /** g. */
  public int gates() {
    return gates;
  }

  /** m. */
  public int components() {
    return components;
  }

  /** H. */
  public int units() {
    return units;
  }

  /** The trials in this batch. */
  public int rows() {
    return rows;
  }

  /** The number of the first of them. */
  public long firstTrial() {
    return firstTrial;
  }

  /** The step of the state, from 0. */
  public long step() {
    return step;
  }

  /** The previous state [rows, m, H], to read. */
  public DoubleBuffer previous() {
    return part(previous, components).asReadOnlyBuffer();
  }

  /** W_hh v + b_hh [rows, g, H], to read. */
  public DoubleBuffer q() {
    return part(q, gates).asReadOnlyBuffer();
  }

  /** W_ih x + b_ih [rows, g, H], to read. */
  public DoubleBuffer p() {
    return part(p, gates).asReadOnlyBuffer();
  }

  /** v [rows, H]. */
  public DoubleBuffer site() {
    return part(site, 1);
  }

  /** S = ∂v/∂previous_d [rows, m, H]. */
  public DoubleBuffer siteByState() {
    return part(siteByState, components);
  }

  /** The next state [rows, m, H]. */
  public DoubleBuffer next() {
    return part(next, components);
  }

  /** A = ∂next_c/∂q_j [rows, g, m, H]. */
  public DoubleBuffer nextByHidden() {
    return part(nextByHidden, gates * components);
  }

  /** C = ∂next_c/∂p_j [rows, g, m, H]. */
  public DoubleBuffer nextByInput() {
    return part(nextByInput, gates * components);
  }

  /** D = ∂next_c/∂previous_d [rows, m, m, H]. */
  public DoubleBuffer nextByState() {
    return part(nextByState, components * components);
  }

  /** A view with its own position and limit, so that no use of it disturbs another. */
  private DoubleBuffer part(DoubleBuffer whole, int slots) {
    return whole.slice(0, rows * slots * units);
  }

  /** ψ unit by unit, on dual numbers. */
  void evaluateSite(CellFunction cell) {
    Dual[] state = new Dual[components];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < units; i++) {
        for (int d = 0; d < components; d++) {
          state[d] = Dual.variable(previous.get(at(row, components, d, i)), d, components);
        }
        Dual v = checked("site", cell.site(state, step, i), components);
        site.put(at(row, 1, 0, i), v.value());
        for (int d = 0; d < components; d++) {
          siteByState.put(at(row, components, d, i), v.partial(d));
        }
      }
    }
  }

  /** φ unit by unit, on dual numbers in the order q, p, previous. */
  void evaluateStep(CellFunction cell) {
    int variables = 2 * gates + components;
    Dual[] hidden = new Dual[gates];
    Dual[] input = new Dual[gates];
    Dual[] state = new Dual[components];
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < units; i++) {
        for (int j = 0; j < gates; j++) {
          hidden[j] = Dual.variable(q.get(at(row, gates, j, i)), j, variables);
          input[j] = Dual.variable(p.get(at(row, gates, j, i)), gates + j, variables);
        }
        for (int d = 0; d < components; d++) {
          double value = previous.get(at(row, components, d, i));
          state[d] = Dual.variable(value, 2 * gates + d, variables);
        }
        Dual[] result = cell.step(hidden, input, state, step, i);
        Checks.that(
            result != null && result.length == components,
            "step: expected %d components, got %s",
            components,
            result == null ? "null" : "" + result.length);
        for (int c = 0; c < components; c++) {
          store(row, c, i, checked("step", result[c], variables));
        }
      }
    }
  }

  private void store(int row, int c, int i, Dual result) {
    next.put(at(row, components, c, i), result.value());
    for (int j = 0; j < gates; j++) {
      int slot = j * components + c;
      nextByHidden.put(at(row, gates * components, slot, i), result.partial(j));
      nextByInput.put(at(row, gates * components, slot, i), result.partial(gates + j));
    }
    for (int d = 0; d < components; d++) {
      int slot = c * components + d;
      nextByState.put(at(row, components * components, slot, i), result.partial(2 * gates + d));
    }
  }

  private int at(int row, int slots, int slot, int unit) {
    return (row * slots + slot) * units + unit;
  }

  private static Dual checked(String what, Dual result, int variables) {
    Checks.that(result != null, "%s: expected a number, got null", what);
    Checks.that(
        result.variables() == 0 || result.variables() == variables,
        "%s: expected a number of its own arguments, of %d variables, got one of %d",
        what,
        variables,
        result.variables());
    return result;
  }
}
