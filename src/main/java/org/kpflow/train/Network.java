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
import org.kpflow.model.RecurrentModel;
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
  private static final String RECURRENT = "rnn.";

  /** The read-out's layer in a checkpoint. */
  public static final String READOUT = "Wout";

  private final ExecutionContext context;
  private final Model model;
  private final Readout readout;
  private final String prefix;
  private final TrainingPass pass;
  private final Tensor gradient; // [p + read-out], in the order of the parameters
  private final List<Parameter> parameters = new ArrayList<>();
  private final boolean trainsReadout;
  private final long begin; // of what is read, in the state after all steps of an input
  private Tensor error; // ∂L/∂h, and below ∂L/∂y: kept from step to step
  private Tensor outputError;

  /**
   * A network; it takes over model and read-out, and closes them. The model's weights are moved to
   * the context's device, where the read-out has to be made and trials lie.
   *
   * @param trainsReadout whether W_out and b are trained with the model
   * @throws IllegalArgumentException if the read-out is of another type, lies on another device or
   *     does not fit the state
   */
  public Network(ExecutionContext context, Model model, Readout readout, boolean trainsReadout) {
    this.context = Checks.notNull(context, "context");
    this.model = Checks.notNull(model, "model");
    this.readout = Checks.notNull(readout, "readout");
    Checks.dtype("readout", model.dtype(), readout.weight().dtype());
    Checks.device("readout", context.device(), readout.weight().device());
    Checks.that(
        readout.block().begin() + readout.block().units() <= model.stateUnits(),
        "readout: expected a part of a state of %d units, got %s",
        model.stateUnits(),
        readout.block());
    model.moveTo(context.device());
    this.trainsReadout = trainsReadout;
    this.prefix = prefix(model instanceof RecurrentModel);
    this.begin = readout.block().begin() + (model.stepsPerInput() - 1) * model.stateUnits();
    this.pass = new TrainingPass(context, model);
    List<String> names = new ArrayList<>();
    List<Tensor> values = new ArrayList<>();
    for (WeightFamily family : model.families()) {
      if (family.trainable()) {
        names.add(prefix + family.name());
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
    this.gradient = context.zeros(model.dtype(), values.stream().mapToLong(Tensor::count).sum());
    long offset = 0;
    for (int i = 0; i < names.size(); i++) {
      Tensor value = values.get(i);
      Tensor part = gradient.slice(offset, value.count()).reshape(value.shape());
      parameters.add(new Parameter(names.get(i), value, part));
      offset += value.count();
    }
  }

  /** What stands before the model's parameter names in a checkpoint. */
  public static String prefix(boolean recurrent) {
    return recurrent ? RECURRENT : "";
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
      weights.put(prefix + family.name(), model.weight(family.name()));
    }
    weights.put(READOUT + ".weight", readout.weight());
    if (readout.bias() != null) {
      weights.put(READOUT + ".bias", readout.bias());
    }
    return weights;
  }

  /** The outputs y [B, T, n_out] on inputs x [B, T, n_in], as a new tensor. */
  public Tensor outputs(Tensor inputs) {
    Tensor state = perInput(pass.run(inputs));
    Shape shape = state.shape();
    Tensor outputs = context.zeros(model.dtype(), shape.size(0), shape.size(1), readout.outputs());
    try {
      ReadoutMath.apply(context, readout.weight(), readout.bias(), begin, state, outputs);
      return outputs;
    } catch (RuntimeException failure) {
      outputs.close();
      throw failure;
    }
  }

  /**
   * The mean squared error on trials of the model's type, on the context's device.
   *
   * @throws IllegalArgumentException if the trials do not go with the model and its read-out
   */
  public double loss(Trials trials) {
    return readOut(perInput(pass.run(trials.inputs())), trials);
  }

  /**
   * The mean squared error on trials of the model's type, on the context's device; overwrites all
   * gradients.
   *
   * @throws IllegalArgumentException if the trials do not go with the model and its read-out
   */
  public double lossAndGradient(Trials trials) {
    Tensor state = pass.run(trials.inputs());
    Tensor read = perInput(state);
    double loss = readOut(read, trials);
    long p = model.parameterCount();
    if (p > 0) {
      error = fitting(error, state.shape());
      ReadoutMath.adjoint(context, readout.weight(), begin, outputError, perInput(error));
      pass.parameterVjp(error, gradient.slice(0, p).reshape(Shape.of(p)));
    }
    if (trainsReadout) {
      int first = parameters.size() - (readout.bias() == null ? 1 : 2);
      ReadoutMath.gradient(
          context,
          begin,
          read,
          outputError,
          parameters.get(first).gradient(),
          readout.bias() == null ? null : parameters.get(first + 1).gradient());
    }
    return loss;
  }

  /** The loss; leaves its derivative by the outputs in outputError [B, T, n_out]. */
  private double readOut(Tensor state, Trials trials) {
    Shape shape = state.shape();
    outputError = fitting(outputError, Shape.of(shape.size(0), shape.size(1), readout.outputs()));
    ReadoutMath.apply(context, readout.weight(), readout.bias(), begin, state, outputError);
    return ReadoutMath.meanSquaredError(context, outputError, trials.targets(), trials.mask());
  }

  /**
   * A state [B, s T, n] as [B, T, s n], where the model takes s steps per input: what is read is
   * the last of them.
   */
  private Tensor perInput(Tensor state) {
    Shape shape = state.shape();
    long stages = model.stepsPerInput();
    return state.reshape(Shape.of(shape.size(0), shape.size(1) / stages, stages * shape.size(2)));
  }

  /** The same tensor if it has this shape, else a new one in its place. */
  private Tensor fitting(Tensor workspace, Shape shape) {
    if (workspace != null && workspace.shape().equals(shape)) {
      return workspace;
    }
    if (workspace != null) {
      workspace.close();
    }
    return context.zeros(model.dtype(), shape);
  }

  @Override
  public void close() {
    pass.close();
    for (Tensor workspace : new Tensor[] {error, outputError}) {
      if (workspace != null) {
        workspace.close();
      }
    }
    gradient.close();
    model.close();
    readout.close();
  }
}
