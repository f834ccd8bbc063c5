package org.kpflow.nativelib;

import java.util.ArrayList;
import java.util.List;
import org.kpflow.base.DType;

/**
 * A linear read-out y = W h + b of a part of every row of a state [rows, n]; see kpflow.h.
 *
 * @param units n
 * @param begin the first unit that is read
 * @param width how many are read
 * @param weight W [outputs, width]
 * @param bias b [outputs], or null for none
 */
public record ReadoutArrays(
    DType dtype,
    long rows,
    long units,
    long begin,
    long width,
    long outputs,
    NativeMemory weight,
    NativeMemory bias) {

  public ReadoutArrays {
    Engine.holds(weight, dtype, Engine.product(outputs, width));
    if (bias != null) {
      Engine.holds(bias, dtype, outputs);
    }
  }

  /** y [rows, outputs] of a state [rows, n]. */
  public void apply(ContextHandle context, NativeMemory state, NativeMemory y) {
    run(
        context,
        state,
        y,
        (c, r) -> Kpflow.kpflow_readout_apply(c, r, state.pointer(), y.pointer()));
  }

  /** The adjoint: state [rows, n] = y W in the units that are read, 0 elsewhere. */
  public void adjoint(ContextHandle context, NativeMemory y, NativeMemory state) {
    run(
        context,
        state,
        y,
        (c, r) -> Kpflow.kpflow_readout_adjoint(c, r, y.pointer(), state.pointer()));
  }

  /** yᵀ h and the column sums of y, written where W and b of this stand; b may be null. */
  public void gradient(ContextHandle context, NativeMemory state, NativeMemory y) {
    run(
        context,
        state,
        y,
        (c, r) ->
            Kpflow.kpflow_readout_gradient(
                c, r, state.pointer(), y.pointer(), weight.pointer(), Engine.pointerOrNull(bias)));
  }

  private interface Call {
    int status(NativeContext context, kpflow_readout readout);
  }

  private void run(ContextHandle context, NativeMemory state, NativeMemory y, Call call) {
    Engine.holds(state, dtype, Engine.product(rows, units));
    Engine.holds(y, dtype, Engine.product(rows, outputs));
    List<NativeMemory> used = new ArrayList<>(List.of(state, y, weight));
    if (bias != null) {
      used.add(bias);
    }
    try (kpflow_readout readout = new kpflow_readout()) {
      context.call(
          c -> {
            readout
                .dtype(dtype.nativeCode())
                .rows(rows)
                .units(units)
                .begin(begin)
                .width(width)
                .outputs(outputs)
                .weight(weight.pointer())
                .bias(Engine.pointerOrNull(bias));
            return call.status(c, readout);
          },
          used.toArray(new NativeMemory[0]));
    }
  }
}
