package org.kpflow.flow;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The columns x_c = P (√λ_c u_c ⊗ e_unit(c)) of a factor L of the NTK, R x_c of that of a part of
 * the state, or the same without P of a factor of K, by descending λ_c (docs/theory.md, section 3):
 * NTK ≈ L L* = Σ x_c x_c*. What a number of leading columns leaves out is positive semidefinite,
 * with norm and trace at most ||P||² (||R P||²) times those of the rest of K.
 */
public final class KernelFactor implements ReducedViews.Columns, AutoCloseable {
  private final ParameterModes modes;
  private final LinearOperator owner;
  private final LinearOperator response; // R P; null for a factor of K
  private final double gain;
  private boolean closed;
  private Tensor sources; // scratch, all zero between calls

  private KernelFactor(
      ParameterModes modes, LinearOperator owner, LinearOperator response, double gain) {
    this.modes = modes;
    this.owner = owner;
    this.response = response;
    this.gain = gain;
  }

  /**
   * The factor of the NTK. The modes stay the caller's.
   *
   * @param modes of K
   * @param propagationNorm an upper bound on ||P||, which bounds what is left out
   */
  public static KernelFactor ofTangentKernel(ParameterModes modes, double propagationNorm) {
    Checks.that(propagationNorm > 0, "norm of P: expected above 0, got %s", propagationNorm);
    StateRestriction whole = StateRestriction.whole(modes.linearization());
    return new KernelFactor(
        modes, whole.tangentKernel(), whole.response(), propagationNorm * propagationNorm);
  }

  /** The factor of R NTK R* for modes that were found for it. The modes stay the caller's. */
  public static KernelFactor ofTangentKernel(ParameterModes modes) {
    StateRestriction selected = modes.selected();
    Checks.that(selected != null, "modes: expected those of a part of the state, got those of K");
    return new KernelFactor(modes, selected.tangentKernel(), selected.response(), 1);
  }

  /** The factor of K. The modes stay the caller's. */
  public static KernelFactor ofParameterOperator(ParameterModes modes) {
    return new KernelFactor(modes, new ParameterOperator(modes.linearization()), null, 1);
  }

  @Override
  public LinearOperator owner() {
    return owner;
  }

  /** R = Σ_u r_u. */
  @Override
  public long count() {
    return modes.count();
  }

  @Override
  public double restNorm(long leading) {
    return gain * modes.restNorm(leading);
  }

  @Override
  public double restTrace(long leading) {
    return gain * modes.restTrace(leading);
  }

  @Override
  public synchronized void fill(long first, Tensor out) {
    Shape state = owner.range();
    Checks.that(
        Checks.notNull(out, "out").shape().rank() == state.rank() + 1
            && out.shape().tail().equals(state),
        "out: expected a block of %s, got %s",
        state,
        out.shape());
    long s = out.shape().size(0);
    Checks.that(
        first >= 0 && first <= count() - s,
        "columns: expected a part of %d, got %d from %d",
        count(),
        s,
        first);
    long most = StateRestriction.statesAtOnce(modes.linearization(), s);
    for (long from = 0; from < s; from += most) {
      long count = Math.min(most, s - from);
      Tensor block = scratch(most).slice(0, count);
      try {
        modes.set(first + from, block, false);
        if (response == null) {
          out.slice(from, count).copyFrom(block);
        } else {
          response.matmat(block, out.slice(from, count));
        }
      } finally {
        modes.set(first + from, block, true);
      }
    }
  }

  /**
   * L z for a block of coordinates z [s, R], in the order of the columns: lifts eigenvectors of L*L
   * to the state, as a new tensor [s, B, T', n'].
   */
  public Tensor lift(Tensor z) {
    long s = Checks.notNull(z, "z").shape().size(0);
    Checks.shape("z", Shape.of(s, count()), z.shape());
    try (Tensor scaled = owner.zeros(s, Math.max(count(), 1));
        Tensor source = owner.zeros(sources(s))) {
      for (int c = 0; c < count(); c++) {
        TensorMath.strided(
            new long[] {s},
            Math.sqrt(modes.value(c)),
            z.reshape(Shape.of(s * count())).slice(c, s * count() - c),
            new long[] {count()},
            0,
            scaled
                .reshape(Shape.of(s * count()))
                .slice(modes.position(c), s * count() - modes.position(c)),
            new long[] {count()});
      }
      modes.leading(count()).matmat(scaled, source);
      return response == null ? source.copy() : response.matmat(source);
    }
  }

  /** [s, B, T, n], whatever part of the state the columns are on. */
  private Shape sources(long s) {
    return modes.linearization().stateShape().block(s);
  }

  private Tensor scratch(long s) {
    if (closed) {
      throw new IllegalStateException("this factor is closed; expected an open one");
    }
    if (sources == null || sources.shape().size(0) < s) {
      if (sources != null) {
        sources.close();
        sources = null;
      }
      sources = owner.zeros(sources(s));
    }
    return sources;
  }

  @Override
  public synchronized void close() {
    closed = true;
    if (sources != null) {
      sources.close();
      sources = null;
    }
  }
}
