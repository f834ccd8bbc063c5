package org.kpflow.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.TrainingPass;
import org.kpflow.model.Model;
import org.kpflow.model.Readout;
import org.kpflow.model.WeightFamily;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.ReadoutMath;
import org.kpflow.tensor.Tensor;

/**
 * A model with its read-out, as they are trained: the parameters, the loss on given trials and its
 * gradient by the model's adjoint, dL/dθ = J* ∂L/∂h. Owns both.
 */
public final class Network implements AutoCloseable {
  /** What stands before the model's parameter names in a checkpoint. */
  public static final String PREFIX = "rnn.";

  /** The read-out's layer in a checkpoint. */
  public static final String READOUT = "Wout";

  private final ExecutionContext context;
  private final Model model;
  private final Readout readout;
  private final TrainingPass pass;
  private final Tensor gradient; // [p + read-out], in the order of the parameters
  private final List<Parameter> parameters = new ArrayList<>();
  private final boolean trainsReadout;

  /**
   * A network; it takes over model and read-out, and closes them.
   *
   * @param trainsReadout whether W_out and b are trained with the model
   */
  public Network(ExecutionContext context, Model model, Readout readout, boolean trainsReadout) {
    this.context = Checks.notNull(context, "context");
    this.model = Checks.notNull(model, "model");
    this.readout = Checks.notNull(readout, "readout");
    this.trainsReadout = trainsReadout;
    this.pass = new TrainingPass(context, model);
    List<String> names = new ArrayList<>();
    List<Tensor> values = new ArrayList<>();
    for (WeightFamily family : model.families()) {
      if (family.trainable()) {
        names.add(PREFIX + family.name());
        values.add(model.weight(family.name()));
      }
    }
    if (trainsReadout) {
      names.add(READOUT + ".weight");
      values.add(readout.weight());
      if (readout.bias() != null) {
        names.add(READOUT + ".bias");
        values.add(readout.bias());
      }
    }
    this.gradient = Tensor.zeros(model.dtype(), values.stream().mapToLong(Tensor::count).sum());
    long offset = 0;
    for (int i = 0; i < names.size(); i++) {
      Tensor value = values.get(i);
      Tensor part = gradient.slice(offset, value.count()).reshape(value.shape());
      parameters.add(new Parameter(names.get(i), value, part));
      offset += value.count();
    }
  }

  /** Where it runs. */
  public ExecutionContext context() {
    return context;
  }

  public Model model() {
    return model;
  }

  public Readout readout() {
    return readout;
  }

  /** What is trained: the model's families in the order of theta, then the read-out's arrays. */
  public List<Parameter> parameters() {
    return parameters;
  }

  /**
   * The gradients of all parameters, one after another; what the last backward pass has written.
   */
  public Tensor gradient() {
    return gradient;
  }

  /** All weights, trained or not, by their names in a checkpoint; the network's own tensors. */
  public Map<String, Tensor> weights() {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (WeightFamily family : model.families()) {
      weights.put(PREFIX + family.name(), model.weight(family.name()));
    }
    weights.put(READOUT + ".weight", readout.weight());
    if (readout.bias() != null) {
      weights.put(READOUT + ".bias", readout.bias());
    }
    return weights;
  }

  /** The outputs y [B, T, n_out] on inputs x [B, T, n_in], as a new tensor. */
  public Tensor outputs(Tensor inputs) {
    return readout.apply(pass.run(inputs));
  }

  /** The mean squared error on trials of the model's type. */
  public double loss(Trials trials) {
    try (Readout.Loss loss = forward(trials)) {
      return loss.value();
    }
  }

  /** The mean squared error on trials of the model's type; overwrites all gradients. */
  public double lossAndGradient(Trials trials) {
    Tensor state = pass.run(trials.inputs());
    try (Readout.Loss loss = readout.meanSquaredError(state, trials.targets(), trials.mask())) {
      long p = model.parameterCount();
      if (p > 0) {
        pass.parameterVjp(loss.error(), gradient.slice(0, p).reshape(Shape.of(p)));
      }
      if (trainsReadout) {
        int first = parameters.size() - (readout.bias() == null ? 1 : 2);
        ReadoutMath.gradient(
            context,
            readout.block().begin(),
            state,
            loss.outputError(),
            parameters.get(first).gradient(),
            readout.bias() == null ? null : parameters.get(first + 1).gradient());
      }
      return loss.value();
    }
  }

  private Readout.Loss forward(Trials trials) {
    return readout.meanSquaredError(pass.run(trials.inputs()), trials.targets(), trials.mask());
  }

  @Override
  public void close() {
    pass.close();
    gradient.close();
    model.close();
    readout.close();
  }
}
