package org.kpflow.nativelib;

import java.util.Arrays;
import org.bytedeco.javacpp.DoublePointer;
import org.kpflow.base.DType;

/** The training functions of kpflow.h with Java's types; see {@link Engine}. */
public final class TrainingKernels {
  private TrainingKernels() {}

  /**
   * The mean of (y - targets)² over the entries of y [rows, outputs] whose row counts; y becomes
   * its derivative.
   *
   * @param mask [rows], 1 where a row counts and 0 elsewhere; null for all
   */
  public static double meanSquaredError(
      ContextHandle context,
      DType dtype,
      long rows,
      long outputs,
      NativeMemory y,
      NativeMemory targets,
      NativeMemory mask) {
    Engine.holds(y, dtype, Engine.product(rows, outputs));
    Engine.holds(targets, dtype, Engine.product(rows, outputs));
    if (mask != null) {
      Engine.holds(mask, dtype, rows);
    }
    try (DoublePointer loss = new DoublePointer(1)) {
      context.call(
          c ->
              Kpflow.kpflow_mean_squared_error(
                  c,
                  dtype.nativeCode(),
                  rows,
                  outputs,
                  y.pointer(),
                  targets.pointer(),
                  Engine.pointerOrNull(mask),
                  loss),
          mask == null ? new NativeMemory[] {y, targets} : new NativeMemory[] {y, targets, mask});
      return loss.get();
    }
  }

  /** x = min(max(x, -limit), limit) over count elements. */
  public static void clamp(
      ContextHandle context, DType dtype, long count, double limit, NativeMemory x) {
    Engine.holds(x, dtype, count);
    context.call(c -> Kpflow.kpflow_clamp(c, dtype.nativeCode(), count, limit, x.pointer()), x);
  }

  /**
   * Constants of Adam.
   *
   * @param beta1 decay of the first moment, at least 0 and below 1
   * @param beta2 decay of the second moment, at least 0 and below 1
   * @param epsilon added to the root of the second moment, at least 0
   */
  public record AdamConstants(double beta1, double beta2, double epsilon) {}

  /** Step number {@code step} of Adam on count elements of a gradient, m, v and θ. */
  public static void adamStep(
      ContextHandle context,
      DType dtype,
      long count,
      long step,
      double rate,
      AdamConstants constants,
      NativeMemory gradient,
      NativeMemory m,
      NativeMemory v,
      NativeMemory theta) {
    for (NativeMemory array : new NativeMemory[] {gradient, m, v, theta}) {
      Engine.holds(array, dtype, count);
    }
    context.call(
        c ->
            Kpflow.kpflow_adam_step(
                c,
                dtype.nativeCode(),
                count,
                step,
                rate,
                constants.beta1,
                constants.beta2,
                constants.epsilon,
                gradient.pointer(),
                m.pointer(),
                v.pointer(),
                theta.pointer()),
        gradient,
        m,
        v,
        theta);
  }

  /**
   * left [m, m] += G Gᵀ and right [n, n] += Gᵀ G in f64, of a gradient G [m, n].
   *
   * @param right null where it is not wanted
   */
  public static void shampooAccumulate(
      ContextHandle context,
      DType dtype,
      long m,
      long n,
      NativeMemory gradient,
      NativeMemory left,
      NativeMemory right) {
    Engine.holds(gradient, dtype, Engine.product(m, n));
    context.call(
        c ->
            Kpflow.kpflow_shampoo_accumulate(
                c,
                dtype.nativeCode(),
                m,
                n,
                gradient.pointer(),
                left.pointer(),
                Engine.pointerOrNull(right)),
        factors(m, n, left, right, gradient));
  }

  /** θ [m, n] -= rate left G right, left [m, m] and right [n, n] in f64, right null for I. */
  public static void shampooStep(
      ContextHandle context,
      DType dtype,
      long m,
      long n,
      double rate,
      NativeMemory left,
      NativeMemory gradient,
      NativeMemory right,
      NativeMemory theta) {
    Engine.holds(gradient, dtype, Engine.product(m, n));
    Engine.holds(theta, dtype, Engine.product(m, n));
    context.call(
        c ->
            Kpflow.kpflow_shampoo_step(
                c,
                dtype.nativeCode(),
                m,
                n,
                rate,
                left.pointer(),
                gradient.pointer(),
                Engine.pointerOrNull(right),
                theta.pointer()),
        factors(m, n, left, right, gradient, theta));
  }

  /**
   * out = A^(-1/root) of a symmetric positive semidefinite A [n, n], all in f64.
   *
   * @param root 2 or 4
   * @param floor above 0; what eigenvalues below it count as
   */
  public static void inverseRoot(
      ContextHandle context, long n, NativeMemory a, int root, double floor, NativeMemory out) {
    Engine.holds(a, DType.F64, Engine.product(n, n));
    Engine.holds(out, DType.F64, Engine.product(n, n));
    context.call(
        c -> Kpflow.kpflow_inverse_root(c, n, a.pointer(), root, floor, out.pointer()), a, out);
  }

  /** Checks left [m, m] and right [n, n] or null; all memory of the call. */
  private static NativeMemory[] factors(
      long m, long n, NativeMemory left, NativeMemory right, NativeMemory... others) {
    Engine.holds(left, DType.F64, Engine.product(m, m));
    if (right != null) {
      Engine.holds(right, DType.F64, Engine.product(n, n));
    }
    NativeMemory[] used = Arrays.copyOf(others, others.length + (right == null ? 1 : 2));
    used[others.length] = left;
    if (right != null) {
      used[others.length + 1] = right;
    }
    return used;
  }
}
