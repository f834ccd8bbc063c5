package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;

/**
 * The partial traces of an operator on [B, T, n], each divided by the product of the traced sizes:
 * A_view[i, j] = (1/N) Σ_u A[(i, u), (j, u)], u over the traced axes.
 */
public enum View {
  /** Units traced: [B T, B T]. */
  TEMP("temp", 0b011),
  /** Trials and steps traced: [n, n]. */
  SPACE("space", 0b100),
  /** Steps and units traced: [B, B]. */
  BATCH("batch", 0b001),
  /** Trials and units traced: [T, T]. */
  TIME("time", 0b010),
  /** Steps traced: [B n, B n]. */
  BATCH_UNIT("bh", 0b101),
  /** Trials traced: [T n, T n]. */
  TIME_UNIT("th", 0b110);

  private final String label;
  private final int keep;

  View(String label, int keep) {
    this.label = label;
    this.keep = keep;
  }

  /** The view of a name: temp, space, batch, time, bh or th. */
  public static View of(String name) {
    for (View view : values()) {
      if (view.label.equals(name)) {
        return view;
      }
    }
    Checks.that(false, "view: expected temp, space, batch, time, bh or th, got '%s'", name);
    return null;
  }

  /** Bits 0, 1, 2 mark B, T, n as kept. */
  public int keep() {
    return keep;
  }

  /** Rows of the view of an operator on this state shape. */
  public long size(Shape state) {
    long size = 1;
    for (int axis = 0; axis < 3; axis++) {
      size *= (keep >> axis & 1) != 0 ? state.size(axis) : 1;
    }
    return size;
  }

  /** N, the product of the traced sizes. */
  public long traced(Shape state) {
    return state.count() / size(state);
  }

  /** The traced axes of [B, T, n], for {@code LinearOperator.partialAverage}. */
  public int[] tracedAxes() {
    return java.util.stream.IntStream.range(0, 3).filter(axis -> (keep >> axis & 1) == 0).toArray();
  }

  @Override
  public String toString() {
    return label;
  }
}
