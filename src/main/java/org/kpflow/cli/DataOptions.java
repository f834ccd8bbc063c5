package org.kpflow.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.task.FourierTask;
import org.kpflow.task.Task;
import org.kpflow.task.Tasks;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.train.LossSteps;
import org.kpflow.train.TrainingData;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** The options that say on what a network is trained. */
final class DataOptions {
  private static final long BATCH = 128;
  private static final long MOST = 1 << 24;

  @Option(
      names = "--task",
      paramLabel = "NAME",
      description =
          "A task that draws its trials: memory_pro, multi_task, flip_flop, student_teacher or gaussian.")
  private String task;

  @Option(
      names = "--task-option",
      paramLabel = "NAME=VALUE",
      description = "A setting of the task, such as memory=60; may be given several times.")
  private Map<String, String> taskOptions = new LinkedHashMap<>();

  @Option(
      names = "--inputs",
      paramLabel = "FILE",
      description =
          "In place of --task: a .npy file [B, T, n_in], or [B, n_in] for a feed-forward network.")
  private Path inputs;

  @Option(
      names = "--targets",
      paramLabel = "FILE",
      description = "With --inputs: a .npy file [B, T, n_out], or [B, n_out].")
  private Path targets;

  @Mixin private FourierOption fourier;

  @Option(
      names = "--batch",
      paramLabel = "N",
      description = "Trials per step (default: 128, or all of a smaller data set).")
  private Long batch;

  @Option(
      names = "--dataset",
      paramLabel = "N",
      description =
          "Draw N trials once and go through them in epochs (default: new trials at every step).")
  private Long dataSet;

  @Option(
      names = "--noise",
      defaultValue = "0",
      paramLabel = "X",
      description =
          "Standard deviation of Gaussian noise on the inputs of a step, not in evaluation (default: ${DEFAULT-VALUE}).")
  private double noise;

  @Option(
      names = "--loss-steps",
      paramLabel = "RANGES",
      description =
          "Steps of a trial that count, such as 60:90, of those that the task counts (default: all of these).")
  private String lossSteps;

  /** Refuses what does not go together. */
  void check() {
    if ((task == null) == (inputs == null)) {
      throw new InputException(
          "--task, --inputs: expected one of them, got " + (task == null ? "neither" : "both"));
    }
    if ((inputs == null) != (targets == null)) {
      throw new InputException("--inputs, --targets: expected both or neither, got one");
    }
    if (inputs != null && !taskOptions.isEmpty()) {
      throw new InputException("--task-option: goes with --task");
    }
    if (inputs != null && dataSet != null) {
      throw new InputException(
          "--dataset: goes with --task; the trials of --inputs are a data set already");
    }
    fourier.features(); // refuses a number out of range
    requirePositive("--dataset", dataSet);
    requirePositive("--batch", batch);
    if (!(noise >= 0) || Double.isInfinite(noise)) {
      throw new InputException(
          "--noise: expected a standard deviation of at least 0, got " + noise);
    }
  }

  private static void requirePositive(String option, Long value) {
    if (value != null && (value < 1 || value > MOST)) {
      throw new InputException(option + ": expected 1 to " + MOST + ", got " + value);
    }
  }

  /** How batches are made of a data set of so many trials, or of new ones for null. */
  private TrainingData.Draw draw(Long trials, RngState seed) {
    if (batch == null) {
      batch = trials == null ? BATCH : Math.min(BATCH, trials);
    } else if (trials != null && batch > trials) {
      throw new InputException(
          "--batch: expected at most the " + trials + " trials of the data set, got " + batch);
    }
    LossSteps counted =
        lossSteps == null
            ? LossSteps.all()
            : Named.option("--loss-steps", () -> LossSteps.parse(lossSteps));
    return new TrainingData.Draw(batch, noise, counted, seed);
  }

  /** B, trials per step; after the trials were made. */
  long batch() {
    return batch;
  }

  /** What the options are whose default depends on the trials, by name; after these were made. */
  Map<String, Object> resolved() {
    return Map.of("--batch", batch);
  }

  /** The trials; the caller closes them. */
  TrainingData data(ExecutionContext context, boolean steps, RngState seed, DType dtype) {
    if (task == null) {
      TrialSelection all = new TrialSelection(null);
      try (Trials given =
          new Trials(all.sequences(inputs, !steps), all.sequences(targets, !steps), null)) {
        if (given.inputs().count() == 0 || given.targets().count() == 0) {
          throw new InputException(
              String.format(
                  "--inputs, --targets: expected at least one trial with steps and channels, got"
                      + " shapes %s and %s",
                  given.inputs().shape(), given.targets().shape()));
        }
        try (Trials used = featured(given)) {
          return TrainingData.of(context, used, draw(given.count(), seed), dtype);
        }
      }
    }
    Task named = Tasks.named(task, taskOptions);
    Task source = fourier.given() ? new FourierTask(named, fourier.features()) : named;
    return dataSet == null
        ? TrainingData.fresh(context, source, draw(null, seed), dtype)
        : TrainingData.set(context, source, dataSet, draw(dataSet, seed), dtype);
  }

  /** A copy of given trials as the network reads them. */
  private Trials featured(Trials given) {
    Trials copy = given.slice(0, given.count());
    return fourier.given() ? FourierTask.of(copy, fourier.features()) : copy;
  }

  /** What training.json says of it. */
  Map<String, Object> facts(TrainingData data) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("name", task == null ? inputs + ", " + targets : task);
    facts.put("inputs", data.inputs());
    facts.put("outputs", data.outputs());
    facts.put("steps", data.evaluation().inputs().shape().size(1));
    facts.put("evaluation trials", data.evaluation().count());
    return facts;
  }
}
