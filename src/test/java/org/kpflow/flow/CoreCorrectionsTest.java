package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.cases.CaseEvaluation;
import org.kpflow.cases.CaseVerification;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Rnn;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The numbers of docs/theory.md, section 7: where the core says less than the paper has it say. */
class CoreCorrectionsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  /** Uniform in ±1/√H, as PyTorch fills recurrent layers. */
  private static Tensor uniform(Random random, int units, long... sizes) {
    double bound = 1 / Math.sqrt(units);
    double[] values = random.doubles(Shape.of(sizes).count(), -bound, bound).toArray();
    return Tensor.of(Shape.of(sizes), values);
  }

  private static Map<String, Tensor> weights(Random random, int gates, int units, int inputs) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    weights.put("weight_ih_l0", uniform(random, units, (long) gates * units, inputs));
    weights.put("weight_hh_l0", uniform(random, units, (long) gates * units, units));
    return weights;
  }

  /** P_core (G ⊗ I) P_core* with one propagator, that of a family, in place of one per family. */
  private static LinearOperator merged(Linearization linearization, String family, Tensor gram) {
    CorePropagator propagator = new CorePropagator(linearization, family);
    LinearOperator core =
        MatrixOperator.symmetric(CONTEXT, Shape.of(linearization.rows()), gram)
            .tensorProductLike(propagator.gram());
    return propagator.compose(core).compose(propagator.adjoint());
  }

  private static double error(LinearOperator found, LinearOperator truth) {
    return found.minus(truth).frobeniusNorm() / truth.frobeniusNorm();
  }

  /** ||Σ_i P_core,i (V_i V_iᵀ ⊗ I) P_core,i* - NTK|| / ||NTK||. */
  private static double familyWiseError(Linearization linearization) {
    LinearOperator sum = null;
    List<Tensor> grams = new java.util.ArrayList<>();
    for (WeightFamily family : linearization.trainableFamilies()) {
      Tensor gram = KroneckerCore.gram(StateRestriction.whole(linearization), List.of(family));
      grams.add(gram);
      LinearOperator part = KroneckerCore.familyKernel(linearization, family.name(), gram);
      sum = sum == null ? part : sum.plus(part);
    }
    double error = error(sum, new NeuralTangentKernel(linearization));
    grams.forEach(Tensor::close);
    return error;
  }

  @ParameterizedTest
  @ValueSource(longs = {1, 2, 3})
  void oneMergedCoreIsNotThatOfAGruWhicheverPropagatorItTakes(long seed) {
    Random random = new Random(seed);
    Map<String, Tensor> weights = weights(random, 3, 32, 8);
    double[] numbers = new double[512];
    java.util.Arrays.setAll(numbers, i -> random.nextGaussian());
    try (Gru gru = new Gru(weights, ModelOptions.of(DType.F64));
        Tensor inputs = Tensor.of(Shape.of(4, 16, 8), numbers);
        Linearization linearization = Linearization.of(gru, inputs);
        Tensor gram = KroneckerCore.gram(linearization)) {
      LinearOperator kernel = new NeuralTangentKernel(linearization);
      LinearOperator hidden = merged(linearization, "weight_hh_l0", gram);
      LinearOperator input = merged(linearization, "weight_ih_l0", gram);
      double ofHidden = error(hidden, kernel);
      double ofInput = error(input, kernel);
      double ofBoth = error(hidden.plus(input), kernel);
      double exact = familyWiseError(linearization);
      String numbersFound =
          String.format(
              "hidden %.4f, input %.4f, both %.4f, family-wise %.1e",
              ofHidden, ofInput, ofBoth, exact);
      assertTrue(ofHidden > 0.7 && ofInput > 0.14 && ofBoth > 0.38, numbersFound);
      assertTrue(exact < 1e-14, numbersFound);
    }
    weights.values().forEach(Tensor::close);
  }

  /** The reference cases hold the merged form's error, and verification looks at it. */
  @Test
  void theReferenceCasesKnowTheErrorOfTheMergedCore() {
    Path fixtures = Path.of("src", "test", "resources", "fixtures");
    for (String name : new String[] {"gru_nobias", "gru_bias_h0", "gru_B1"}) {
      CaseDirectory directory = new CaseDirectory(fixtures.resolve(name));
      try (CaseEvaluation evaluation = new CaseEvaluation(directory, DType.F64, CONTEXT)) {
        List<CaseVerification.Check> checks =
            CaseVerification.verify(evaluation).stream()
                .filter(check -> check.quantity().startsWith("merged_core_rel_fro_error."))
                .toList();
        assertEquals(9, checks.size(), name);
        assertTrue(checks.stream().allMatch(check -> check.passed() && !check.skipped()), name);
      }
    }
  }

  /** Singular values of J e_c as matrices [k, n], side by side: roots of n λ(NTK_temp). */
  private static double[] temporalSingularValues(Linearization linearization) {
    long k = linearization.rows();
    long n = linearization.units();
    long p = linearization.parameterCount();
    try (Tensor jacobian = new ParameterJacobian(linearization).toDense()) { // [k n, p]
      return DenseEigen.singularValues(jacobian.reshape(Shape.of(k, n * p)));
    }
  }

  private static int rank(double[] values) {
    int rank = 0;
    while (rank < values.length && values[rank] > 1e-12 * values[0]) {
      rank++;
    }
    return rank;
  }

  private record Ranks(int core, int kernel, int view, double participation, double smallest) {}

  /** Of an RNN of 6 units whose only trainable weights are those of one input that is always 1. */
  private static Ranks ranks(Activation activation, int trials, int steps, boolean ownStart) {
    Random random = new Random(3);
    Map<String, Tensor> weights = weights(random, 1, 6, 1);
    try (Tensor scaled = weights.get("weight_hh_l0").copy()) {
      TensorMath.axpby(CONTEXT, 2, scaled, 0, weights.get("weight_hh_l0"));
    }
    double[] ones = new double[trials * steps];
    java.util.Arrays.fill(ones, 1);
    ModelOptions options = new ModelOptions(DType.F64, Set.of("weight_hh_l0"), "");
    double[] starts = new double[trials * 6];
    java.util.Arrays.setAll(starts, i -> random.nextGaussian());
    try (Rnn model = new Rnn(weights, activation, options);
        Tensor inputs = Tensor.of(Shape.of(trials, steps, 1), ones);
        Tensor start = Tensor.of(Shape.of(trials, 6), starts);
        Linearization linearization =
            Linearization.of(CONTEXT, model, inputs, ownStart ? start : null);
        Tensor sites = linearization.sites("weight_ih_l0");
        Tensor jacobian = new ParameterJacobian(linearization).toDense()) {
      double[] found = temporalSingularValues(linearization);
      double[] squares = java.util.Arrays.stream(found).map(v -> v * v).toArray();
      return new Ranks(
          rank(DenseEigen.singularValues(sites)),
          rank(DenseEigen.singularValues(jacobian)),
          rank(found),
          SpectrumMetrics.of(squares).participationRatio(),
          found[rank(found) - 1] / found[0]);
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  /**
   * In a linear RNN x_c = 1 ⊗ [S_t e_c], S_t = I + W + … + W^t: the view is 1 1ᵀ ⊗ tr(S_t S_t'ᵀ)/n,
   * of as many dimensions as the S_t have, T or the degree of W's minimal polynomial. Saturation
   * tells trials apart where their states differ.
   */
  @Test
  void underACoreOfRankOneTheTemporalViewHasFullRank() {
    Ranks linear = ranks(Activation.LINEAR, 3, 5, true);
    Ranks longer = ranks(Activation.LINEAR, 3, 9, true);
    Ranks together = ranks(Activation.TANH, 3, 5, false);
    Ranks apart = ranks(Activation.TANH, 3, 5, true);
    for (Ranks found : List.of(linear, longer, together, apart)) {
      assertEquals(1, found.core());
      assertEquals(6, found.kernel(), "of the NTK: at most rank(V) n_i");
      assertTrue(found.participation() > 1.5 && found.participation() < 1.75, found.toString());
      assertTrue(found.smallest() > 0.02, found + ": clear of rounding");
    }
    assertEquals(5, linear.view());
    assertEquals(6, longer.view());
    assertEquals(5, together.view());
    assertEquals(15, apart.view());
  }
}
