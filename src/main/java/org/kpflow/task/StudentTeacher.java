package org.kpflow.task;

import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.linearize.TrainingPass;
import org.kpflow.model.Activation;
import org.kpflow.model.Initialization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.model.Rnn;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Do as a random network does. The teacher is a vanilla RNN, h' = tanh(W* h + W_in* x), y = W_out*
 * h, from a zero state and without biases, its weights Xavier normal with gain 1. Inputs are
 * Gaussian of a given rank ({@link Gaussian}), targets the teacher's outputs at every step.
 */
public final class StudentTeacher implements Task {
  private static final RngState EVALUATION = RngState.of(0x74656163);

  private final GaussianInputs inputs;
  private final int units;
  private final int outputs;
  private final int steps;
  private final int conditions;
  private final RngState teacher;

  /** The usual sizes: 16 inputs of rank 16, 64 units, 1 output, 40 steps, judged on 128 trials. */
  public StudentTeacher() {
    this(16, 16, 64, 1, 40, 128, 0);
  }

  /**
   * A task of the given sizes.
   *
   * @param inputs n_in
   * @param rank of the inputs, 1 to n_in
   * @param units n of the teacher
   * @param outputs n_out
   * @param steps T
   * @param conditions trials on which a network is judged
   * @param seed of the teacher's weights and of the inputs' directions
   */
  public StudentTeacher(
      int inputs, int rank, int units, int outputs, int steps, int conditions, long seed) {
    RngState fixed = FixedStream.of(name(), seed);
    this.inputs = new GaussianInputs(inputs, rank, fixed.split(0));
    this.units = Sizes.size("units", units, 1);
    this.outputs = Sizes.size("outputs", outputs, 1);
    this.steps = Sizes.size("steps", steps, 1);
    this.conditions = Sizes.size("conditions", conditions, 1);
    this.teacher = fixed.split(1);
  }

  @Override
  public String name() {
    return "student_teacher";
  }

  @Override
  public long inputs() {
    return inputs.channels();
  }

  @Override
  public long outputs() {
    return outputs;
  }

  @Override
  public long steps() {
    return steps;
  }

  /**
   * The teacher's weights as new tensors: W* {@code weight_hh_l0} [n, n] and W_in* {@code
   * weight_ih_l0} [n, n_in]. With one of them replaced, a student's.
   */
  public Map<String, Tensor> recurrentWeights(ExecutionContext context) {
    RecurrentSizes sizes = new RecurrentSizes(1, inputs.channels(), units, 1, false);
    return xavier().recurrent(context, sizes, teacher.split(0));
  }

  /** W_out* [n_out, n], as a new tensor. */
  public Tensor outputWeights(ExecutionContext context) {
    return xavier().linear(context, outputs, units, false, teacher.split(1)).get("weight");
  }

  private static Initialization xavier() {
    return Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1);
  }

  @Override
  public Trials draw(ExecutionContext context, long trials, RngState rng) {
    Sizes.numbers(trials, steps, Math.max(units, outputs));
    Tensor x = inputs.draw(context, trials, steps, rng.split(0));
    try {
      return new Trials(x, answers(context, x), null);
    } catch (RuntimeException | Error failure) {
      x.close();
      throw failure;
    }
  }

  /** The teacher's outputs y [B, T, n_out] on inputs x [B, T, n_in]. */
  private Tensor answers(ExecutionContext context, Tensor x) {
    long trials = x.shape().size(0);
    Map<String, Tensor> weights = new LinkedHashMap<>(recurrentWeights(context));
    try (Tensor out = outputWeights(context);
        Rnn model = new Rnn(weights, Activation.TANH, ModelOptions.of(DType.F64));
        TrainingPass pass = new TrainingPass(context.host(), model)) {
      Tensor states = pass.run(x).reshape(Shape.of(trials * steps, units));
      Tensor y = Tensor.zeros(DType.F64, trials, steps, outputs);
      Tensor rows = y.reshape(Shape.of(trials * steps, outputs));
      TensorMath.gemm(context.host(), false, true, 1, states, out, 0, rows);
      return y;
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  @Override
  public Trials evaluation(ExecutionContext context) {
    return draw(context, conditions, EVALUATION);
  }
}
