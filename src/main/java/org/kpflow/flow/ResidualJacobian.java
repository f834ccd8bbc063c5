package org.kpflow.flow;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/**
 * R P (I - U U*) D_θf: [p] -> [B, T', n'], U the leading modes of K: the Jacobian of the state, or
 * a part of it, without what those modes carry. Its samples have the covariance NTK - Σ x_c x_c* of
 * the columns x_c that the leading modes give (docs/theory.md, section 4, hybrid). Without modes it
 * is R J.
 */
public final class ResidualJacobian extends LinearOperator implements AutoCloseable {
  private final LocalParameterJacobian local;
  private final Linearization linearization;
  private final LinearOperator response; // R P
  private final UnitColumns modes;
  private boolean closed;
  private Tensor state; // scratch between the parts of one product
  private Tensor coordinates;

  /** Of the whole state, without the given number of leading modes, which stay the caller's. */
  public ResidualJacobian(ParameterModes modes, long leading) {
    this(modes, StateRestriction.whole(Checks.notNull(modes, "modes").linearization()), leading);
  }

  /** Of a part of the state, without the given number of leading modes. */
  public ResidualJacobian(ParameterModes modes, StateRestriction selected, long leading) {
    super(
        selected.context(),
        Shape.of(modes.linearization().parameterCount()),
        selected.range(),
        selected.dtype(),
        false);
    this.linearization = modes.linearization();
    this.local = new LocalParameterJacobian(linearization);
    this.response = selected.response();
    this.modes = modes.leading(leading);
  }

  @Override
  protected synchronized void apply(Tensor in, Tensor out) {
    inParts(
        in.shape().size(0),
        (first, count, source) -> {
          local.matmat(in.slice(first, count), source);
          deflate(source);
          response.matmat(source, out.slice(first, count));
        });
  }

  @Override
  protected synchronized void applyAdjoint(Tensor in, Tensor out) {
    inParts(
        in.shape().size(0),
        (first, count, adjoint) -> {
          response.rmatmat(in.slice(first, count), adjoint);
          deflate(adjoint);
          local.rmatmat(adjoint, out.slice(first, count));
        });
  }

  private interface Part {
    void apply(long first, long count, Tensor state);
  }

  /** A few vectors at a time: the state may be much larger than the part of it. */
  private void inParts(long s, Part part) {
    long most = StateRestriction.statesAtOnce(linearization, s);
    for (long first = 0; first < s; first += most) {
      long count = Math.min(most, s - first);
      scratch(most);
      part.apply(first, count, state.slice(0, count));
    }
  }

  /** x -= U U* x. */
  private void deflate(Tensor x) {
    Tensor z = coordinates.slice(0, x.shape().size(0));
    modes.rmatmat(x, z);
    modes.add(-1, z, 1, x);
  }

  private void scratch(long s) {
    if (closed) {
      throw new IllegalStateException("this Jacobian is closed; expected an open one");
    }
    if (state == null || state.shape().size(0) < s) {
      free();
      state = zeros(linearization.stateShape().block(s));
      coordinates = zeros(modes.domain().block(s));
    }
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
    return response + " (I - U U*) D_θf";
  }
}
