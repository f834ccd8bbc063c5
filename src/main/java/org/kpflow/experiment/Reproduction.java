package org.kpflow.experiment;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.kpflow.base.CancelledException;
import org.kpflow.base.Checks;
import org.kpflow.base.InputException;
import org.kpflow.base.Progress;
import org.kpflow.report.JsonWriter;
import org.kpflow.tensor.ExecutionContext;

/**
 * Runs an experiment in OUT/name and writes data.npz and claims.json, which the same settings and
 * seed make the same to the byte, and run.json with what differs from run to run: times, points
 * computed, threads.
 */
public final class Reproduction {
  private record NamedPicture(String name, String caption) {}

  private static final String LOCK = "lock";

  private final RunOptions options;
  private final Path out;
  private final ExecutionContext context;

  /** Experiments with these options, each in a folder of its own inside of {@code out}. */
  public Reproduction(RunOptions options, Path out, ExecutionContext context) {
    this.options = Checks.notNull(options, "options");
    this.out = Checks.notNull(out, "out");
    this.context = Checks.notNull(context, "context");
  }

  /**
   * Runs one. What goes wrong inside is part of the result, with all claims that were not judged
   * failed; a result that {@link ExperimentResult#refused} is not written, so that what an earlier
   * run has left stays.
   *
   * @throws CancelledException if the thread was interrupted; finished points stay
   * @throws InputException if another process computes in the folder, or the results cannot be
   *     written
   */
  public ExperimentResult run(Experiment experiment, Progress progress) {
    return locked(experiment, () -> runLocked(experiment, progress));
  }

  private ExperimentResult runLocked(Experiment experiment, Progress progress) {
    long start = System.nanoTime();
    Path folder = folder(experiment);
    ExperimentRun run = new ExperimentRun(experiment, options, folder, context, progress);
    RuntimeException failure = null;
    try {
      experiment.run(run);
    } catch (CancelledException cancelled) {
      throw cancelled;
    } catch (RuntimeException failed) {
      if (Thread.currentThread().isInterrupted()) { // files refuse such a thread
        throw new CancelledException("cancelled: the thread was interrupted");
      }
      failure = failed;
    }
    ExperimentResult result =
        new ExperimentResult(
            experiment,
            options.command(experiment),
            run.settings(),
            run.claims(
                failure == null
                    ? "not evaluated"
                    : "not evaluated: the run ended early, " + failure.getMessage()),
            run.pictures(),
            failure,
            run.pointCount(),
            run.computedCount(),
            (System.nanoTime() - start) * 1e-9 + run.earlierSeconds());
    if (!result.refused()) {
      boolean interrupted = Thread.interrupted(); // too late to stop: all points are there
      try {
        write(result, run, folder);
      } catch (IOException unwritable) {
        throw new InputException(
            folder + ": cannot be written, " + unwritable.getMessage(), unwritable);
      } finally {
        if (interrupted) {
          Thread.currentThread().interrupt();
        }
      }
    }
    return result;
  }

  /** Does something in an experiment's folder while no other process is there. */
  private <T> T locked(Experiment experiment, Supplier<T> body) {
    Path folder = folder(experiment);
    ExperimentRun.create(folder);
    try (FileChannel held =
        FileChannel.open(
            folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      if (held.tryLock() == null) {
        throw busy(folder);
      }
      return body.get();
    } catch (OverlappingFileLockException other) {
      throw busy(folder);
    } catch (ClosedByInterruptException interrupted) {
      throw new CancelledException("cancelled: the thread was interrupted");
    } catch (IOException failure) {
      throw new InputException(folder + ": cannot be used, " + failure.getMessage(), failure);
    }
  }

  private static InputException busy(Path folder) {
    return new InputException(
        folder + ": another process computes there; wait for it, or give another --out");
  }

  /**
   * Drops all points of an experiment, so that a run begins anew.
   *
   * @throws InputException if another process computes in the folder, or a file cannot be deleted
   */
  public void drop(Experiment experiment) {
    Path points = ExperimentRun.points(folder(experiment));
    if (Files.isDirectory(points)) {
      locked(experiment, () -> delete(points));
    }
  }

  private static Path delete(Path points) {
    try (Stream<Path> inside = Files.walk(points)) {
      for (Path path : inside.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(path);
      }
      return points;
    } catch (IOException failure) {
      throw new InputException(points + ": cannot be deleted, " + failure.getMessage(), failure);
    }
  }

  private Path folder(Experiment experiment) {
    return out.resolve(experiment.name());
  }

  private void write(ExperimentResult result, ExperimentRun run, Path folder) throws IOException {
    run.data().write(folder.resolve("data.npz"));
    JsonWriter.write(folder.resolve("claims.json"), record(result));
    Map<String, Object> thisRun = new LinkedHashMap<>();
    thisRun.put("seconds", result.seconds());
    thisRun.put("points", result.points());
    thisRun.put("computed", result.computed());
    thisRun.put("threads", context.threads());
    JsonWriter.write(folder.resolve("run.json"), thisRun);
  }

  /** What claims.json says. */
  public Map<String, Object> record(ExperimentResult result) {
    Map<String, Object> record = new LinkedHashMap<>();
    record.put("figure", result.experiment().name());
    record.put("title", result.experiment().title());
    record.put("finding", result.experiment().finding());
    record.put("command", result.command());
    record.put("quick", options.quick());
    record.put("seed", options.seed());
    record.put("settings", result.settings());
    record.put("deviations", result.experiment().deviations());
    record.put("versions", options.versions());
    record.put("failure", result.failure() == null ? null : result.failure().getMessage());
    record.put("passed", result.claims().size() - result.failed());
    record.put("failed", result.failed());
    record.put("claims", result.claims().stream().map(Reproduction::record).toList());
    record.put(
        "pictures",
        result.pictures().entrySet().stream()
            .map(entry -> new NamedPicture(entry.getKey(), entry.getValue().caption()))
            .toList());
    return record;
  }

  private static Map<String, Object> record(Claim claim) {
    Map<String, Object> record = new LinkedHashMap<>();
    record.put("id", claim.statement().id());
    record.put("claim", claim.statement().words());
    record.put("source", claim.statement().source());
    record.put("quantity", claim.statement().quantity());
    record.put("measured", claim.measured());
    record.put("standard_error", claim.standardError());
    record.put("relation", claim.statement().relation().symbol());
    record.put("threshold", claim.statement().threshold());
    record.put("passed", claim.passed());
    record.put("remark", claim.remark());
    return record;
  }
}
