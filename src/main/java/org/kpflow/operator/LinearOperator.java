package org.kpflow.operator;

import java.util.Optional;
import java.util.OptionalDouble;
import java.util.function.Consumer;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * A linear map A between spaces of real arrays, known by its products alone. The public products
 * check shape, type and closed state and then call {@link #apply} or {@link #applyAdjoint}, which
 * need not check again. Blocks carry s vectors on a leading axis: [s, domain] to [s, range]. An
 * operator is immutable and may be used by several threads; it owns no memory that needs closing.
 *
 * <p>The algebra ({@link #compose}, {@link #plus}, {@link #partialTrace}, …) builds new operators
 * that stay matrix-free: nothing is computed until they are applied, and what they need in between
 * is allocated and freed within one application. A mismatch of shapes, types or devices is an
 * IllegalArgumentException that names both sides. {@link #toString()} is the formula.
 *
 * <p>What an operator takes and gives lies on its context's {@link #device()}: {@link
 * #zeros(Shape)} makes such tensors, and {@link ExecutionContext#copyOf} brings others there.
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
  protected LinearOperator(
      ExecutionContext context, Shape domain, Shape range, DType dtype, boolean selfAdjoint) {
    this.context = Checks.notNull(context, "context");
    this.domain = Checks.notNull(domain, "domain");
    this.range = Checks.notNull(range, "range");
    this.dtype = Checks.notNull(dtype, "dtype");
    this.selfAdjoint = selfAdjoint;
    Checks.that(
        !selfAdjoint || domain.equals(range),
        "self-adjoint operator: domain %s and range %s differ",
        domain,
        range);
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

  /** A tensor of zeros that this operator takes or gives: of its type, on its device. */
  public final Tensor zeros(Shape shape) {
    return context.zeros(dtype, shape);
  }

  /** {@link #zeros(Shape)} of the given sizes. */
  public final Tensor zeros(long... sizes) {
    return zeros(Shape.of(sizes));
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

  /**
   * A*, from range to domain; A itself where it is self-adjoint, and the original where A is an
   * adjoint.
   */
  public LinearOperator adjoint() {
    return selfAdjoint ? this : new AdjointOperator(this);
  }

  /**
   * A ∘ B: B is applied first. Symmetric products such as P ∘ K ∘ P* with a self-adjoint K are
   * known to be self-adjoint.
   */
  public final LinearOperator compose(LinearOperator other) {
    sameKind("compose", other);
    Checks.that(
        domain.equals(other.range),
        "compose: domain %s of %s and range %s of %s differ",
        domain,
        this,
        other.range,
        other);
    return new ComposedOperator(this, other);
  }

  /** A + B. */
  public final LinearOperator plus(LinearOperator other) {
    sameSpaces("plus", other);
    return new SumOperator(this, 1, other);
  }

  /** A - B. */
  public final LinearOperator minus(LinearOperator other) {
    sameSpaces("minus", other);
    return new SumOperator(this, -1, other);
  }

  /**
   * alpha A.
   *
   * @throws IllegalArgumentException if alpha is infinite or not a number
   */
  public final LinearOperator scale(double alpha) {
    Checks.that(Double.isFinite(alpha), "scale: expected a finite factor, got %s", alpha);
    return new ScaledOperator(alpha, this);
  }

  /** A* A on the domain: self-adjoint and positive semidefinite. */
  public final LinearOperator gram() {
    return new GramOperator(this);
  }

  /** A A* on the range: self-adjoint and positive semidefinite. */
  public final LinearOperator outerGram() {
    return new GramOperator(adjoint());
  }

  /**
   * (A + A*) / 2; A itself where it is self-adjoint.
   *
   * @throws IllegalArgumentException if domain and range differ
   */
  public final LinearOperator symmetricPart() {
    requireSquare("symmetricPart");
    return selfAdjoint ? this : new SymmetricPartOperator(this);
  }

  /**
   * A ⊗ B from [A.domain, B.domain] to [A.range, B.range]: (A ⊗ B)(x ⊗ y) = A x ⊗ B y, and A's axes
   * come first.
   */
  public final LinearOperator tensorProduct(LinearOperator other) {
    sameKind("tensorProduct", other);
    return new TensorProductOperator(this, other);
  }

  /**
   * {@link #tensorProductLike(LinearOperator, AxisSide)} on the leading axes: G on [B, T] becomes G
   * ⊗ I on the target's [B, T, n].
   */
  public final LinearOperator tensorProductLike(LinearOperator target) {
    return tensorProductLike(target, AxisSide.LEADING);
  }

  /**
   * A on some axes of the target's spaces, the identity on the others: A ⊗ I for {@link
   * AxisSide#LEADING}, I ⊗ A for {@link AxisSide#TRAILING}. A's shape is that of these axes; an A
   * with a single axis [k] may also stand for several axes with the product k, and the other way
   * round.
   *
   * @throws IllegalArgumentException if A's shapes do not match axes of the target on that side, or
   *     the remaining axes of the target's domain and range differ
   */
  public final LinearOperator tensorProductLike(LinearOperator target, AxisSide side) {
    sameKind("tensorProductLike", target);
    return TensorProductOperator.lift(this, target, Checks.notNull(side, "side"));
  }

  /**
   * The same map between other shapes with the same numbers of elements, row-major. Self-adjoint if
   * A is and the new shapes agree.
   *
   * @throws IllegalArgumentException if a number of elements differs
   */
  public final LinearOperator reshape(Shape newDomain, Shape newRange) {
    return ReshapedOperator.of(
        this, Checks.notNull(newDomain, "domain"), Checks.notNull(newRange, "range"));
  }

  /** {@link #reshape} to the domain and range of another operator. */
  public final LinearOperator like(LinearOperator other) {
    Checks.notNull(other, "other");
    return reshape(other.domain, other.range);
  }

  /**
   * The partial trace over some axes of a square operator: (tr A)[i, j] = Σ_u A[(i,u), (j,u)] with
   * u over the traced axes and i, j over the kept ones, which keep their order. Matrix-free: one
   * application costs as many applications of A as the traced axes have elements, sent through A in
   * blocks. Tracing all axes gives the trace as an operator on shape []; tracing none gives A.
   *
   * @throws IllegalArgumentException if domain and range differ, or an axis is negative, too large
   *     or given twice
   */
  public final LinearOperator partialTrace(int... axes) {
    AxisSplit split = split("partialTrace", axes);
    return axes.length == 0 ? this : new PartialTraceOperator(this, split, false);
  }

  /**
   * {@link #partialTrace} divided by the number of elements of the traced axes. On [B, T, n],
   * {@code partialAverage(2)} is the temporal view tr_n(A)/n and {@code partialAverage(0, 1)} the
   * spatial view tr_k(A)/k with k = B T.
   *
   * @throws IllegalArgumentException as {@link #partialTrace}
   */
  public final LinearOperator partialAverage(int... axes) {
    AxisSplit split = split("partialAverage", axes);
    return axes.length == 0 ? this : new PartialTraceOperator(this, split, true);
  }

  /**
   * The average of all blocks over some axes: (1/N) Σ_{u,v} A[(i,u), (j,v)], N the number of
   * elements of these axes. The input is repeated along the axes, the output averaged over them.
   * This is <em>not</em> a partial trace, which has the blocks u = v alone; it is what the {@code
   * partial_avg} of the Python package kpflow computes, and costs one application of A.
   *
   * @throws IllegalArgumentException as {@link #partialTrace}
   */
  public final LinearOperator coherentAverage(int... axes) {
    AxisSplit split = split("coherentAverage", axes);
    return axes.length == 0 ? this : new CoherentAverageOperator(this, split);
  }

  /**
   * tr A where the structure of the operator gives it without a product, up to rounding; else
   * empty. By default the squared norm of a {@link #gramFactor} that knows its own.
   */
  public OptionalDouble knownTrace() {
    return gramFactor()
        .map(factor -> squared(factor.knownFrobeniusNorm()))
        .orElseGet(OptionalDouble::empty);
  }

  /** ||A||_F where the structure gives it without a product, up to rounding; else empty. */
  public OptionalDouble knownFrobeniusNorm() {
    return OptionalDouble.empty();
  }

  /**
   * A factor F with A = F F*, where products with F* are cheaper than with A; else empty. Then ⟨x,
   * A x⟩ = ||F* x||² and tr A = ||F||_F².
   */
  public Optional<LinearOperator> gramFactor() {
    return Optional.empty();
  }

  /**
   * The matrix of A as a new tensor [range.count, domain.count], by domain.count applications in
   * blocks.
   *
   * @throws org.kpflow.base.MemoryException if it does not fit into memory, with the numbers
   */
  public final Tensor toDense() {
    return BasisSweep.toDense(this);
  }

  /**
   * ||A - B||_F / max(||A||_F, ||B||_F), 0 where both are zero; exact up to rounding, by
   * domain.count applications of each. It is at most 2, and not a number where an operator gives
   * one.
   */
  public final double compare(LinearOperator other) {
    sameSpaces("compare", other);
    return BasisSweep.compare(this, other);
  }

  /** ||A||_F, exact up to rounding, by domain.count applications. */
  public final double frobeniusNorm() {
    return BasisSweep.frobeniusNorm(this);
  }

  /** The class's name; operators with a symbol or a formula give that. */
  @Override
  public String toString() {
    String name = getClass().getSimpleName();
    return name.isEmpty() ? "A" : name;
  }

  /** Whether the formula of {@link #toString()} needs parentheses inside a larger one. */
  boolean isCompound() {
    return false;
  }

  /** The formula as a part of a larger one. */
  final String factor() {
    return isCompound() ? "(" + this + ")" : toString();
  }

  /** Shape of what A, or A* if {@code adjoint}, takes. */
  final Shape source(boolean adjoint) {
    return adjoint ? range : domain;
  }

  /** Shape of what A, or A* if {@code adjoint}, gives. */
  final Shape target(boolean adjoint) {
    return adjoint ? domain : range;
  }

  /** {@link #apply}, or {@link #applyAdjoint} if {@code adjoint}. */
  final void apply(boolean adjoint, Tensor in, Tensor out) {
    if (adjoint) {
      applyAdjoint(in, out);
    } else {
      apply(in, out);
    }
  }

  private static OptionalDouble squared(OptionalDouble norm) {
    return norm.isPresent()
        ? OptionalDouble.of(norm.getAsDouble() * norm.getAsDouble())
        : OptionalDouble.empty();
  }

  /** The product of two numbers that are both known. */
  static OptionalDouble product(OptionalDouble a, OptionalDouble b) {
    return a.isPresent() && b.isPresent()
        ? OptionalDouble.of(a.getAsDouble() * b.getAsDouble())
        : OptionalDouble.empty();
  }

  private AxisSplit split(String operation, int... axes) {
    requireSquare(operation);
    return new AxisSplit(operation, domain, axes);
  }

  private void requireSquare(String operation) {
    Checks.that(
        domain.equals(range),
        "%s: expected an operator with one shape, got domain %s and range %s",
        operation,
        domain,
        range);
  }

  private void sameKind(String operation, LinearOperator other) {
    Checks.notNull(other, operation + ": the other operator");
    Checks.that(
        dtype == other.dtype,
        "%s: dtype %s of %s and dtype %s of %s differ",
        operation,
        dtype,
        this,
        other.dtype,
        other);
    Checks.device(operation, device(), other.device());
  }

  private void sameSpaces(String operation, LinearOperator other) {
    sameKind(operation, other);
    Checks.that(
        domain.equals(other.domain) && range.equals(other.range),
        "%s: %s maps %s to %s, but %s maps %s to %s",
        operation,
        this,
        domain,
        range,
        other,
        other.domain,
        other.range);
  }

  private Tensor fresh(Shape shape, Consumer<Tensor> body) {
    Tensor out = zeros(shape);
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
        block.shape().rank() > 0,
        "%s: expected a block with a leading axis, got shape %s",
        name,
        block.shape());
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
