package org.kpflow.operator;

import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * A_1 ∘ … ∘ A_m; the last factor is applied first. Nested products are flattened, so that two
 * scratch blocks do for any m.
 */
final class ComposedOperator extends DerivedOperator {
  private final List<LinearOperator> factors;

  ComposedOperator(LinearOperator left, LinearOperator right) {
    this(Stream.concat(factorsOf(left), factorsOf(right)).toList(), left, right);
  }

  private ComposedOperator(
      List<LinearOperator> factors, LinearOperator left, LinearOperator right) {
    super(left.context(), right.domain(), left.range(), left.dtype(), isSymmetricProduct(factors));
    this.factors = factors;
  }

  private static Stream<LinearOperator> factorsOf(LinearOperator operator) {
    return operator instanceof ComposedOperator product
        ? product.factors.stream()
        : Stream.of(operator);
  }

  /** Whether reading the product backwards gives its adjoint: A* ∘ A, P ∘ K ∘ P*, …. */
  private static boolean isSymmetricProduct(List<LinearOperator> factors) {
    for (int first = 0, last = factors.size() - 1; first <= last; first++, last--) {
      if (!areAdjoint(factors.get(first), factors.get(last))) {
        return false;
      }
    }
    return true;
  }

  private static boolean areAdjoint(LinearOperator a, LinearOperator b) {
    return (a == b && a.isSelfAdjoint())
        || (a instanceof AdjointOperator adjoint && adjoint.original() == b)
        || (b instanceof AdjointOperator other && other.original() == a);
  }

  /** A few vectors at a time: what lies between the factors may be larger than their ends. */
  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    long s = in.shape().size(0);
    int last = factors.size() - 1;
    long[] room = new long[2];
    for (int step = 0; step < last; step++) {
      room[step % 2] = Math.max(room[step % 2], at(step, adjoint).target(adjoint).count());
    }
    long size = BasisSweep.blockSize((room[0] + room[1]) * dtype().bytes(), s);
    try (Tensor even = zeros(size * room[0]);
        Tensor odd = zeros(size * room[1])) {
      for (long first = 0; first < s; first += size) {
        long count = Math.min(size, s - first);
        Tensor current = in.slice(first, count);
        for (int step = 0; step < last; step++) {
          LinearOperator factor = at(step, adjoint);
          Shape target = factor.target(adjoint);
          Tensor scratch = step % 2 == 0 ? even : odd;
          Tensor next = scratch.slice(0, count * target.count()).reshape(target.block(count));
          factor.apply(adjoint, current, next);
          current = next;
        }
        at(last, adjoint).apply(adjoint, current, out.slice(first, count));
      }
    }
  }

  /** The factor that is applied in a step. */
  private LinearOperator at(int step, boolean adjoint) {
    return factors.get(adjoint ? step : factors.size() - 1 - step);
  }

  /** The first half of a symmetric product; P F of P ∘ K ∘ P* with K = F F*. */
  @Override
  public Optional<LinearOperator> gramFactor() {
    if (!isSelfAdjoint()) {
      return Optional.empty();
    }
    Optional<LinearOperator> half =
        factors.subList(0, factors.size() / 2).stream().reduce(LinearOperator::compose);
    if (factors.size() % 2 == 0) {
      return half;
    }
    LinearOperator outer = half.orElseThrow();
    return factors.get(factors.size() / 2).gramFactor().map(outer::compose);
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    return factors.stream().map(LinearOperator::factor).collect(Collectors.joining(" ∘ "));
  }
}
