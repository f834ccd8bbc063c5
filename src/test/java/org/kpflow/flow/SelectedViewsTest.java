package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.flow.LinearizationViews.Method;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.StateBlock;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Views and spectra of the whole state and of a part of it, by every method, for every model. */
class SelectedViewsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> ALL = List.of(View.values());
  private static final Sizes SIZES = new Sizes(3, 6, 2, 6);
  private static final Sizes ONE_STEP = new Sizes(3, 1, 2, 6);

  private static List<StateRestriction> selections(Linearization linearization) {
    return List.of(
        StateRestriction.whole(linearization),
        StateSelectionTest.some(linearization).of(linearization));
  }

  private static double difference(Tensor a, Tensor b) {
    try (Tensor difference = a.copy()) {
      TensorMath.axpby(CONTEXT, -1, b, 1, difference);
      return TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, b);
    }
  }

  private static LinearizationViews.Options options(Method method, double tolerance) {
    int samples = method == Method.HYBRID ? 256 : 0; // else it may take all columns, and no samples
    return new LinearizationViews.Options(ALL, method, tolerance, samples, RngState.of(7));
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void allMethodsAgreeOnTheKernel(ModelKind kind) {
    for (Sizes sizes : List.of(SIZES, ONE_STEP)) {
      allMethodsAgree(kind, sizes);
    }
  }

  private static void allMethodsAgree(ModelKind kind, Sizes sizes) {
    long live = Tensor.liveCount();
    try (ModelSample<?> sample = kind.sample(DType.F64, sizes, 1)) {
      for (StateRestriction selected : selections(sample.linearize())) {
        LinearizationViews[] found = new LinearizationViews[4];
        Method[] methods = {Method.BASIS, Method.FACTOR, Method.HYBRID, Method.SAMPLED};
        double[] tolerances = {0, 1e-10, 0.03, 0.05};
        for (int i = 0; i < found.length; i++) {
          found[i] =
              sample.keep(
                  LinearizationViews.ofTangentKernel(
                      selected, options(methods[i], tolerances[i]), Progress.NONE));
          assertEquals(methods[i], found[i].method());
        }
        LinearOperator kernel = selected.tangentKernel();
        for (View view : ALL) {
          String what = kind + " " + kernel + " " + view;
          try (Tensor truth = kernel.partialAverage(view.tracedAxes()).toDense()) {
            Tensor matrix = truth.reshape(found[0].matrix(view).shape());
            assertTrue(difference(found[0].matrix(view), matrix) < 1e-12, what + " basis");
            assertTrue(difference(found[1].matrix(view), matrix) < 1e-9, what + " factor");
            for (int i = 2; i < 4; i++) {
              double error = difference(found[i].matrix(view), matrix);
              double claimed = found[i].relativeError(view);
              assertTrue(claimed < 1.5 * tolerances[i], what + " claims " + claimed);
              double biased = i == 2 ? 1e-3 * tolerances[i] : 0; // what the cut leaves out of K
              assertTrue(
                  error < 4 * claimed + biased + 1e-13,
                  what + ": " + error + ", claimed " + claimed);
            }
          }
        }
      }
    }
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /**
   * What hybrid samples: (R P (I - U U*) D_θf)(…)* = R NTK R* - Σ x_c x_c* over the columns taken.
   */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void theResidualOfAPartCarriesWhatItsColumnsLeaveOut(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 8)) {
      Linearization linearization = sample.linearize();
      for (StateRestriction selected : selections(linearization)) {
        ParameterModes modes = sample.keep(ParameterModes.forTangentKernel(selected, 1e-14));
        long size = selected.range().count();
        int leading = (int) modes.count() / 3;
        KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes));
        ResidualJacobian residual = sample.keep(new ResidualJacobian(modes, selected, leading));
        Tensor columns = sample.keep(Tensor.zeros(DType.F64, selected.range().block(leading)));
        factor.fill(0, columns);
        try (Tensor rest = residual.outerGram().toDense();
            Tensor kernel = selected.tangentKernel().toDense()) {
          Tensor x = columns.reshape(Shape.of(leading, size));
          TensorMath.gemm(CONTEXT, true, false, 1, x, x, 1, rest);
          assertTrue(leading > 0 && difference(rest, kernel) < 1e-12, kind + " " + residual);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void aCoarseFactorStaysWithinItsBoundOnAPart(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 2)) {
      for (StateRestriction selected : selections(sample.linearize())) {
        LinearizationViews coarse =
            sample.keep(
                LinearizationViews.ofTangentKernel(
                    selected, options(Method.FACTOR, 0.1), Progress.NONE));
        for (View view : ALL) {
          try (Tensor rest = selected.tangentKernel().partialAverage(view.tracedAxes()).toDense()) {
            Tensor matrix = rest.reshape(coarse.matrix(view).shape());
            double norm = ReducedViews.normBelow(CONTEXT, matrix);
            TensorMath.axpby(CONTEXT, -1, coarse.matrix(view), 1, matrix);
            double left = ReducedViews.normBelow(CONTEXT, matrix);
            assertTrue(left <= coarse.truncation(view), kind + ", " + view + ": " + left);
            assertTrue(coarse.truncation(view) <= 0.11 * norm, kind + ", " + view + ": bound");
          }
        }
      }
    }
  }

  /** Noise enters the kept variables alone: (R P R*)(R P R*)*, not R P P* R*. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void viewsOfPropagationAreThoseOfTheModelOfThePart(ModelKind kind) {
    for (Sizes sizes : List.of(SIZES, ONE_STEP)) {
      viewsOfPropagation(kind, sizes);
    }
  }

  private static void viewsOfPropagation(ModelKind kind, Sizes sizes) {
    try (ModelSample<?> sample = kind.sample(DType.F64, sizes, 3)) {
      for (StateRestriction selected : selections(sample.linearize())) {
        LinearizationViews basis =
            sample.keep(
                LinearizationViews.ofPropagation(selected, options(Method.AUTO, 0), Progress.NONE));
        LinearizationViews sampled =
            sample.keep(
                LinearizationViews.ofPropagation(
                    selected, options(Method.SAMPLED, 0.05), Progress.NONE));
        assertEquals(Method.BASIS, basis.method());
        LinearOperator gram = selected.propagation().outerGram();
        for (View view : ALL) {
          try (Tensor truth = gram.partialAverage(view.tracedAxes()).toDense()) {
            Tensor matrix = truth.reshape(basis.matrix(view).shape());
            String what = kind + " " + gram + " " + view;
            assertTrue(difference(basis.matrix(view), matrix) < 1e-12, what);
            double error = difference(sampled.matrix(view), matrix);
            assertTrue(error < 4 * sampled.relativeError(view), what + ": " + error);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void allEigenvaluesOfAPartAreThoseOfItsMatrix(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, SIZES, 4)) {
      Linearization linearization = sample.linearize();
      for (StateSelection selection :
          List.of(StateSelectionTest.some(linearization), StateSelection.parse("0", "-1"))) {
        StateRestriction selected = selection.of(linearization);
        LinearOperator kernel = selected.tangentKernel();
        try (Tensor dense = kernel.toDense();
            KernelSpectrum found = KernelSpectrum.of(selected, 2, Progress.NONE)) {
          double[] truth = DenseEigen.values(dense);
          for (int i = 0; i < truth.length; i++) {
            double value = i < found.values().length ? found.values()[i] : 0;
            assertEquals(truth[i], value, 1e-12 * truth[0], kind + " " + i);
          }
          assertTrue(found.dimension() <= truth.length, kind + ": " + found.through());
          assertEquals(
              kernel.range().block(found.vectors().shape().size(0)), found.vectors().shape());
          for (long i = 0; i < found.vectors().shape().size(0); i++) {
            try (Tensor product = kernel.matvec(found.vectors().slice(i))) {
              TensorMath.axpby(
                  CONTEXT, -found.values()[(int) i], found.vectors().slice(i), 1, product);
              assertTrue(TensorMath.norm(CONTEXT, product) < 1e-11 * truth[0], kind + " " + i);
            }
          }
        }
      }
    }
  }

  @Test
  void aSmallPartOfALargeStateIsDoneExactly() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(4, 20, 2, 60), 5)) {
      Linearization linearization = sample.linearize();
      StateRestriction last = StateSelection.parse(null, "-1").of(linearization);
      LinearizationViews found =
          sample.keep(
              LinearizationViews.ofTangentKernel(last, options(Method.AUTO, 0), Progress.NONE));
      assertEquals(Method.BASIS, found.method());
      assertEquals(240, found.products());
    }
  }

  /** The proxy's rows are those of the steps kept: the Gram matrix of their sites. */
  @Test
  void theCoreOfAPartHasTheRowsOfItsSteps() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 6)) {
      Linearization linearization = sample.linearize();
      StateRestriction selected = StateSelection.parse("1:4", "1,2::3").of(linearization);
      assertArrayEquals(new int[] {1, 2, 5}, selected.steps());
      Tensor whole = sample.keep(KroneckerCore.gram(linearization));
      Tensor part = sample.keep(KroneckerCore.gram(selected));
      assertEquals(Shape.of(9, 9), part.shape());
      for (int i = 0; i < 9; i++) {
        for (int j = 0; j < 9; j++) {
          long row = i / 3 * 6 + selected.steps()[i % 3];
          long column = j / 3 * 6 + selected.steps()[j % 3];
          assertEquals(whole.get(row, column), part.get(i, j), 1e-13);
        }
      }
      LinearOperator proxy = KroneckerCore.proxy(selected, part);
      assertEquals(selected.range(), proxy.range());
      try (Tensor trace = proxy.partialAverage(2).toDense()) {
        assertTrue(difference(trace.reshape(part.shape()), part) < 1e-14);
      }
      assertTrue(Arrays.stream(selected.units()).allMatch(u -> u >= 1 && u < 4));
    }
  }

  /** A family reaches the blocks on which its propagator is not zero, and no others. */
  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#all")
  void familiesReachWhatTheyChange(ModelKind kind) {
    try (ModelSample<?> sample = kind.sample(DType.F64, new Sizes(2, 3, 2, 4), 9)) {
      Linearization linearization = sample.linearize();
      for (StateBlock block : linearization.blocks()) {
        StateRestriction selected = StateSelection.parse(block.name(), null).of(linearization);
        Tensor expected = sample.keep(Tensor.zeros(DType.F64, selected.rows(), selected.rows()));
        for (WeightFamily family : linearization.families()) {
          LinearOperator change =
              selected.compose(new CorePropagator(linearization, family.name()));
          boolean changes = change.frobeniusNorm() > 0;
          assertEquals(changes, family.reaches().contains(block.name()), kind + ", " + family);
          if (changes) {
            Tensor sites = sample.keep(linearization.sites(family.name()));
            double share =
                family.side() == WeightFamily.Side.ELEMENTWISE ? 1.0 / family.outputs() : 1;
            TensorMath.gemm(CONTEXT, false, true, share, sites, sites, 1, expected);
          }
        }
        Tensor core = sample.keep(KroneckerCore.gram(selected));
        assertTrue(difference(core, expected) < 1e-14, kind + ", core of " + block.name());
      }
    }
  }
}
