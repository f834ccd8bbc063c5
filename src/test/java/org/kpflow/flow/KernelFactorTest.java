package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** NTK = L L* and K = S S* with the columns of the modes of K. */
class KernelFactorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Fewer rows than sites, so that the sites are of low rank. */
  private static final Sizes SIZES = new Sizes(2, 2, 3, 7);

  /** L Lᵀ [N, N] of a factor, filled in blocks of 7 columns that cross the parts. */
  private static LinearOperator gram(Sample sample, KernelFactor factor, Shape state) {
    Tensor columns = sample.keep(Tensor.zeros(DType.F64, state.block(factor.count())));
    for (long first = 0; first < factor.count(); first += 7) {
      factor.fill(first, columns.slice(first, Math.min(7, factor.count() - first)));
    }
    Tensor flat = columns.reshape(Shape.of(factor.count(), state.count()));
    Tensor gram = sample.keep(Tensor.zeros(DType.F64, state.count(), state.count()));
    TensorMath.gemm(CONTEXT, true, false, 1, flat, flat, 0, gram);
    return MatrixOperator.symmetric(CONTEXT, state, gram);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void itsColumnsGiveTheTangentKernel(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      KernelFactor factor =
          sample.keep(
              KernelFactor.ofTangentKernel(
                  sample.keep(ParameterModes.of(linearization, 1e-14)), 1));
      double difference =
          new NeuralTangentKernel(linearization)
              .compare(gram(sample, factor, linearization.stateShape()));
      assertTrue(difference < 1e-10, () -> kind + ": " + difference);
      assertTrue(factor.count() < linearization.parameterCount(), "as many columns as parameters");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void whatLeadingColumnsLeaveOutIsSemidefiniteAndWithinItsBounds(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 2)) {
      Linearization linearization = sample.linearize();
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      PropagationOperator p = new PropagationOperator(linearization);
      double gain = Math.sqrt(largest(sample, p.outerGram()));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, gain));
      long leading = factor.count() / 3;
      Tensor remainder = rest(sample, new NeuralTangentKernel(linearization), factor, leading);
      double[] values = DenseEigen.values(remainder);
      double trace = Arrays.stream(values).sum();
      assertTrue(values[0] > 1e-3 * factor.restNorm(leading), kind + ": nothing was left out");
      assertTrue(values[0] <= factor.restNorm(leading) * (1 + 1e-9), kind + ": norm " + values[0]);
      assertTrue(trace <= factor.restTrace(leading) * (1 + 1e-9), kind + ": trace " + trace);
      assertTrue(values[values.length - 1] > -1e-9 * values[0], kind + ": not semidefinite");
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void withoutPropagationItsColumnsGiveTheParameterOperator(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 3)) {
      Linearization linearization = sample.linearize();
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      KernelFactor factor = sample.keep(KernelFactor.ofParameterOperator(modes));
      Tensor remainder = rest(sample, new ParameterOperator(linearization), factor, factor.count());
      double norm = TensorMath.norm(CONTEXT, remainder);
      assertTrue(norm <= 1e-11 * modes.value(0), kind + ": " + norm);
    }
  }

  /** The eigenvalues are those of K, in order, and a coarse cut keeps those above it. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void theModesAreTheEigenpairsOfK(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 4)) {
      Linearization linearization = sample.linearize();
      double[] truth =
          DenseEigen.values(sample.keep(new ParameterOperator(linearization).toDense()));
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-3));
      assertTrue(modes.count() > 0 && modes.count() <= truth.length);
      for (int i = (int) modes.count(); i < truth.length; i++) {
        assertTrue(truth[i] <= 1.6e-3 * truth[0]);
      }
      for (int i = 0; i < modes.count(); i++) { // the factorization leaves out half the cut
        assertEquals(truth[i], modes.value(i), 0.6e-3 * truth[0]);
      }
    }
  }

  /** A part of the units of an upper layer, as large states take them. */
  @ParameterizedTest
  @EnumSource(names = {"RNN_TANH_STACK", "LEAKY_STACK", "GRU_STACK", "LSTM_STACK"})
  void modesOfSomeUnitsOfALayerAreThoseOfTheWholeLayer(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 8)) {
      Linearization linearization = sample.linearize();
      List<WeightFamily> input =
          linearization.families().stream()
              .filter(family -> family.layer() == 1 && family.side() == WeightFamily.Side.INPUT)
              .toList();
      Tensor gram = sample.keep(KroneckerCore.gram(StateRestriction.whole(linearization), input));
      int units = SIZES.units();
      double[] all = unitModes(sample, linearization, gram, units, units);
      double[] some = unitModes(sample, linearization, gram, units + 4, 2);
      int perUnit = all.length / units;
      assertArrayEquals(Arrays.copyOfRange(all, 4 * perUnit, 6 * perUnit), some);
      assertTrue(Arrays.stream(some).anyMatch(value -> value != 0));
      refused(() -> unitModes(sample, linearization, gram, units - 1, 2), "part of one layer");
    }
  }

  private static double[] unitModes(
      Sample sample, Linearization linearization, Tensor gram, long first, long count) {
    long size = linearization.rows() * linearization.components();
    Tensor modes = sample.keep(Tensor.zeros(DType.F64, count, size, size));
    Tensor values = sample.keep(Tensor.zeros(DType.F64, count, size));
    linearization
        .handle()
        .unitModes(
            gram.memory(), null, first, count, 1e-12, 1e-12, size, modes.memory(), values.memory());
    return values.toDoubles();
  }

  /** Without its leading modes, J has the covariance that their columns leave out. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void theResidualJacobianHasTheRestAsItsGram(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 5)) {
      Linearization linearization = sample.linearize();
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      long leading = factor.count() / 2;
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      Tensor expected = rest(sample, ntk, factor, leading);
      ResidualJacobian jacobian = sample.keep(new ResidualJacobian(modes, leading));
      LinearOperator rest = MatrixOperator.symmetric(CONTEXT, ntk.range(), expected);
      assertTrue(rest.frobeniusNorm() > 1e-9 * ntk.frobeniusNorm(), kind + ": nothing is left");
      double difference = rest.minus(jacobian.outerGram()).frobeniusNorm();
      assertTrue(difference < 1e-11 * ntk.frobeniusNorm(), () -> kind + ": " + difference);
      OperatorContract.check(jacobian, 1);
    }
  }

  @Test
  void eigenvectorsAreLiftedToTheState() {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 6)) {
      ParameterModes modes = sample.keep(ParameterModes.of(sample.linearize(), 1e-14));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      Tensor z = sample.keep(Tensor.zeros(DType.F64, 2, factor.count()));
      RngState.of(1).fill(CONTEXT, RngState.Distribution.GAUSSIAN, z);
      Shape state = factor.owner().range();
      Tensor columns = sample.keep(Tensor.zeros(DType.F64, state.block(factor.count())));
      factor.fill(0, columns);
      Tensor expected = sample.keep(Tensor.zeros(DType.F64, 2, state.count()));
      Tensor flat = columns.reshape(Shape.of(factor.count(), state.count()));
      TensorMath.gemm(CONTEXT, false, false, 1, z, flat, 0, expected);
      Tensor lifted = sample.keep(factor.lift(z)).reshape(expected.shape());
      TensorMath.axpby(CONTEXT, -1, lifted, 1, expected);
      assertEquals(0, TensorMath.norm(CONTEXT, expected), 1e-10);
    }
  }

  /** A - Σ x_c x_cᵀ over the leading columns, [N, N]. */
  private static Tensor rest(
      Sample sample, LinearOperator operator, KernelFactor factor, long leading) {
    Tensor all = sample.keep(operator.toDense());
    Shape state = operator.range();
    Tensor columns = sample.keep(Tensor.zeros(DType.F64, state.block(leading)));
    factor.fill(0, columns);
    Tensor flat = columns.reshape(Shape.of(leading, state.count()));
    TensorMath.gemm(CONTEXT, true, false, -1, flat, flat, 1, all);
    return all;
  }

  private static double largest(Sample sample, LinearOperator semidefinite) {
    Tensor dense = sample.keep(semidefinite.toDense());
    long n = dense.shape().size(0);
    assertEquals(n, dense.shape().size(1));
    return DenseEigen.values(dense)[0];
  }
}
