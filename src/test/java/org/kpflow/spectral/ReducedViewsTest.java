package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.flow.KernelFactor;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterModes;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The three sweeps for partial traces against the operator algebra's own. */
class ReducedViewsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> ALL = List.of(View.values());
  private static final Sizes SIZES = new Sizes(3, 5, 2, 4);
  private static final Sizes LONG = new Sizes(2, 10, 2, 15); // a sweep of more than one block

  /** All six views of an operator are those that partialAverage gives. */
  private static void check(LinearOperator operator, ReducedViews views, double tolerance) {
    try (views) {
      for (View view : ALL) {
        try (Tensor dense = operator.partialAverage(view.tracedAxes()).toDense();
            Tensor difference = dense.to(DType.F64)) {
          double size = TensorMath.norm(CONTEXT, difference);
          assertEquals(view.size(operator.domain()), difference.shape().size(0));
          TensorMath.axpby(CONTEXT, -1, views.matrix(view), 1, difference);
          double error = TensorMath.norm(CONTEXT, difference) / size;
          assertTrue(error <= tolerance, () -> operator + " " + view + ": " + error);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theSweepOverAnOperatorGivesItsPartialTraces(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, SIZES, 1)) {
      LinearOperator ntk = new NeuralTangentKernel(sample.linearize());
      List<Long> progress = new ArrayList<>();
      ReducedViews views = ReducedViews.ofOperator(ntk, ALL, progress::add);
      assertEquals(ntk.domain().count(), views.products());
      assertEquals(ntk.domain().count(), progress.get(progress.size() - 1));
      check(ntk, views, 100 * dtype.epsilon());
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theSweepOverATrialwiseFactorGivesThePartialTracesOfItsGram(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, LONG, 2)) {
      LinearOperator p = new PropagationOperator(sample.linearize());
      LinearOperator bothWaysInTime = p.plus(p.adjoint());
      for (LinearOperator factor : List.of(p, p.adjoint(), bothWaysInTime)) {
        ReducedViews views = ReducedViews.ofTrialwiseFactor(factor, ALL, done -> {});
        assertEquals(p.domain().count() / LONG.trials(), views.products());
        check(factor.outerGram(), views, 100 * dtype.epsilon());
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theSweepOverACausalFactorLeavesOutNothing(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, LONG, 2)) {
      Linearization linearization = sample.linearize();
      if (linearization.stepsThroughTime()) {
        LinearOperator p = new PropagationOperator(linearization);
        check(
            p.outerGram(), ReducedViews.ofCausalFactor(p, ALL, done -> {}), 100 * dtype.epsilon());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theColumnsOfAFactorGiveThePartialTracesOfItsGram(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 3)) {
      Linearization linearization = sample.linearize();
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      ReducedViews views = ReducedViews.ofColumns(factor, ALL, 0, done -> {});
      assertEquals(factor.count(), views.products());
      check(new NeuralTangentKernel(linearization), views, 1e-10);
    }
  }
}
