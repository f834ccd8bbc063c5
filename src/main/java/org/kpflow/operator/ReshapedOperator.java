package org.kpflow.operator;

import java.util.Optional;
import java.util.OptionalDouble;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/** The same map between other shapes with the same numbers of elements. */
final class ReshapedOperator extends DerivedOperator {
  private final LinearOperator part;

  private ReshapedOperator(LinearOperator part, Shape domain, Shape range) {
    super(
        part.context(), domain, range, part.dtype(), part.isSelfAdjoint() && domain.equals(range));
    this.part = part;
  }

  /** A view of the operator itself, never of another view. */
  static ReshapedOperator of(LinearOperator operator, Shape domain, Shape range) {
    requireCount("domain", operator.domain(), domain);
    requireCount("range", operator.range(), range);
    return new ReshapedOperator(
        operator instanceof ReshapedOperator view ? view.part : operator, domain, range);
  }

  private static void requireCount(String side, Shape from, Shape to) {
    Checks.that(
        from.count() == to.count(),
        "reshape: expected a %s of %d elements as in %s, got %s",
        side,
        from.count(),
        from,
        to);
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    long s = in.shape().size(0);
    part.apply(
        adjoint,
        in.reshape(part.source(adjoint).block(s)),
        out.reshape(part.target(adjoint).block(s)));
  }

  @Override
  public OptionalDouble knownTrace() {
    return domain().equals(range()) ? part.knownTrace() : OptionalDouble.empty();
  }

  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return part.knownFrobeniusNorm();
  }

  @Override
  public Optional<LinearOperator> gramFactor() {
    return domain().equals(range())
        ? part.gramFactor().map(factor -> factor.reshape(factor.domain(), range()))
        : Optional.empty();
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    return part.factor() + " " + domain() + (domain().equals(range()) ? "" : "→" + range());
  }
}
