package org.kpflow.train;

import org.kpflow.base.Checks;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.TensorMath;

/**
 * Decay of all trained weights towards zero, before the optimizer's step.
 *
 * @param rate λ, at least 0
 * @param decoupled whether weights shrink by themselves, θ ← (1 - η λ) θ, as in AdamW; otherwise
 *     the optimizer sees the gradient of λ ||θ||² / 2 too, g ← g + λ θ, as with PyTorch's
 *     weight_decay in SGD and Adam
 */
public record WeightDecay(double rate, boolean decoupled) {
  /** No decay. */
  public static final WeightDecay NONE = new WeightDecay(0, false);

  /** Checks the rate. */
  public WeightDecay {
    Checks.that(
        rate >= 0 && Double.isFinite(rate), "weight decay: expected at least 0, got %s", rate);
  }

  void apply(ExecutionContext context, Iterable<Parameter> parameters, double learningRate) {
    if (rate == 0) {
      return;
    }
    for (Parameter parameter : parameters) {
      if (decoupled) {
        TensorMath.scale(context, 1 - learningRate * rate, parameter.value());
      } else {
        TensorMath.axpby(context, rate, parameter.value(), 1, parameter.gradient());
      }
    }
  }
}
