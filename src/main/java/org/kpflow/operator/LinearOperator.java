package org.kpflow.operator;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * A linear map A between spaces of real arrays, known by its products alone. The public products check shape, type and closed state and
 * then call {@link #apply} or {@link #applyAdjoint}, which need not check again. Blocks carry s vectors on a leading axis: [s, domain]
 * to [s, range]. An operator is immutable and may be used by several threads; it owns no memory that needs closing.
 */
public abstract class LinearOperator {
  private final ExecutionContext context;
  private final Shape domain;
  private final Shape range;
  private final DType dtype;
  private final boolean selfAdjoint;

  /**
   * An operator from {@code domain} to {@code range}.
   *
   * @throws IllegalArgumentException if it is called self-adjoint and the two shapes differ
   */
  protected LinearOperator(ExecutionContext context, Shape domain, Shape range, DType dtype, boolean selfAdjoint) {
    this.context = Checks.notNull(context, "context");
    this.domain = Checks.notNull(domain, "domain");
    this.range = Checks.notNull(range, "range");
    this.dtype = Checks.notNull(dtype, "dtype");
    this.selfAdjoint = selfAdjoint;
    Checks.that(!selfAdjoint || domain.equals(range), "self-adjoint operator: domain %s and range %s differ", domain, range);
  }

  /** out = A in for a block: in [s, domain], out [s, range], every element of which is written. */
  protected abstract void apply(Tensor in, Tensor out);

  /** out = A* in for a block: in [s, range], out [s, domain], every element of which is written. */
  protected abstract void applyAdjoint(Tensor in, Tensor out);

  /** Where and with how many threads the operator works. */
  public final ExecutionContext context() {
    return context;
  }

  /** Shape of what the operator takes. */
  public final Shape domain() {
    return domain;
  }

  /** Shape of what the operator gives. */
  public final Shape range() {
    return range;
  }

  public final DType dtype() {
    return dtype;
  }

  public final Device device() {
    return context.device();
  }

  /** Whether A* = A is known to hold. */
  public final boolean isSelfAdjoint() {
    return selfAdjoint;
  }

  /** A x as a new tensor; x [domain], result [range]. */
  public final Tensor matvec(Tensor x) {
    return fresh(range, out -> matvec(x, out));
  }

  /** out = A x; x [domain], out [range]. */
  public final void matvec(Tensor x, Tensor out) {
    check("x", domain, x);
    check("out", range, out);
    distinct(x, out);
    apply(x.reshape(domain.block(1)), out.reshape(range.block(1)));
  }

  /** A* y as a new tensor; y [range], result [domain]. */
  public final Tensor rmatvec(Tensor y) {
    return fresh(domain, out -> rmatvec(y, out));
  }

  /** out = A* y; y [range], out [domain]. */
  public final void rmatvec(Tensor y, Tensor out) {
    check("y", range, y);
    check("out", domain, out);
    distinct(y, out);
    applyAdjoint(y.reshape(range.block(1)), out.reshape(domain.block(1)));
  }

  /** A applied to every entry of a block as a new tensor; x [s, domain], result [s, range]. */
  public final Tensor matmat(Tensor x) {
    return fresh(range.block(blockSize("x", x)), out -> matmat(x, out));
  }

  /** out = A x for a block; x [s, domain], out [s, range]. */
  public final void matmat(Tensor x, Tensor out) {
    long s = blockSize("x", x);
    check("x", domain.block(s), x);
    check("out", range.block(s), out);
    distinct(x, out);
    if (s > 0) {
      apply(x, out);
    }
  }

  /** A* applied to every entry of a block as a new tensor; y [s, range], result [s, domain]. */
  public final Tensor rmatmat(Tensor y) {
    return fresh(domain.block(blockSize("y", y)), out -> rmatmat(y, out));
  }

  /** out = A* y for a block; y [s, range], out [s, domain]. */
  public final void rmatmat(Tensor y, Tensor out) {
    long s = blockSize("y", y);
    check("y", range.block(s), y);
    check("out", domain.block(s), out);
    distinct(y, out);
    if (s > 0) {
      applyAdjoint(y, out);
    }
  }

  private Tensor fresh(Shape shape, java.util.function.Consumer<Tensor> body) {
    Tensor out = Tensor.zeros(dtype, shape);
    try {
      body.accept(out);
      return out;
    } catch (RuntimeException | Error failure) {
      out.close();
      throw failure;
    }
  }

  private long blockSize(String name, Tensor block) {
    Checks.notNull(block, name);
    Checks.that(
        block.shape().rank() > 0, "%s: expected a block with a leading axis, got shape %s", name, block.shape());
    return block.shape().size(0);
  }

  private void check(String name, Shape expected, Tensor tensor) {
    Checks.notNull(tensor, name);
    Checks.shape(name, expected, tensor.shape());
    Checks.dtype(name, dtype, tensor.dtype());
    Checks.device(name, device(), tensor.device());
    if (tensor.isClosed()) {
      throw new IllegalStateException(name + ": this tensor is closed; expected an open one");
    }
  }

  private static void distinct(Tensor in, Tensor out) {
    Checks.that(
        !in.overlaps(out), "out: shares memory with the input; expected a tensor of its own");
  }
}
