package org.kpflow.flow;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/**
 * P (I - U U*) D_θf: [p] -> [B, T, n], U the leading modes of K: the Jacobian of the state without
 * what those modes carry. Its samples have the covariance NTK - Σ x_c x_c* of the columns x_c that
 * the leading modes give (docs/theory.md, section 5, hybrid). Without modes it is J.
 */
public final class ResidualJacobian extends LinearOperator implements AutoCloseable {
  private final LocalParameterJacobian local;
  private final PropagationOperator propagation;
  private final UnitColumns modes;
  private boolean closed;
  private Tensor state; // scratch between the parts of one product
  private Tensor coordinates;

  /** Without the given number of leading modes, which stay the caller's. */
  public ResidualJacobian(ParameterModes modes, long leading) {
    this(Checks.notNull(modes, "modes").linearization(), modes.leading(leading));
  }

  private ResidualJacobian(Linearization linearization, UnitColumns modes) {
    super(
        linearization.context(),
        Shape.of(linearization.parameterCount()),
        linearization.stateShape(),
        linearization.dtype(),
        false);
    this.local = new LocalParameterJacobian(linearization);
    this.propagation = new PropagationOperator(linearization);
    this.modes = modes;
  }

  @Override
  protected synchronized void apply(Tensor in, Tensor out) {
    Tensor source = scratch(in.shape().size(0));
    local.matmat(in, source);
    deflate(source);
    propagation.matmat(source, out);
  }

  @Override
  protected synchronized void applyAdjoint(Tensor in, Tensor out) {
    Tensor adjoint = scratch(in.shape().size(0));
    propagation.rmatmat(in, adjoint);
    deflate(adjoint);
    local.rmatmat(adjoint, out);
  }

  /** x -= U U* x. */
  private void deflate(Tensor x) {
    Tensor z = coordinates.slice(0, x.shape().size(0));
    modes.rmatmat(x, z);
    modes.add(-1, z, 1, x);
  }

  private Tensor scratch(long s) {
    if (closed) {
      throw new IllegalStateException("this Jacobian is closed; expected an open one");
    }
    if (state == null || state.shape().size(0) < s) {
      free();
      state = Tensor.zeros(dtype(), range().block(s));
      coordinates = Tensor.zeros(dtype(), modes.domain().block(s));
    }
    return state.slice(0, s);
  }

  @Override
  public synchronized void close() {
    closed = true;
    free();
  }

  private void free() {
    for (Tensor scratch : new Tensor[] {state, coordinates}) {
      if (scratch != null) {
        scratch.close();
      }
    }
    state = null;
    coordinates = null;
  }

  @Override
  public String toString() {
    return "P (I - U U*) D_θf";
  }
}
