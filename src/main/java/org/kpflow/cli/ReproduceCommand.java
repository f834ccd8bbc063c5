package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.kpflow.base.CancelledException;
import org.kpflow.base.NumericalException;
import org.kpflow.experiment.Claim;
import org.kpflow.experiment.Experiment;
import org.kpflow.experiment.ExperimentResult;
import org.kpflow.experiment.Experiments;
import org.kpflow.experiment.Reproduction;
import org.kpflow.experiment.ReproductionPage;
import org.kpflow.experiment.RunOptions;
import org.kpflow.nativelib.Engine;
import org.kpflow.report.JsonWriter;
import org.kpflow.tensor.ExecutionContext;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/** kpflow reproduce: the paper's figures and claims. */
@Command(
    name = "reproduce",
    mixinStandardHelpOptions = true,
    description = {
      "Computes figures of the paper and checks its claims against the numbers.",
      "A run that was stopped goes on where it was. Exit code 1 says that a claim does not hold."
    })
final class ReproduceCommand implements Callable<Integer> {
  private static final String ALL = "all";
  private static final String PAGE = "report.html";

  @Parameters(
      arity = "1..*",
      paramLabel = "FIGURE",
      completionCandidates = Names.class,
      description = "Any of ${COMPLETION-CANDIDATES}.")
  private List<String> figures;

  @Option(names = "--quick", description = "Smaller settings, under 3 minutes a figure on 2 cores.")
  private boolean quick;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "Where everything goes (default: kpflow-figures, or kpflow-figures-quick).")
  private Path out;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Seed of all random numbers (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Worker threads (default: the cores this process may use).")
  private Integer threads;

  @Option(names = "--restart", description = "Drop the points that an earlier run has left.")
  private boolean restart;

  @Option(names = "--json", description = "Print the results as JSON on standard output.")
  private boolean json;

  @ParentCommand private Main main;

  private volatile boolean stopping;

  /** The figures there are, for help and completion. */
  static final class Names extends ArrayList<String> {
    private static final long serialVersionUID = 1;

    Names() {
      Experiments.all().forEach(experiment -> add(experiment.name()));
      add(ALL);
    }
  }

  @Override
  public Integer call() throws Exception {
    Thread worker = Thread.currentThread();
    return StopOnInterrupt.during(
        () -> {
          stopping = true;
          worker.interrupt();
        },
        "stopping; finished points stay",
        this::reproduce);
  }

  private int reproduce() throws IOException {
    List<Experiment> chosen = chosen();
    Map<String, String> versions = new LinkedHashMap<>();
    versions.put("kpflow", Main.VERSION);
    versions.put("engine", Engine.buildInfo());
    versions.put("java", System.getProperty("java.version"));
    RunOptions options = new RunOptions(quick, seed, versions);
    Path folder = out != null ? out : Path.of(quick ? "kpflow-figures-quick" : "kpflow-figures");
    List<ExperimentResult> results = new ArrayList<>();
    List<Map<String, Object>> records = new ArrayList<>();
    int code = Exit.OK;
    try (ExecutionContext context =
        threads == null ? ExecutionContext.shared() : ExecutionContext.withThreads(threads)) {
      Reproduction reproduction = new Reproduction(options, folder, context);
      for (Experiment experiment : chosen) {
        if (restart) {
          reproduction.drop(experiment);
        }
        ExperimentResult result = run(reproduction, experiment);
        code = Math.max(code, code(result));
        if (!result.refused()) {
          results.add(result);
          records.add(reproduction.record(result));
        }
        report(result);
        if (stopping && experiment != chosen.get(chosen.size() - 1)) {
          throw stopped();
        }
      }
    }
    Thread.interrupted(); // all is computed; files are not written on an interrupted thread
    if (!results.isEmpty()) {
      ReproductionPage.of(results, options).write(folder.resolve(PAGE));
    }
    if (json) {
      JsonWriter.write(System.out, records);
    } else if (!results.isEmpty()) {
      System.out.println("report: " + folder.resolve(PAGE));
    }
    return code;
  }

  private ExperimentResult run(Reproduction reproduction, Experiment experiment) {
    try (ConsoleProgress progress = new ConsoleProgress()) {
      return reproduction.run(experiment, progress);
    } catch (CancelledException cancelled) {
      throw stopping ? stopped() : cancelled;
    }
  }

  private static CancelledException stopped() {
    return new CancelledException(
        "stopped; finished points stay, and the same command goes on from them"
            + " (without --restart)");
  }

  /** The figures asked for, each once. */
  private List<Experiment> chosen() {
    Set<Experiment> chosen = new LinkedHashSet<>();
    for (String name : figures) {
      if (name.equals(ALL)) {
        chosen.addAll(Experiments.all());
      } else {
        chosen.add(Experiments.of(name));
      }
    }
    return List.copyOf(chosen);
  }

  private void report(ExperimentResult result) {
    if (!json && !result.refused()) {
      System.out.printf(
          Locale.ROOT,
          "%s: %s (%.1f s, %d of %d points computed now)%n",
          result.experiment().name(),
          result.experiment().title(),
          result.seconds(),
          result.computed(),
          result.points());
      for (Claim claim : result.claims()) {
        System.out.println("  " + line(claim));
      }
    }
    if (result.failure() != null) {
      System.err.println(
          "kpflow: " + result.experiment().name() + ": " + Main.describe(result.failure()));
      if (main.debug()) {
        result.failure().printStackTrace();
      }
    }
  }

  private static String line(Claim claim) {
    String error =
        claim.standardError() > 0
            ? String.format(Locale.ROOT, " ± %.2g", claim.standardError())
            : "";
    return String.format(
        Locale.ROOT,
        "%-4s %s %s = %s%s, expected %s%s",
        claim.passed() ? "pass" : "FAIL",
        claim.statement().words(),
        claim.statement().quantity(),
        number(claim.measured()),
        error,
        ReproductionPage.bound(claim.statement()),
        claim.remark().isEmpty() ? "" : " (" + claim.remark() + ")");
  }

  private static String number(double value) {
    return value == Math.rint(value) && Math.abs(value) < 1e15
        ? Long.toString((long) value)
        : String.format(Locale.ROOT, "%.6g", value);
  }

  /** The exit code of one figure; of several, the largest counts. */
  private static int code(ExperimentResult result) {
    RuntimeException failure = result.failure();
    if (failure == null) {
      return result.failed() == 0 ? Exit.OK : Exit.CHECK_FAILED;
    }
    if (failure instanceof NumericalException) {
      return Exit.NUMERICAL;
    }
    return result.refused() ? Exit.INPUT : Exit.INTERNAL;
  }
}
