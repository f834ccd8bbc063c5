package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Identities of THEORY 1 and 3 that hold for every recurrent model. */
class EngineIdentitiesTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Rounding of a chain of products, relative to its result. */
  private static double rounding(DType dtype) {
    return 200 * dtype.epsilon();
  }

  private static void assertEqual(LinearOperator expected, LinearOperator actual) {
    double difference = actual.compare(expected);
    assertTrue(
        difference <= rounding(expected.dtype()),
        () -> actual + " and " + expected + " differ by " + difference);
  }

  private static double relative(Tensor expected, Tensor actual) {
    try (Tensor difference = actual.copy()) {
      TensorMath.axpby(CONTEXT, -1, expected, 1, difference);
      return TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, expected);
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void pTimesItsInverseIsTheIdentity(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 1)) {
      PropagationOperator p = new PropagationOperator(sample.linearize());
      LinearOperator identity = new IdentityOperator(CONTEXT, p.domain(), dtype);
      assertEqual(identity, p.compose(p.inverse()));
      assertEqual(identity, p.inverse().compose(p));
      assertEqual(identity, p.adjoint().compose(p.inverse().adjoint()));
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theTangentKernelIsTheGramOfTheJacobianAndThePropagatedParameterOperator(
      Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 2)) {
      Linearization linearization = sample.linearize();
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      LinearOperator p = new PropagationOperator(linearization);
      LinearOperator k = new ParameterOperator(linearization);
      LinearOperator j = new ParameterJacobian(linearization);
      LinearOperator local = new LocalParameterJacobian(linearization);
      assertEqual(ntk, j.compose(j.adjoint()));
      assertEqual(ntk, p.compose(k).compose(p.adjoint()));
      assertEqual(k, local.compose(local.adjoint()));
      assertEqual(j, p.compose(local));
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theTangentKernelIsTheSumOfItsFamiliesKroneckerCores(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 3)) {
      Linearization linearization = sample.linearize();
      LinearOperator sum = null;
      for (WeightFamily family : linearization.families()) {
        LinearOperator kernel = familyKernel(sample, linearization, family.name());
        sum = sum == null ? kernel : sum.plus(kernel);
        LinearOperator gates = new GateDerivative(linearization, family.name());
        assertEqual(
            new CorePropagator(linearization, family.name()),
            new PropagationOperator(linearization).compose(gates));
      }
      assertEqual(new NeuralTangentKernel(linearization), sum);
    }
  }

  private static LinearOperator familyKernel(
      Sample sample, Linearization linearization, String family) {
    Tensor sites = sample.keep(linearization.sites(family));
    long k = linearization.rows();
    Tensor gram = sample.keep(Tensor.zeros(linearization.dtype(), k, k));
    TensorMath.gemm(CONTEXT, false, true, 1, sites, sites, 0, gram);
    return KroneckerCore.familyKernel(linearization, family, gram);
  }

  /** For a linear RNN D_Q f is the identity; the gates of a GRU make it something else. */
  @Test
  void theMergedProxyIsTheParameterOperatorOfALinearNetworkAndNotOfAGru() {
    for (Kind kind : new Kind[] {Kind.RNN_LINEAR, Kind.GRU}) {
      try (Sample sample = new Sample(kind, DType.F64, Sizes.AWKWARD, 4)) {
        Linearization linearization = sample.linearize();
        LinearOperator k = new ParameterOperator(linearization);
        Tensor gram = sample.keep(KroneckerCore.gram(linearization));
        double difference = k.compare(KroneckerCore.proxy(linearization, gram));
        assertTrue(
            kind == Kind.GRU ? difference > 0.5 : difference < 1e-14, kind + " " + difference);
      }
    }
  }

  /** Corollary 2: <NTK e, e> = Σ_i ||V_iᵀ P_core,i* e||² = ||J* e||². */
  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theRateOfLearningIsTheNormOfTheGradientFamilyByFamily(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 5)) {
      Linearization linearization = sample.linearize();
      Tensor error = sample.keep(RandomModels.gaussian(dtype, linearization.stateShape(), 6));
      Tensor moved = sample.keep(new NeuralTangentKernel(linearization).matvec(error));
      Tensor gradient = sample.keep(new ParameterJacobian(linearization).rmatvec(error));
      double sum = 0;
      for (WeightFamily family : linearization.families()) {
        Tensor sites = sample.keep(linearization.sites(family.name()));
        Tensor gates = sample.keep(new CorePropagator(linearization, family.name()).rmatvec(error));
        Tensor part = sample.keep(Tensor.zeros(dtype, family.sites(), family.outputs()));
        TensorMath.gemm(CONTEXT, true, false, 1, sites, gates, 0, part);
        sum += TensorMath.dot(CONTEXT, part, part);
      }
      double rate = TensorMath.dot(CONTEXT, moved, error);
      assertEquals(rate, sum, rounding(dtype) * rate);
      assertEquals(rate, TensorMath.dot(CONTEXT, gradient, gradient), rounding(dtype) * rate);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void freezingAFamilyRemovesItsTermAndItsPartOfTheta(Kind kind) {
    try (Sample whole = new Sample(kind, DType.F64, Sizes.SMALL, 7)) {
      Linearization all = whole.linearize();
      Tensor jacobian = whole.keep(new ParameterJacobian(all).adjoint().toDense());
      long first = 0; // where the family's weights are in theta
      for (WeightFamily family : all.families()) {
        try (Sample rest = new Sample(kind, DType.F64, Sizes.SMALL, 7, family.name())) {
          Linearization frozen = rest.linearize();
          assertEquals(all.parameterCount() - family.size(), frozen.parameterCount());
          assertEqual(
              new NeuralTangentKernel(all).minus(familyKernel(whole, all, family.name())),
              new NeuralTangentKernel(frozen));
          Tensor kept = rest.keep(new ParameterJacobian(frozen).adjoint().toDense());
          long after = first + family.size();
          assertSameRows(jacobian.slice(0, first), kept.slice(0, first));
          assertSameRows(
              jacobian.slice(after, all.parameterCount() - after),
              kept.slice(first, all.parameterCount() - after));
        }
        first += family.size();
      }
    }
  }

  private static void assertSameRows(Tensor expected, Tensor actual) {
    if (expected.count() > 0) {
      double difference = relative(expected, actual);
      assertTrue(difference <= 1e-13, () -> "rows of theta differ by " + difference);
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void theTrialGradientsAddUpToTheGradient(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 8)) {
      Linearization linearization = sample.linearize();
      Tensor errors =
          sample.keep(RandomModels.gaussian(dtype, linearization.stateShape().block(5), 9));
      Tensor gradients = sample.keep(new ParameterJacobian(linearization).rmatmat(errors));
      Tensor perTrial = sample.keep(new TrialJacobian(linearization).rmatmat(errors));
      long p = linearization.parameterCount();
      long trials = linearization.trials();
      Tensor sum = sample.keep(Tensor.zeros(dtype, 5, p));
      TensorMath.strided(
          new long[] {5, trials, p},
          1,
          perTrial,
          new long[] {trials * p, p, 1},
          1,
          sum,
          new long[] {p, 0, 1});
      double difference = relative(gradients, sum);
      assertTrue(difference <= rounding(dtype), () -> "they differ by " + difference);
    }
  }

  /** 17 trials times 5 probes are more than the 80 rows of a panel, and are cut elsewhere. */
  @ParameterizedTest
  @MethodSource("org.kpflow.RandomModels#kindsAndTypes")
  void aBlockOfProbesIsItsProbesOneByOne(Kind kind, DType dtype) {
    for (Sizes sizes : new Sizes[] {Sizes.AWKWARD, new Sizes(17, 4, 3, 9)}) {
      try (Sample sample = new Sample(kind, dtype, sizes, 10)) {
        for (LinearOperator operator : FlowOperators.of(sample.linearize())) {
          for (LinearOperator map : new LinearOperator[] {operator, operator.adjoint()}) {
            Shape block = map.domain().block(5);
            try (Tensor probes = RandomModels.gaussian(dtype, block, 11);
                Tensor together = map.matmat(probes)) {
              for (int i = 0; i < 5; i++) {
                try (Tensor alone = map.matvec(probes.slice(i))) {
                  double difference = relative(alone, together.slice(i));
                  assertTrue(difference <= rounding(dtype), () -> map + ": " + difference);
                }
              }
            }
          }
        }
      }
    }
  }
}
