package org.kpflow.experiment;

import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.estimate.RankEstimator;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.AttentionBlock;
import org.kpflow.model.GraphModel;
import org.kpflow.model.Initialization;
import org.kpflow.model.ModelOptions;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The network of section A.2.3 at initialization, linearized on given inputs: self-attention, three
 * hidden ReLU layers, a linear output; all weights Xavier normal, all biases zero. Its state has
 * all blocks: Q, K, Z, A, Yattn, H_2, H_3, H_4, Y.
 */
final class AttentionKernel implements AutoCloseable {
  static final int HIDDEN = 128;
  static final String NETWORK =
      "attention, 3 hidden ReLU layers of " + HIDDEN + ", 1 output; Xavier normal, biases 0";

  private final Linearization linearization;

  /**
   * Draws weights and linearizes.
   *
   * @param inputs [B, T, n_in]; stays the caller's
   * @param attention n_attn, the width of Q, K, Z and A together
   */
  AttentionKernel(ExecutionContext context, Tensor inputs, int attention, int heads, RngState rng) {
    long[] layers = {HIDDEN, HIDDEN, HIDDEN, 1};
    Map<String, Tensor> weights =
        Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1)
            .attentionBlock(context, inputs.shape().size(2), attention, layers, rng);
    try (GraphModel model =
        AttentionBlock.of(weights, heads, false, Activation.RELU, ModelOptions.of(DType.F32))) {
      linearization = Linearization.of(context, model, inputs, null);
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  /** i.i.d. standard normal sequences [B, T, n_in]. */
  static Tensor gaussian(
      ExecutionContext context, long trials, long steps, long inputs, RngState rng) {
    Tensor x = Tensor.zeros(DType.F32, trials, steps, inputs);
    rng.fill(context, RngState.Distribution.GAUSSIAN, x);
    return x;
  }

  /** Participation ratio of the temporal view, from random weight perturbations. */
  Estimate temporalRank(int samples, RngState rng) {
    try (LinearizationViews views = sampled(List.of(View.TEMP), samples, rng)) {
      return views.sampled().participationRatio(View.TEMP);
    }
  }

  /** Adds the participation ratios of the temporal and spatial views and of the NTK to a point. */
  void ranks(Point point, int samples, RngState rng) {
    try (LinearizationViews views = sampled(List.of(View.TEMP, View.SPACE), samples, rng)) {
      point.put("temporal", views.sampled().participationRatio(View.TEMP));
      point.put("spatial", views.sampled().participationRatio(View.SPACE));
    }
    point.put(
        "overall",
        RankEstimator.participationRatio(
            new NeuralTangentKernel(linearization), samples, rng.split(1)));
  }

  private LinearizationViews sampled(List<View> views, int samples, RngState rng) {
    return LinearizationViews.ofTangentKernel(
        linearization,
        new LinearizationViews.Options(views, LinearizationViews.Method.SAMPLED, 0, samples, rng),
        Progress.NONE);
  }

  /**
   * The temporal view to a relative error of its matrix: leading columns of the NTK's factor
   * exactly, the rest sampled.
   */
  LinearizationViews temporalView(double tolerance, RngState rng) {
    return LinearizationViews.ofTangentKernel(
        linearization,
        new LinearizationViews.Options(
            List.of(View.TEMP), LinearizationViews.Method.HYBRID, tolerance, 0, rng),
        Progress.NONE);
  }

  /** The average of the NTK over expanded units, [k, k] in f64: not a partial trace. */
  Tensor coherentAverage() {
    try (Tensor average = new NeuralTangentKernel(linearization).coherentAverage(2).toDense()) {
      return average.to(DType.F64);
    }
  }

  /** The share of ||A||_F² inside the column space of X, both [k, ·]. */
  double shareOfAttentionInInputs() {
    try (Tensor x = linearization.sites("W_q");
        Tensor a = linearization.sites("W_o")) {
      return ColumnSpace.share(linearization.context(), x, a);
    }
  }

  @Override
  public void close() {
    linearization.close();
  }
}
