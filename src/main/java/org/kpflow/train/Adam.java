package org.kpflow.train;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.nativelib.TrainingKernels;
import org.kpflow.nativelib.TrainingKernels.AdamConstants;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * Adam (Kingma and Ba 2015) as in PyTorch: m ← β₁ m + (1 - β₁) g, v ← β₂ v + (1 - β₂) g², θ ← θ - η
 * m̂ / (√v̂ + ε) with m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) at step t.
 */
public final class Adam implements Optimizer {
  private final ExecutionContext context;
  private final List<Parameter> parameters;
  private final AdamConstants constants;
  private final Map<String, Tensor> state = new LinkedHashMap<>();

  /** An optimizer of these parameters with β₁ = 0.9, β₂ = 0.999 and ε = 1e-8. */
  public Adam(ExecutionContext context, List<Parameter> parameters) {
    this(context, parameters, 0.9, 0.999, 1e-8);
  }

  /**
   * An optimizer of these parameters.
   *
   * @param beta1 β₁, at least 0 and below 1
   * @param beta2 β₂, at least 0 and below 1
   * @param epsilon ε, above 0 in the type of the parameters
   */
  public Adam(
      ExecutionContext context,
      List<Parameter> parameters,
      double beta1,
      double beta2,
      double epsilon) {
    Checks.that(beta1 >= 0 && beta1 < 1, "beta1: expected at least 0 and below 1, got %s", beta1);
    Checks.that(beta2 >= 0 && beta2 < 1, "beta2: expected at least 0 and below 1, got %s", beta2);
    Checks.that(
        epsilon > 0 && Double.isFinite(epsilon), "epsilon: expected above 0, got %s", epsilon);
    this.context = Checks.notNull(context, "context");
    this.parameters = List.copyOf(parameters);
    boolean narrow = this.parameters.stream().anyMatch(p -> p.value().dtype() == DType.F32);
    Checks.that(
        !narrow || (float) epsilon > 0 && Float.isFinite((float) epsilon),
        "epsilon: expected a number above 0 in f32, got %s",
        epsilon);
    this.constants = new AdamConstants(beta1, beta2, epsilon);
    for (Parameter parameter : this.parameters) {
      for (String moment : List.of("m.", "v.")) {
        state.put(
            moment + parameter.name(),
            context.zeros(parameter.value().dtype(), parameter.value().shape()));
      }
    }
  }

  @Override
  public void step(long step, double learningRate) {
    for (Parameter parameter : parameters) {
      Tensor value = parameter.value();
      TrainingKernels.adamStep(
          context.handle(),
          value.dtype(),
          value.count(),
          step,
          learningRate,
          constants,
          parameter.gradient().memory(),
          state.get("m." + parameter.name()).memory(),
          state.get("v." + parameter.name()).memory(),
          value.memory());
    }
  }

  @Override
  public Map<String, Tensor> state() {
    return state;
  }

  @Override
  public void close() {
    state.values().forEach(Tensor::close);
  }
}
