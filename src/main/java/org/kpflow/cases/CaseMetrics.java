package org.kpflow.cases;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.flow.CorePropagator;
import org.kpflow.flow.StateRestriction;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The scalars of a case, under the keys of case.json's "metrics". */
public final class CaseMetrics {
  private static final double RANK_THRESHOLD =
      1e-10; // eigenvalues above this share of the largest count
  private static final double SMALLEST_LYAPUNOV_DIAGONAL =
      1e-6; // below it exponents are not reported

  private final CaseEvaluation evaluation;
  private final Linearization linearization;
  private final ExecutionContext context; // of the CPU, as are the arrays of a case

  private CaseMetrics(CaseEvaluation evaluation) {
    this.evaluation = evaluation;
    this.linearization = evaluation.linearization();
    this.context = linearization.context().host();
  }

  /** All metrics that the case defines; undefined numbers are null. */
  public static Map<String, Object> of(CaseEvaluation evaluation) {
    return new CaseMetrics(evaluation).all();
  }

  private Map<String, Object> all() {
    Map<String, Object> metrics = new LinkedHashMap<>();
    for (String name : List.of("ntk", "ntk_temp", "ntk_space", "ntk_batch", "ntk_time")) {
      metrics.put(name, spectrum(matrix(name), factor("J_theta", name)));
    }
    for (String name : List.of("K", "K_temp", "K_space")) {
      metrics.put(name, spectrum(matrix(name), factor("D_theta", name)));
    }
    metrics.put("core_gram", spectrum(evaluation.wide("core_gram"), sites()));
    try (Tensor square = square(evaluation.wide("P"))) {
      metrics.put("PPt", spectrum(square, evaluation.wide("P").copy()));
    }
    for (String name : List.of("PPt_temp", "PPt_space")) {
      metrics.put(name, spectrum(matrix(name), factor("P", name)));
    }
    metrics.put("P_fro", finite(TensorMath.norm(context, evaluation.wide("P"))));
    Tensor gram = evaluation.wide("core_gram");
    metrics.put("cos_ntk_core", cosineWithLifted("ntk", linearization.units(), gram));
    metrics.put("cos_temp_core", cosine(matrix("ntk_temp"), gram));
    metrics.put("cos_K_core", cosineWithLifted("K", linearization.units(), gram));
    if (!Double.isNaN(evaluation.loss())) {
      metrics.put("loss", evaluation.loss());
    }
    metrics.put("corollary2", corollary2());
    if ("gru".equals(evaluation.directory().description().path("model").asText())) {
      metrics.put("merged_core_rel_fro_error", mergedCore());
    }
    if (linearization.stepsThroughTime()) {
      metrics.put("lyap_max_mean_over_batch", lyapunov());
    }
    reportedBlocks().forEach(block -> putBlock(CaseEvaluation.BLOCK + block, metrics));
    return metrics;
  }

  /** What attention gives out, the last hidden layer and the output, and what the case lists. */
  private Set<String> reportedBlocks() {
    JsonNode description = evaluation.directory().description();
    Set<String> listed = new LinkedHashSet<>(List.of("Yattn", "Y"));
    listed.add(description.path("last_hidden").asText());
    evaluation.directory().arrays().stream()
        .filter(name -> name.startsWith(CaseEvaluation.BLOCK))
        .forEach(name -> listed.add(name.substring(CaseEvaluation.BLOCK.length())));
    Set<String> blocks = new LinkedHashSet<>(evaluation.blocks());
    blocks.retainAll(listed);
    return blocks;
  }

  /** The scalars of the NTK of one block and of its views. */
  private void putBlock(String name, Map<String, Object> metrics) {
    StateRestriction block = evaluation.block(name);
    try (Tensor dense = block.jacobian().toDense();
        Tensor jacobian = dense.to(Device.CPU, DType.F64)) {
      for (View view : List.of(View.TEMP, View.SPACE)) {
        Tensor factor = factor(jacobian, view, block.range());
        metrics.put(name + "_" + view, spectrum(matrix(name + "_" + view), factor));
      }
      Map<String, Object> whole = spectrum(matrix(name), jacobian.copy());
      long units = block.range().size(2);
      whole.put("cos_core", cosineWithLifted(name, units, evaluation.wide("core_gram")));
      metrics.put(name, whole);
    }
  }

  private Tensor matrix(String name) {
    return evaluation.wide(name);
  }

  /**
   * The scalars of one positive semidefinite matrix; its rank comes from a factor F, A ∝ F Fᵀ,
   * whose values are not squared.
   */
  private Map<String, Object> spectrum(Tensor matrix, Tensor factor) {
    SpectrumMetrics found = SpectrumMetrics.of(DenseEigen.values(matrix));
    Map<String, Object> metrics = new LinkedHashMap<>();
    boolean zero = !(found.largest() > 0);
    metrics.put("trace", finite(found.trace()));
    metrics.put("fro", finite(TensorMath.norm(context, matrix)));
    metrics.put("lambda_max", finite(found.largest()));
    metrics.put("pr", finite(found.participationRatio()));
    metrics.put("pr_gram", finite(found.gramParticipationRatio()));
    metrics.put("n95", zero ? null : found.modes95());
    metrics.put("n95_margin", finite(found.modes95Margin()));
    metrics.put("n95_sq", zero ? null : found.gramModes95());
    metrics.put("n95_sq_margin", finite(found.gramModes95Margin()));
    metrics.put("entropy_rank", finite(found.entropyRank()));
    try (factor) {
      metrics.put("rank", zero ? Integer.valueOf(0) : rank(DenseEigen.singularValues(factor)));
    }
    return metrics;
  }

  /** Eigenvalues above 1e-10 λ_1, or null if the count changes between 1e-9 and 1e-11; λ = σ². */
  private static Integer rank(double[] singularValues) {
    int[] counts = new int[3];
    double[] thresholds = {10 * RANK_THRESHOLD, RANK_THRESHOLD, RANK_THRESHOLD / 10};
    for (double value : singularValues) {
      double relative = value / singularValues[0];
      for (int i = 0; i < counts.length; i++) {
        counts[i] += relative * relative > thresholds[i] ? 1 : 0;
      }
    }
    return counts[0] == counts[2] ? counts[1] : null;
  }

  /**
   * F [B, T, n, q] with the axes that a view keeps in front: [kept, traced q], whose Gram matrix is
   * N times the view.
   */
  private Tensor factor(String name, String matrix) {
    Tensor full = evaluation.wide(name);
    int split = matrix.indexOf('_');
    if (split < 0) {
      return full.copy();
    }
    return factor(full, View.of(matrix.substring(split + 1)), linearization.stateShape());
  }

  private static Tensor factor(Tensor full, View view, Shape state) {
    long q = full.count() / state.count();
    long[] sizes = {state.size(0), state.size(1), state.size(2), q};
    long[] strides = {state.size(1) * state.size(2) * q, state.size(2) * q, q, 1};
    long[] targets = new long[4];
    long stride = 1;
    targets[3] = 1;
    stride *= q;
    for (boolean kept : new boolean[] {false, true}) {
      for (int axis = 2; axis >= 0; axis--) {
        if (((view.keep() >> axis & 1) != 0) == kept) {
          targets[axis] = stride;
          stride *= sizes[axis];
        }
      }
    }
    Tensor result = Tensor.zeros(DType.F64, view.size(state), full.count() / view.size(state));
    TensorMath.strided(sizes, 1, full, strides, 0, result, targets);
    return result;
  }

  /** All trainable sites side by side, [k, Σ m_i]. */
  private Tensor sites() {
    long rows = linearization.rows();
    long columns = evaluation.families().stream().mapToLong(WeightFamily::sites).sum();
    Tensor all = Tensor.zeros(DType.F64, rows, Math.max(columns, 1));
    long first = 0;
    for (WeightFamily family : evaluation.families()) {
      long m = family.sites();
      Tensor target = all.reshape(Shape.of(all.count())).slice(first, all.count() - first);
      TensorMath.strided(
          new long[] {rows, m},
          1,
          evaluation.wide("V_" + family.name()),
          new long[] {m, 1},
          0,
          target,
          new long[] {columns, 1});
      first += m;
    }
    return all;
  }

  private Tensor square(Tensor matrix) {
    Tensor result = Tensor.zeros(DType.F64, matrix.shape().size(0), matrix.shape().size(0));
    TensorMath.gemm(context, false, true, 1, matrix, matrix, 0, result);
    return result;
  }

  /** cos(A, G ⊗ I_n) = n <A_temp, G> / (||A|| ||G|| sqrt(n)). */
  private Double cosineWithLifted(String operator, long units, Tensor gram) {
    double inner = TensorMath.dot(context, matrix(operator + "_temp"), gram) * Math.sqrt(units);
    return finite(
        inner / (TensorMath.norm(context, matrix(operator)) * TensorMath.norm(context, gram)));
  }

  private Double cosine(Tensor a, Tensor b) {
    return finite(
        TensorMath.dot(context, a, b)
            / (TensorMath.norm(context, a) * TensorMath.norm(context, b)));
  }

  /**
   * <NTK err, err> = Σ_i ||V_iᵀ core_adj_i||²: the rate at which the loss falls, family by family.
   */
  private Map<String, Object> corollary2() {
    Tensor error = evaluation.wide("err");
    double inner = -TensorMath.dot(context, evaluation.wide("dh"), error);
    Map<String, Object> families = new LinkedHashMap<>();
    double sum = 0;
    for (WeightFamily family : evaluation.families()) {
      Tensor adjoint = evaluation.wide("core_adj_" + family.name());
      Tensor sites = evaluation.wide("V_" + family.name());
      try (Tensor gradient =
          Tensor.zeros(DType.F64, sites.shape().size(1), adjoint.shape().size(1))) {
        TensorMath.gemm(context, true, false, 1, sites, adjoint, 0, gradient);
        double square = TensorMath.dot(context, gradient, gradient);
        families.put(family.name(), square);
        sum += square;
      }
    }
    Map<String, Object> metrics = new LinkedHashMap<>();
    metrics.put("inner_ntk_err_err", finite(inner));
    metrics.put("rayleigh", finite(inner / TensorMath.dot(context, error, error)));
    metrics.put("per_family", families);
    metrics.put("sum_sq_norm_Vt_core_adj", finite(sum));
    return metrics;
  }

  /**
   * What (Σ V Vᵀ) ⊗ I with one propagator instead of one per family would do; null when a family is
   * frozen.
   */
  private Map<String, Object> mergedCore() {
    if (evaluation.families().size() < linearization.families().size()) {
      return null;
    }
    Map<String, Object> metrics = new LinkedHashMap<>();
    try (Tensor hidden = merged("weight_hh_l0");
        Tensor input = merged("weight_ih_l0");
        Tensor both = hidden.copy()) {
      TensorMath.axpby(context, 1, input, 1, both);
      metrics.put("hidden_side_propagator", against(hidden));
      metrics.put("input_side_propagator", against(input));
      metrics.put("both_sides_stacked", against(both));
    }
    return metrics;
  }

  /** P_core (G ⊗ I) P_core* with the propagator of one family, dense in f64. */
  private Tensor merged(String family) {
    CorePropagator propagator = new CorePropagator(linearization, family);
    ExecutionContext there = linearization.context();
    try (Tensor gram = evaluation.wide("core_gram").to(there.device(), linearization.dtype())) {
      LinearOperator core =
          MatrixOperator.symmetric(there, Shape.of(linearization.rows()), gram)
              .tensorProductLike(propagator.gram());
      try (Tensor dense = propagator.compose(core).compose(propagator.adjoint()).toDense()) {
        return dense.to(Device.CPU, DType.F64);
      }
    }
  }

  private Map<String, Object> against(Tensor merged) {
    Tensor kernel = matrix("ntk");
    Map<String, Object> metrics = new LinkedHashMap<>();
    try (Tensor difference = merged.copy()) {
      TensorMath.axpby(context, -1, kernel, 1, difference);
      metrics.put(
          "rel_fro",
          finite(TensorMath.norm(context, difference) / TensorMath.norm(context, kernel)));
    }
    metrics.put("cosine", cosine(merged, kernel));
    metrics.put("trace_ratio", finite(trace(merged) / trace(kernel)));
    return metrics;
  }

  private static double trace(Tensor matrix) {
    double sum = 0;
    for (long i = 0; i < matrix.shape().size(0); i++) {
      sum += matrix.get(i, i);
    }
    return sum;
  }

  /** Mean over trials of the largest exponent; null where the QR diagonal comes near zero. */
  private Double lyapunov() {
    Linearization.Lyapunov found = linearization.lyapunov();
    if (found.smallestDiagonal() < SMALLEST_LYAPUNOV_DIAGONAL) {
      return null;
    }
    double sum = 0;
    for (double[] exponents : found.exponents()) {
      sum += Arrays.stream(exponents).max().orElse(Double.NaN);
    }
    return finite(sum / found.exponents().length);
  }

  /** JSON has no NaN and no infinity: an undefined number is null. */
  private static Double finite(double value) {
    return Double.isFinite(value) ? value : null;
  }
}
