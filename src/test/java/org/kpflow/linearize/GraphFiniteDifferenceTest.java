package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.GraphModels;
import org.kpflow.GraphModels.Kind;
import org.kpflow.GraphModels.Sample;
import org.kpflow.GraphModels.Sizes;
import org.kpflow.RandomModels;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.model.GraphModel;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Feed-forward models against their formulas, and their derivatives against differences. */
class GraphFiniteDifferenceTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Sizes SIZES = new Sizes(2, 5, 3, 6, 2, 3);
  private static final Sizes LONG = new Sizes(3, 200, 2, 4, 2, 2); // a trial is above a panel's 192
  private static final double STEP = 1e-5;

  private static void assertClose(double[] expected, double[] found, double allowed, Kind kind) {
    double error = 0;
    double size = 0;
    for (int i = 0; i < expected.length; i++) {
      error += (expected[i] - found[i]) * (expected[i] - found[i]);
      size += expected[i] * expected[i];
    }
    double relative = Math.sqrt(error / size);
    assertTrue(size > 0 && relative < allowed, () -> kind + ": relative error " + relative);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theStateIsThatOfTheFormulas(Kind kind) {
    try (Sample wide = new Sample(kind, DType.F64, SIZES, 1);
        Sample narrow = new Sample(kind, DType.F32, SIZES, 1)) {
      double[] expected = GraphModels.forward(wide.model, wide.inputs, null);
      assertClose(expected, wide.keep(wide.linearize().state()).toDoubles(), 1e-14, kind);
      assertClose(expected, narrow.keep(narrow.linearize().state()).toDoubles(), 1e-6, kind);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theJacobianIsTheCentralDifferenceOfTheForwardPass(Kind kind) {
    for (Sizes sizes : List.of(SIZES, LONG)) {
      jacobian(kind, sizes);
    }
  }

  private static void jacobian(Kind kind, Sizes sizes) {
    try (Sample sample = new Sample(kind, DType.F64, sizes, 2)) {
      Linearization linearization = sample.linearize();
      Shape theta = Shape.of(linearization.parameterCount());
      Tensor direction = sample.keep(RandomModels.gaussian(DType.F64, theta, 3));
      Tensor exact = sample.keep(new ParameterJacobian(linearization).matvec(direction));
      shift(sample.model, direction, STEP);
      double[] ahead = GraphModels.forward(sample.model, sample.inputs, null);
      shift(sample.model, direction, -2 * STEP);
      double[] behind = GraphModels.forward(sample.model, sample.inputs, null);
      Arrays.setAll(ahead, i -> (ahead[i] - behind[i]) / (2 * STEP));
      assertClose(ahead, exact.toDoubles(), 1e-6, kind);
    }
  }

  private static void shift(GraphModel model, Tensor direction, double step) {
    long first = 0;
    for (WeightFamily family : model.families()) {
      Tensor weight = model.weight(family.name());
      Tensor part = direction.slice(first, family.size()).reshape(weight.shape());
      TensorMath.axpby(CONTEXT, step, part, 1, weight);
      first += family.size();
    }
    assertEquals(direction.count(), first);
  }

  /** P u is what h = f(h) + ε u does to the state, to first order in ε. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void thePropagationIsTheCentralDifferenceOfAnInjection(Kind kind) {
    for (Sizes sizes : List.of(SIZES, LONG)) {
      propagation(kind, sizes);
    }
  }

  private static void propagation(Kind kind, Sizes sizes) {
    try (Sample sample = new Sample(kind, DType.F64, sizes, 4)) {
      Linearization linearization = sample.linearize();
      Tensor direction = sample.keep(GraphModels.probe(linearization, 5));
      Tensor exact = sample.keep(new PropagationOperator(linearization).matvec(direction));
      double[] u = direction.toDoubles();
      double[] ahead = injected(sample, u, STEP);
      double[] behind = injected(sample, u, -STEP);
      Arrays.setAll(ahead, i -> (ahead[i] - behind[i]) / (2 * STEP));
      assertClose(ahead, exact.toDoubles(), 1e-6, kind);
    }
  }

  private static double[] injected(Sample sample, double[] u, double step) {
    return GraphModels.forward(
        sample.model, sample.inputs, Arrays.stream(u).map(x -> step * x).toArray());
  }

  /** Along its own state a model has the same derivatives; along another, those of that state. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void aGivenStateTakesThePlaceOfTheModelsOwn(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 6)) {
      Linearization own = sample.linearize();
      Tensor state = sample.keep(own.state());
      Tensor probe = sample.keep(GraphModels.probe(own, 7));
      Linearization same =
          sample.keep(Linearization.along(CONTEXT, sample.model, sample.inputs, null, state));
      double[] expected = sample.keep(new PropagationOperator(own).matvec(probe)).toDoubles();
      assertArrayEquals(
          expected, sample.keep(new PropagationOperator(same).matvec(probe)).toDoubles());
      assertArrayEquals(
          sample.keep(new NeuralTangentKernel(own).matvec(probe)).toDoubles(),
          sample.keep(new NeuralTangentKernel(same).matvec(probe)).toDoubles());
      Tensor other = sample.keep(GraphModels.probe(own, 8));
      Linearization moved =
          sample.keep(Linearization.along(CONTEXT, sample.model, sample.inputs, null, other));
      assertArrayEquals(other.toDoubles(), sample.keep(moved.state()).toDoubles());
      double[] changed = sample.keep(new PropagationOperator(moved).matvec(probe)).toDoubles();
      boolean linear = kind == Kind.MLP_LINEAR; // its derivatives are the same everywhere
      assertEquals(linear, Arrays.equals(expected, changed), kind.toString());
      PropagationOperator p = new PropagationOperator(moved);
      IdentityOperator identity = new IdentityOperator(CONTEXT, p.domain(), DType.F64);
      assertTrue(p.compose(p.inverse()).compare(identity) < 1e-12, kind + ", P P^-1");
      assertTrue(p.inverse().compose(p).compare(identity) < 1e-12, kind + ", P^-1 P");
    }
  }
}
