package org.kpflow.train;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.io.Finite;
import org.kpflow.task.Task;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The trials of a training: batches that are functions of seed and step, by the counter-based
 * generator, and those on which the network is judged. Trials, their order and their noise come
 * from streams of their own. Drawing is done in f64 on the CPU, so that f32 and f64, and every
 * device, see the same trials; batches and evaluation are then brought to the context's device.
 */
public final class TrainingData implements AutoCloseable {
  /** The streams that are split off the seed, in the order of their labels. */
  private enum Stream {
    TRIALS,
    ORDER,
    NOISE;

    RngState of(RngState seed) {
      return seed.split(ordinal());
    }
  }

  /**
   * How batches are made.
   *
   * @param batch B, trials per step
   * @param noise standard deviation σ of the Gaussian numbers that are added to the inputs of every
   *     step; never in evaluation
   * @param lossSteps that count, in evaluation too
   * @param seed of all that is random
   */
  public record Draw(long batch, double noise, LossSteps lossSteps, RngState seed) {
    /** Checks the ranges. */
    public Draw {
      Checks.range("batch", batch, 1, 1 << 24);
      Checks.that(
          noise >= 0 && Double.isFinite(noise),
          "noise: expected a standard deviation of at least 0, got %s",
          noise);
      Checks.notNull(lossSteps, "lossSteps");
      Checks.notNull(seed, "seed");
    }
  }

  private final Trials set; // null where every step draws its own
  private final Trials evaluation;
  private final Batches batches;

  /** Takes over the set, if there is one, and the trials of the evaluation. */
  private TrainingData(
      ExecutionContext context,
      Batches drawn,
      Trials set,
      Trials evaluation,
      Draw draw,
      DType dtype) {
    this.set = set;
    try (evaluation;
        Trials counted = draw.lossSteps().of(evaluation)) {
      this.evaluation = finite("the evaluation's trials", counted, context.device(), dtype);
    } catch (RuntimeException failure) {
      if (set != null) {
        set.close();
      }
      throw failure;
    }
    this.batches = prepared(context, drawn, draw, dtype);
  }

  /** New trials of a task at every step. */
  public static TrainingData fresh(ExecutionContext context, Task task, Draw draw, DType dtype) {
    RngState stream = Stream.TRIALS.of(draw.seed());
    Batches drawn = step -> task.draw(context, draw.batch(), stream.split(step));
    return new TrainingData(context, drawn, null, task.evaluation(context), draw, dtype);
  }

  /**
   * A set of trials of a task that is drawn once and visited in epochs.
   *
   * @param count N, at least the batch
   */
  public static TrainingData set(
      ExecutionContext context, Task task, long count, Draw draw, DType dtype) {
    Checks.range("batch", draw.batch(), 1, count);
    Trials set = task.draw(context, count, Stream.TRIALS.of(draw.seed()));
    return new TrainingData(
        context, epochs(context, set, draw), set, task.evaluation(context), draw, dtype);
  }

  /** The given trials, visited in epochs and all of them judged; the caller keeps its own. */
  public static TrainingData of(ExecutionContext context, Trials given, Draw draw, DType dtype) {
    Checks.range("batch", draw.batch(), 1, given.count());
    Trials set = given.slice(0, given.count());
    return new TrainingData(
        context, epochs(context, set, draw), set, given.slice(0, given.count()), draw, dtype);
  }

  /** The trials of every step, as the network takes them. */
  public Batches batches() {
    return batches;
  }

  /** The trials on which the network is judged, in its type; this object's. */
  public Trials evaluation() {
    return evaluation;
  }

  /** n_in. */
  public long inputs() {
    return evaluation.inputs().shape().size(2);
  }

  /** n_out. */
  public long outputs() {
    return evaluation.targets().shape().size(2);
  }

  /**
   * Epochs follow one another without gaps: a batch may hold the last trials of one and the first
   * of the next.
   */
  private static Batches epochs(ExecutionContext context, Trials set, Draw draw) {
    EpochOrder order = new EpochOrder(context, set.count(), Stream.ORDER.of(draw.seed()));
    return step -> {
      long size = draw.batch();
      Trials batch =
          new Trials(
              rows(set.inputs(), size),
              rows(set.targets(), size),
              set.mask() == null ? null : rows(set.mask(), size));
      for (long row = 0; row < size; row++) {
        long trial = order.at((step - 1) * size + row);
        batch.inputs().slice(row).copyFrom(set.inputs().slice(trial));
        batch.targets().slice(row).copyFrom(set.targets().slice(trial));
        if (set.mask() != null) {
          batch.mask().slice(row).copyFrom(set.mask().slice(trial));
        }
      }
      return batch;
    };
  }

  private static Tensor rows(Tensor of, long count) {
    return Tensor.zeros(of.dtype(), of.shape().tail().block(count));
  }

  /** Adds the noise, x + σ g, and picks the steps that count. */
  private static Batches prepared(ExecutionContext context, Batches drawn, Draw draw, DType dtype) {
    RngState stream = Stream.NOISE.of(draw.seed());
    return step -> {
      try (Trials trials = drawn.at(step)) {
        if (draw.noise() > 0) {
          addNoise(context, draw.noise(), stream.split(step), trials.inputs());
        }
        try (Trials counted = draw.lossSteps().of(trials)) {
          return finite("the trials of step " + step, counted, context.device(), dtype);
        }
      }
    };
  }

  /** A copy in the network's type, which numbers may be too large for, on its device. */
  private static Trials finite(String what, Trials trials, Device device, DType dtype) {
    Trials converted = trials.to(dtype);
    try {
      if (dtype == DType.F32) {
        Finite.require(what + " in f32, which ends at 3.4e38: inputs", converted.inputs());
        Finite.require(what + " in f32, which ends at 3.4e38: targets", converted.targets());
      }
    } catch (RuntimeException fault) {
      converted.close();
      throw fault;
    }
    if (device == Device.CPU) {
      return converted;
    }
    try (converted) {
      return converted.to(device);
    }
  }

  private static void addNoise(
      ExecutionContext context, double deviation, RngState rng, Tensor inputs) {
    Shape shape = inputs.shape();
    try (Tensor noise = Tensor.zeros(DType.F64, shape);
        Tensor sum = inputs.to(DType.F64)) {
      rng.fill(context.host(), RngState.Distribution.GAUSSIAN, noise);
      TensorMath.axpby(context.host(), deviation, noise, 1, sum);
      inputs.copyFrom(sum);
    }
  }

  @Override
  public void close() {
    evaluation.close();
    if (set != null) {
      set.close();
    }
  }
}
