package org.kpflow.experiment;

import java.util.List;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.estimate.RankEstimator;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.TensorMap;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.AttentionBlock;
import org.kpflow.model.GraphModel;
import org.kpflow.model.ModelOptions;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The network of section A.2.3 at initialization, linearized on given inputs: self-attention, three
 * hidden ReLU layers, a linear output; all weights Xavier normal, all biases zero. Its state has
 * all blocks: Q, K, Z, A, Yattn, H_2, H_3, H_4, Y.
 */
final class AttentionKernel implements AutoCloseable {
  static final int HIDDEN = 128;
  static final int LAYERS = 3;

  private final Linearization linearization;

  /**
   * Draws weights and linearizes.
   *
   * @param inputs [B, T, n_in]; stays the caller's
   * @param attention n_attn, the width of Q, K, Z and A together
   */
  AttentionKernel(ExecutionContext context, Tensor inputs, int attention, int heads, RngState rng) {
    try (TensorMap weights = new TensorMap("the network at initialization")) {
      long read = inputs.shape().size(2);
      RngState next = rng;
      for (String name : List.of("W_q", "W_k", "W_z")) {
        next = xavier(context, next, weights, name, attention, read);
      }
      next = xavier(context, next, weights, "W_o", attention, attention);
      long width = attention;
      for (int layer = 1; layer <= LAYERS + 1; layer++) {
        long out = layer <= LAYERS ? HIDDEN : 1;
        next = xavier(context, next, weights, "mlp_W_" + layer, out, width);
        weights.put("mlp_b_" + layer, Tensor.zeros(DType.F32, out));
        width = out;
      }
      try (GraphModel model =
          AttentionBlock.of(
              weights.asMap(), heads, false, Activation.RELU, ModelOptions.of(DType.F32))) {
        linearization = Linearization.of(context, model, inputs, null);
      }
    }
  }

  /** N(0, 2 / (in + out)). */
  private static RngState xavier(
      ExecutionContext context, RngState rng, TensorMap weights, String name, long out, long in) {
    Tensor weight = Tensor.zeros(DType.F32, out, in);
    weights.put(name, weight);
    try (Tensor normal = Tensor.zeros(DType.F32, out, in)) {
      RngState next = rng.fill(context, RngState.Distribution.GAUSSIAN, normal);
      TensorMath.axpby(context, Math.sqrt(2.0 / (in + out)), normal, 0, weight);
      return next;
    }
  }

  /** i.i.d. standard normal sequences [B, T, n_in]. */
  static Tensor gaussian(
      ExecutionContext context, long trials, long steps, long inputs, RngState rng) {
    Tensor x = Tensor.zeros(DType.F32, trials, steps, inputs);
    rng.fill(context, RngState.Distribution.GAUSSIAN, x);
    return x;
  }

  /** [cos 2πfx, sin 2πfx] for f = 1, …, frequencies of one input x [B, T, 1]. */
  static Tensor fourier(Tensor x, int frequencies) {
    double[] values = x.toDoubles();
    double[] features = new double[values.length * 2 * frequencies];
    for (int i = 0; i < values.length; i++) {
      for (int j = 0; j < frequencies; j++) {
        double phase = 2 * Math.PI * (j + 1) * values[i];
        features[(2 * i) * frequencies + j] = Math.cos(phase);
        features[(2 * i + 1) * frequencies + j] = Math.sin(phase);
      }
    }
    Shape shape = x.shape();
    return Tensor.of(DType.F32, Shape.of(shape.size(0), shape.size(1), 2L * frequencies), features);
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

  /** The share of ||A||_F² inside the column space of X, both [k, ·]. */
  double shareOfAttentionInInputs() {
    try (Tensor x = linearization.sites("W_q");
        Tensor a = linearization.sites("W_o")) {
      return ColumnSpace.share(x, a);
    }
  }

  @Override
  public void close() {
    linearization.close();
  }
}
