package org.kpflow.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.loading.ModelDescription;
import org.kpflow.report.JsonWriter;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.Network;
import org.kpflow.train.Optimizer;
import org.kpflow.train.TrainingData;
import org.kpflow.train.TrainingObserver;
import org.kpflow.train.TrainingPlan;
import org.kpflow.train.TrainingRecord;
import org.kpflow.train.TrainingRun;
import org.kpflow.train.TrainingSetup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** kpflow train: a task and a network in, its checkpoints out. */
@Command(
    name = "train",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description = {
      "Trains a network: checkpoints, losses.csv, model.json and the evaluation's trials.",
      "The same command goes on where it was ended; analyze --weights DIR reads what it writes."
    })
final class TrainCommand implements Callable<Integer> {
  private static final long WEIGHTS = 3; // streams 0 to 2 are TrainingData's

  @Spec private CommandSpec spec;

  @Mixin private DataOptions data;

  @Mixin private NetworkOptions network;

  @Mixin private TrainedNetworkOptions trained;

  @Mixin private OptimizerOptions optimizer;

  @Option(
      names = "--steps",
      required = true,
      paramLabel = "N",
      description = "Steps in all. More than a training has done go on from there.")
  private long steps;

  @Option(
      names = "--every",
      defaultValue = "100",
      paramLabel = "N",
      description =
          "Steps between checkpoints; the first and the last step always have one (default: ${DEFAULT-VALUE}).")
  private long every;

  @Option(
      names = "--evaluate-every",
      paramLabel = "N",
      description = "Steps between evaluations (default: as --every).")
  private Long evaluateEvery;

  @Option(
      names = "--stop-below",
      defaultValue = "0",
      paramLabel = "LOSS",
      description = "End where an evaluation's loss is below LOSS (default: never).")
  private double stopBelow;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Of all random numbers (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Mixin private DeviceOptions device;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "The folder of this training.")
  private Path out;

  @Option(names = "--json", description = "Print training.json on stdout at the end.")
  private boolean json;

  private volatile boolean stopping;

  @Override
  public Integer call() throws Exception {
    data.check();
    optimizer.check();
    trained.check(spec.commandLine().getParseResult());
    ModelDescription description = network.description();
    DType dtype = device.dtype(DType.F32);
    TrainingPlan plan = plan();
    RngState random = RngState.of(seed);
    try (ExecutionContext context = device.context(() -> operations(description, random, dtype));
        TrainingData trials = data.data(context, description.type().isRecurrent(), random, dtype);
        Network trainee =
            trained.network(context, description, trials, random.split(WEIGHTS), dtype);
        Optimizer rule = optimizer.optimizer(context, trainee)) {
      TrainingSetup setup =
          new TrainingSetup(
              context,
              trainee,
              rule,
              trials.batches(),
              optimizer.rules(),
              trials.evaluation(),
              TrainedNetworkOptions.stored(description).values(),
              GivenOptions.of(spec, resolved(dtype, plan)),
              facts(trials, trainee, context));
      TrainingRecord record = train(new TrainingRun(out, setup, plan));
      report(record);
      return record.status().equals("stopped") ? Exit.NUMERICAL : Exit.OK;
    }
  }

  /** Operations of one product with the NTK on a batch. */
  private double operations(ModelDescription description, RngState random, DType dtype) {
    ExecutionContext host = ExecutionContext.shared();
    try (TrainingData trials = data.data(host, description.type().isRecurrent(), random, dtype);
        Network trainee =
            trained.network(host, description, trials, random.split(WEIGHTS), dtype)) {
      long steps = trials.evaluation().inputs().shape().size(1);
      long weights = trainee.weights().values().stream().mapToLong(Tensor::count).sum();
      return DeviceOptions.operations((double) data.batch() * steps, weights);
    }
  }

  private TrainingPlan plan() {
    long evaluated = evaluateEvery == null ? every : evaluateEvery;
    try {
      return new TrainingPlan(steps, every, evaluated, stopBelow);
    } catch (IllegalArgumentException wrong) {
      throw new InputException("--" + wrong.getMessage(), wrong);
    }
  }

  /** The values of options whose default is found here. */
  private Map<String, Object> resolved(DType dtype, TrainingPlan plan) {
    Map<String, Object> values = new LinkedHashMap<>(optimizer.resolved());
    values.putAll(data.resolved());
    values.put("--dtype", dtype);
    values.put("--evaluate-every", plan.evaluateEvery());
    return values;
  }

  private TrainingRecord train(TrainingRun run) throws Exception {
    try (ConsoleProgress progress = new ConsoleProgress()) {
      return StopOnInterrupt.during(
          () -> stopping = true,
          "stopping after this step; its state will be saved",
          () -> run.run(new Watcher(progress)));
    }
  }

  private Map<String, Object> facts(
      TrainingData trials, Network trainee, ExecutionContext context) {
    Map<String, Object> facts = new LinkedHashMap<>();
    facts.put("version", "kpflow " + Main.VERSION);
    facts.put("task", data.facts(trials));
    facts.putAll(TrainedNetworkOptions.facts(trainee));
    facts.put("seed", seed);
    facts.put("device", device.fact(context));
    facts.put("threads", context.threads());
    return facts;
  }

  private void report(TrainingRecord record) throws Exception {
    if (json) {
      JsonWriter.write(System.out, record);
      return;
    }
    System.out.printf(
        Locale.ROOT,
        "%s after %d steps: evaluation loss %.4g at step %d, %s%n",
        record.status().equals("below") ? "below " + stopBelow : record.status(),
        record.step(),
        record.evaluation(),
        record.evaluationStep(),
        out.resolve(record.checkpoint()));
    if (record.status().equals("stopped")) {
      System.out.println("the same command goes on after step " + record.step());
    }
  }

  /** Shows the loss, and passes on a stop. */
  private final class Watcher implements TrainingObserver {
    private final ConsoleProgress progress;

    Watcher(ConsoleProgress progress) {
      this.progress = progress;
    }

    @Override
    public void begins(long step, boolean done) {
      if (done) {
        System.err.println("kpflow: " + out + " is done, step " + step + "; nothing to do");
        return;
      }
      if (step > 0) {
        System.err.println("kpflow: " + out + " goes on after step " + step);
      }
      progress.stage("training", steps, step);
    }

    @Override
    public void step(long step, double loss, double evaluation) {
      progress.done(step);
      progress.note(String.format(Locale.ROOT, " loss %.3g, evaluation %.3g", loss, evaluation));
    }

    @Override
    public boolean stops() {
      return stopping;
    }
  }
}
