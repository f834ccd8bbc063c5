package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.OptionalDouble;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** What operators know of their trace, norm and factor is what their dense matrix says. */
class KnownTraceTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  private static void check(LinearOperator operator, boolean trace, boolean norm, boolean factor) {
    double[][] dense = Matrices.of(operator);
    double tolerance = 1e-12 * Matrices.norm(dense);
    known(
        operator + ": trace",
        trace,
        trace ? Matrices.trace(dense) : 0,
        operator.knownTrace(),
        tolerance);
    known(
        operator + ": norm", norm, Matrices.norm(dense), operator.knownFrobeniusNorm(), tolerance);
    assertEquals(factor, operator.gramFactor().isPresent(), operator + ": factor");
    operator
        .gramFactor()
        .ifPresent(
            f ->
                Matrices.assertClose(
                    dense,
                    Matrices.multiply(Matrices.of(f), Matrices.transpose(Matrices.of(f))),
                    tolerance,
                    operator + " = F F*"));
  }

  private static void known(
      String what, boolean expected, double truth, OptionalDouble actual, double tolerance) {
    assertEquals(expected, actual.isPresent(), what);
    actual.ifPresent(value -> assertEquals(truth, value, tolerance, what));
  }

  @Test
  void whatIsKnownIsTrue() {
    Shape shape = Shape.of(2, 3);
    double[][] entries = Matrices.random(DType.F64, 6, 6, 1);
    double[][] oblong = Matrices.random(DType.F64, 4, 6, 2);
    try (Tensor square = Matrices.tensor(DType.F64, Shape.of(6, 6), entries);
        Tensor wide = Matrices.tensor(DType.F64, Shape.of(4, 6), oblong)) {
      LinearOperator m = MatrixOperator.of(CONTEXT, shape, shape, square);
      LinearOperator w = MatrixOperator.of(CONTEXT, shape, Shape.of(4), wide);
      LinearOperator i = new IdentityOperator(CONTEXT, shape, DType.F64);
      LinearOperator unknown = LoopOperator.random(DType.F64, shape, shape, 3);
      for (LinearOperator both :
          List.of(
              m,
              i,
              m.adjoint(),
              m.scale(-2),
              m.tensorProduct(i),
              i.tensorProduct(m).tensorProduct(m),
              m.reshape(Shape.of(6), Shape.of(6)))) {
        check(both, true, true, false);
      }
      for (LinearOperator trace :
          List.of(
              m.plus(i),
              m.minus(i.scale(0.5)),
              m.symmetricPart(),
              m.partialTrace(1),
              m.partialAverage(0))) {
        check(trace, true, false, false);
      }
      check(w, false, true, false);
      check(m.reshape(Shape.of(6), shape), false, true, false);
      check(w.gram(), true, false, true);
      check(w.outerGram().scale(3), true, false, true);
      check(w.gram().reshape(Shape.of(6), Shape.of(6)), true, false, true);
      check(unknown.gram(), false, false, true);
      check(unknown.compose(unknown.adjoint()), false, false, true);
      check(unknown.compose(w.gram()).compose(unknown.adjoint()), false, false, true);
      check(unknown.compose(m.symmetricPart()).compose(unknown.adjoint()), false, false, false);
      for (LinearOperator neither :
          List.of(
              unknown,
              unknown.adjoint(),
              unknown.plus(m),
              unknown.tensorProduct(i),
              unknown.gram().scale(-1),
              m.compose(i),
              m.coherentAverage(0))) {
        check(neither, false, false, false);
      }
      assertTrue(unknown.gram().partialTrace(0).knownTrace().isEmpty());
    }
  }
}
