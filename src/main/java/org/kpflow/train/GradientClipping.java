package org.kpflow.train;

import org.kpflow.base.Checks;
import org.kpflow.nativelib.TrainingKernels;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What is done to a gradient that is too large. */
@FunctionalInterface
public interface GradientClipping {
  /**
   * Changes the gradient of all parameters, as one vector g, in place.
   *
   * @param norm ||g||, finite
   */
  void apply(ExecutionContext context, Tensor gradient, double norm);

  /** Leaves every gradient as it is. */
  static GradientClipping none() {
    return (context, gradient, norm) -> {};
  }

  /** Multiplies g by min(1, most / (||g|| + 1e-6)), as PyTorch's clip_grad_norm_. */
  static GradientClipping byNorm(double most) {
    requireAboveZero(most);
    return (context, gradient, norm) -> {
      double factor = most / (norm + 1e-6);
      if (factor < 1) {
        TensorMath.scale(context, factor, gradient);
      }
    };
  }

  /** Moves every entry of g into [-most, most]. */
  static GradientClipping byValue(double most) {
    requireAboveZero(most);
    return (context, gradient, norm) ->
        TrainingKernels.clamp(
            context.handle(), gradient.dtype(), gradient.count(), most, gradient.memory());
  }

  private static void requireAboveZero(double most) {
    Checks.that(most > 0 && Double.isFinite(most), "clipping: expected above 0, got %s", most);
  }
}
