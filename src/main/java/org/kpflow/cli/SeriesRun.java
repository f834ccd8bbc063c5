package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.CheckpointSeries;
import org.kpflow.analysis.SeriesReport;
import org.kpflow.analysis.SeriesWriter;
import org.kpflow.base.CancelledException;
import org.kpflow.base.InputException;
import org.kpflow.base.KpflowException;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * Analyses checkpoints one after another. What is done is on disk after each; one that fails is
 * noted and the next is taken; a cancel ends the series.
 */
final class SeriesRun {
  /** The analysis of one checkpoint. */
  interface Step {
    /** Analyses weights, starting from the eigenvectors [modes, B, T, n] unless they are null. */
    AnalysisResult analyse(Path weights, Tensor start);

    /** Writes the report of one checkpoint. */
    void write(AnalysisResult result, Path weights, Path directory) throws IOException;
  }

  private final List<Path> checkpoints;
  private final Path out;
  private final Map<String, String> provenance;
  private final List<String> warnings;
  private KpflowException firstFailure;

  /** A series of checkpoints, with warnings of all of them. */
  SeriesRun(
      List<Path> checkpoints, Path out, Map<String, String> provenance, List<String> warnings) {
    this.warnings = warnings;
    this.checkpoints = checkpoints;
    this.out = out;
    this.provenance = provenance;
  }

  /**
   * Runs the series and writes it.
   *
   * @throws KpflowException the first failure, if no checkpoint could be analysed
   */
  SeriesReport run(ExecutionContext context, Step step) throws IOException {
    try (CheckpointSeries series = new CheckpointSeries(context, checkpoints.size())) {
      warnings.forEach(series::warn);
      boolean interrupted = false;
      for (Path weights : checkpoints) {
        String name = Checkpoints.name(weights);
        try (AnalysisResult result = step.analyse(weights, series.start())) {
          interrupted = Thread.interrupted(); // files are not written on an interrupted thread
          step.write(result, weights, out.resolve(name));
          if (interrupted) {
            series.fail(name, weights, "stopped; its own report has what was done");
            note(new CancelledException("stopped at " + name));
            break;
          }
          series.add(name, weights, result);
        } catch (CancelledException cancelled) {
          interrupted = true;
          firstFailure = firstFailure == null ? cancelled : firstFailure;
          series.warn("cancelled at " + name);
          break;
        } catch (KpflowException | IllegalArgumentException failure) {
          boolean first = series.start() == null;
          if (first && failure instanceof IllegalArgumentException) {
            throw failure; // a wrong option, which no other checkpoint would like better
          }
          note(failure);
          series.fail(name, weights, String.valueOf(failure.getMessage()));
        }
        new SeriesWriter(series.report(), provenance).writeRecords(out);
      }
      SeriesReport report = series.report();
      if (report.checkpoints().stream().allMatch(found -> found.report() == null)) {
        throw firstFailure;
      }
      boolean flagged = Thread.interrupted(); // files are not written on an interrupted thread
      new SeriesWriter(report, provenance).write(out);
      if (interrupted || flagged) {
        Thread.currentThread().interrupt();
      }
      return report;
    }
  }

  private void note(RuntimeException failure) {
    System.err.println(
        "kpflow: " + String.valueOf(failure.getMessage()).replaceAll("\\s*\\R\\s*", " "));
    if (firstFailure == null) {
      firstFailure =
          failure instanceof KpflowException known
              ? known
              : new InputException(failure.getMessage(), failure);
    }
  }
}
