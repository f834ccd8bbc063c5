package org.kpflow.nativelib;

import org.bytedeco.javacpp.LongPointer;
import org.kpflow.base.DType;

/**
 * Products with a matrix U whose columns [R, m k] live on one of the units [L, H] of a state [k, L,
 * m, H] each; see kpflow.h.
 *
 * @param rows k
 * @param layers L
 * @param components m
 * @param first [L H], the first column of each unit that takes part
 * @param count [L H], how many of them do
 * @param columns [R, m k]
 */
public record UnitArrays(
    DType dtype,
    long rows,
    long layers,
    long components,
    long total,
    long[] first,
    long[] count,
    NativeMemory columns) {

  public UnitArrays {
    Engine.require(first.length == count.length, "units: first and count differ in length");
    Engine.require(
        layers >= 1 && first.length % layers == 0,
        "units: their number is not one of whole layers");
    Engine.holds(columns, dtype, Engine.product(total, rows, components));
  }

  /** out [s, k, L, m, H] = alpha U z + beta out, z [s, R]. */
  public void combine(
      ContextHandle context, long s, double alpha, NativeMemory z, double beta, NativeMemory out) {
    run(
        context,
        s,
        z,
        out,
        (c, starts, counts, monitor) ->
            Kpflow.kpflow_unit_combine(
                c,
                dtype.nativeCode(),
                s,
                rows,
                layers,
                components,
                first.length / layers,
                total,
                starts,
                counts,
                columns.pointer(),
                alpha,
                z.pointer(),
                beta,
                out.pointer(),
                monitor));
  }

  /** z [s, R] = Uᵀ x, x [s, k, L, m, H]; zero for columns that take no part. */
  public void coefficients(ContextHandle context, long s, NativeMemory x, NativeMemory z) {
    run(
        context,
        s,
        z,
        x,
        (c, starts, counts, monitor) ->
            Kpflow.kpflow_unit_coefficients(
                c,
                dtype.nativeCode(),
                s,
                rows,
                layers,
                components,
                first.length / layers,
                total,
                starts,
                counts,
                columns.pointer(),
                x.pointer(),
                z.pointer(),
                monitor));
  }

  private interface Call {
    int status(NativeContext context, LongPointer first, LongPointer count, kpflow_monitor monitor);
  }

  private void run(ContextHandle context, long s, NativeMemory z, NativeMemory state, Call call) {
    Engine.holds(z, dtype, Engine.product(s, total));
    Engine.holds(state, dtype, Engine.product(s, rows, components, first.length));
    try (LongPointer starts = new LongPointer(first);
        LongPointer counts = new LongPointer(count)) {
      context.monitored((c, monitor) -> call.status(c, starts, counts, monitor), columns, z, state);
    }
  }
}
