package org.kpflow.train;

import com.fasterxml.jackson.core.JacksonException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Stream;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.base.NumericalException;
import org.kpflow.io.Npy;
import org.kpflow.io.Safetensors;
import org.kpflow.report.JsonWriter;
import org.kpflow.task.Trials;

/**
 * A training in a directory (docs/training.md has its files). It may be killed at any moment: the
 * same training in the same directory goes on from the last state saved, and ends with the same
 * bits as one that was not. What is written at a step is written in this order: the row of
 * losses.csv, the checkpoint, the state. A process that starts again from the state writes what
 * comes after it once more, with the same bytes.
 */
public final class TrainingRun {
  private static final String RECORD = "training.json";
  private static final Set<String> WRITTEN =
      Set.of(
          "model.json",
          "inputs.npy",
          "targets.npy",
          "mask.npy",
          LossLog.NAME,
          "losses.png",
          "losses.svg",
          RECORD);
  private static final String FINISHED = "finished";
  private static final String BELOW = "below";
  private static final long SAVE_SECONDS = 60;

  private final Path directory;
  private final TrainingSetup setup;
  private final TrainingPlan plan;
  private final long started = System.nanoTime();
  private long step;
  private long firstStep;
  private double loss = Double.NaN;
  private double evaluation = Double.NaN;
  private long evaluationStep;
  private long checkpoint;
  private long saved;

  /** A training in a directory, which is made where there is none. */
  public TrainingRun(Path directory, TrainingSetup setup, TrainingPlan plan) {
    this.directory = Checks.notNull(directory, "directory");
    this.setup = Checks.notNull(setup, "setup");
    this.plan = Checks.notNull(plan, "plan");
  }

  /** The checkpoint of a step in a training's directory. */
  public static Path checkpoint(Path directory, long step) {
    return directory.resolve(String.format(Locale.ROOT, "step_%05d.safetensors", step));
  }

  /**
   * Trains, from the start or from where the directory's training stands; returns what
   * training.json says. A training that is done is left as it is.
   *
   * @throws InputException if the directory cannot be written, is in use, or holds a training with
   *     other options or files that are none of a training's
   * @throws NumericalException if a loss is not finite; the checkpoints before stay
   */
  public TrainingRecord run(TrainingObserver observer) {
    try {
      requireOwn();
      Files.createDirectories(directory.resolve(TrainingState.FOLDER));
      Path lock = directory.resolve(TrainingState.FOLDER).resolve("lock");
      try (FileChannel held =
          FileChannel.open(lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        if (held.tryLock() == null) {
          throw busy();
        }
        return locked(observer);
      }
    } catch (OverlappingFileLockException other) {
      throw busy();
    } catch (IOException | UncheckedIOException failure) {
      throw new InputException(directory + ": cannot be written, " + failure.getMessage(), failure);
    }
  }

  private InputException busy() {
    return new InputException(
        directory + ": another process trains there; wait for it, or train into another folder");
  }

  private TrainingRecord locked(TrainingObserver observer) throws IOException {
    removeTemporaries(directory);
    removeTemporaries(directory.resolve(TrainingState.FOLDER));
    TrainingState stored = TrainingState.read(directory);
    return stored == null || stored.step() == 0 ? begin(observer) : goOn(stored, observer);
  }

  /** Trains from the start; what an attempt that took no step has left is replaced. */
  private TrainingRecord begin(TrainingObserver observer) throws IOException {
    new TrainingState(0, setup.options()).write(directory, setup.network(), setup.optimizer());
    for (Path file : files(directory, name -> name.matches("step_\\d+\\.safetensors|mask\\.npy"))) {
      Files.delete(file);
    }
    try (LossLog log = LossLog.create(directory)) {
      observer.begins(0, false);
      writeFacts();
      evaluation = evaluate(0);
      log.append(new LossLog.Row(0, Double.NaN, Double.NaN, Double.NaN, evaluation));
      writeCheckpoint();
      save(log);
      return train(log, observer, false);
    }
  }

  private TrainingRecord goOn(TrainingState stored, TrainingObserver observer) throws IOException {
    requireSame(stored.options());
    step = stored.step();
    try (LossLog log = LossLog.resume(directory, step)) {
      boolean below = resume();
      boolean done = below || step == plan.steps();
      observer.begins(step, done);
      if (done && isRecorded()) {
        return record(below ? BELOW : FINISHED);
      }
      writeFacts();
      return train(log, observer, below);
    }
  }

  /** Takes up the state; whether the last step's evaluation was low enough to stop. */
  private boolean resume() throws IOException {
    if (step > plan.steps()) {
      throw new InputException(
          String.format(
              "--steps: expected at least %d, which %s has done, got %d",
              step, directory, plan.steps()));
    }
    TrainingState.restore(directory, setup.network(), setup.optimizer());
    firstStep = step;
    boolean below = false;
    for (LossLog.Row row : LossLog.read(directory)) {
      loss = row.loss();
      if (!Double.isNaN(row.evaluation())) {
        evaluation = row.evaluation();
        evaluationStep = row.step();
      }
      if (Files.exists(checkpoint(directory, row.step()))) {
        checkpoint = row.step();
      }
      below = row.evaluation() < plan.stopBelow();
    }
    return below;
  }

  private TrainingRecord train(LossLog log, TrainingObserver observer, boolean isBelow)
      throws IOException {
    Trainer trainer =
        new Trainer(setup.network(), setup.optimizer(), setup.batches(), setup.rules(), step);
    boolean below = isBelow;
    boolean stopped = false;
    try {
      while (!below && !stopped && step < plan.steps()) {
        below = advance(trainer, log);
        observer.step(step, loss, evaluation);
        stopped = observer.stops();
      }
    } catch (NumericalException overflow) {
      finish("not finite");
      throw new NumericalException(
          overflow.getMessage() + "; the checkpoints before it are in " + directory, overflow);
    }
    boolean ends = below || step == plan.steps();
    if (stopped && !ends) {
      save(log);
    }
    return finish(below ? BELOW : ends ? FINISHED : "stopped");
  }

  /** Takes a step and writes what is due after it; whether the loss is low enough. */
  private boolean advance(Trainer trainer, LossLog log) throws IOException {
    double found = trainer.advance();
    long next = trainer.step();
    boolean evaluated = plan.isEvaluated(next);
    double judged = evaluated ? evaluate(next) : Double.NaN;
    log.append(
        new LossLog.Row(
            next, found, setup.rules().rate().at(next), trainer.gradientNorm(), judged));
    step = next;
    loss = found;
    if (evaluated) {
      evaluation = judged;
      evaluationStep = next;
    }
    boolean below = evaluated && evaluation < plan.stopBelow();
    if (plan.isCheckpoint(step) || below) {
      writeCheckpoint();
      save(log);
    } else if (System.nanoTime() - saved > SAVE_SECONDS * 1_000_000_000L) {
      save(log);
    }
    return below;
  }

  /** The loss on the evaluation's trials after a step. */
  private double evaluate(long after) {
    double found;
    try {
      found = setup.network().loss(setup.evaluation());
    } catch (NumericalException overflow) {
      throw Trainer.trouble("the evaluation after step " + after, overflow.getMessage());
    }
    if (!Double.isFinite(found)) {
      throw Trainer.trouble(
          "the evaluation after step " + after, "the loss", setup.network().model().dtype());
    }
    return found;
  }

  private void writeCheckpoint() {
    Map<String, String> metadata = new LinkedHashMap<>(); // in an order that is always the same
    metadata.put("format", "pt");
    metadata.put("step", Long.toString(step));
    Safetensors.write(checkpoint(directory, step), setup.network().weights(), metadata);
    checkpoint = step;
  }

  private void save(LossLog log) throws IOException {
    log.sync();
    new TrainingState(step, setup.options()).write(directory, setup.network(), setup.optimizer());
    JsonWriter.write(directory.resolve(RECORD), record("running"));
    saved = System.nanoTime();
  }

  /** What does not change with the steps. */
  private void writeFacts() throws IOException {
    JsonWriter.write(directory.resolve("model.json"), setup.model());
    Trials trials = setup.evaluation();
    Npy.write(directory.resolve("inputs.npy"), trials.inputs());
    Npy.write(directory.resolve("targets.npy"), trials.targets());
    if (trials.mask() != null) {
      Npy.write(directory.resolve("mask.npy"), trials.mask());
    }
    JsonWriter.write(directory.resolve(RECORD), record("running"));
  }

  /** Whether training.json says that nothing is left to be written. */
  private boolean isRecorded() throws IOException {
    Path file = directory.resolve(RECORD);
    if (!Files.exists(file)) {
      return false;
    }
    JsonNode record;
    try {
      record = new ObjectMapper().readTree(file.toFile());
    } catch (JacksonException damaged) {
      return false;
    }
    return List.of(FINISHED, BELOW).contains(record.path("status").asText())
        && record.path("step").asLong() == step;
  }

  /** A training goes on under the options it began with, so that its bits are those of one run. */
  private void requireSame(Map<String, String> before) {
    setup
        .options()
        .forEach(
            (name, given) -> {
              String found = before.get(name);
              if (!given.equals(found)) {
                throw new InputException(
                    String.format(
                        "%s: %s was trained with %s, got %s; give what it was trained with to go on,"
                            + " or another --out to start anew",
                        name, directory, found == null ? "none" : found, given));
              }
            });
  }

  /** Refuses a folder with files that a training would write, but no training's state. */
  private void requireOwn() throws IOException {
    if (!Files.isDirectory(directory) || TrainingState.exists(directory)) {
      return;
    }
    List<Path> found =
        files(directory, name -> WRITTEN.contains(name) || name.endsWith(".safetensors"));
    if (!found.isEmpty()) {
      throw new InputException(
          found.get(0)
              + ": a training would write there, and the folder has no training to go on from;"
              + " expected an empty or a new folder");
    }
  }

  /** The files of a folder whose names are accepted, in order. */
  private static List<Path> files(Path folder, Predicate<String> accepted) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files.filter(file -> accepted.test(file.getFileName().toString())).sorted().toList();
    }
  }

  /** Removes what a process that was killed has not finished writing. */
  private static void removeTemporaries(Path folder) throws IOException {
    for (Path file : files(folder, name -> name.matches("\\..+\\.[0-9a-f]+\\.tmp"))) {
      Files.delete(file);
    }
  }

  private TrainingRecord finish(String status) throws IOException {
    List<LossLog.Row> rows = LossLog.read(directory);
    if (rows.size() > 1) {
      LossFigure.write(directory, rows);
    }
    TrainingRecord record = record(status);
    JsonWriter.write(directory.resolve(RECORD), record);
    return record;
  }

  private TrainingRecord record(String status) {
    Map<String, Long> parameters = new LinkedHashMap<>();
    for (Parameter parameter : setup.network().parameters()) {
      parameters.put(parameter.name(), parameter.value().count());
    }
    return new TrainingRecord(
        status,
        setup.facts(),
        setup.options(),
        plan,
        parameters,
        step,
        loss,
        evaluation,
        evaluationStep,
        checkpoint(directory, checkpoint).getFileName().toString(),
        step - firstStep,
        (System.nanoTime() - started) / 1e9);
  }
}
