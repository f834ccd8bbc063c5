package org.kpflow.train;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Gradient descent with heavy-ball momentum μ as in PyTorch: v ← μ v + g, with v = g at the first
 * step, and θ ← θ - η v. With μ = 0, plain gradient descent.
 */
public final class Sgd implements Optimizer {
  private final ExecutionContext context;
  private final List<Parameter> parameters;
  private final double momentum;
  private final Map<String, Tensor> velocities = new LinkedHashMap<>();

  /**
   * An optimizer of these parameters.
   *
   * @param momentum μ, at least 0 and below 1
   */
  public Sgd(ExecutionContext context, List<Parameter> parameters, double momentum) {
    Checks.that(
        momentum >= 0 && momentum < 1,
        "momentum: expected at least 0 and below 1, got %s",
        momentum);
    this.context = Checks.notNull(context, "context");
    this.parameters = List.copyOf(parameters);
    this.momentum = momentum;
    for (Parameter parameter : momentum == 0 ? List.<Parameter>of() : this.parameters) {
      velocities.put(
          parameter.name(), context.zeros(parameter.value().dtype(), parameter.value().shape()));
    }
  }

  @Override
  public void step(long step, double learningRate) {
    for (Parameter parameter : parameters) {
      Tensor direction = parameter.gradient();
      if (momentum != 0) {
        Tensor velocity = velocities.get(parameter.name());
        TensorMath.axpby(context, 1, direction, momentum, velocity); // v starts at zero
        direction = velocity;
      }
      TensorMath.axpby(context, -learningRate, direction, 1, parameter.value());
    }
  }

  @Override
  public Map<String, Tensor> state() {
    return velocities;
  }

  @Override
  public void close() {
    velocities.values().forEach(Tensor::close);
  }
}
