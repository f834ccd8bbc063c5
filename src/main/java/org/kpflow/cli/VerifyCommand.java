package org.kpflow.cli;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.kpflow.base.DType;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.cases.CaseEvaluation;
import org.kpflow.cases.CaseVerification;
import org.kpflow.tensor.ExecutionContext;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** kpflow verify: evaluates cases and compares with the answers beside them. */
@Command(
    name = "verify",
    mixinStandardHelpOptions = true,
    description =
        "Evaluates cases and compares with the answers in their directories, at their tolerances (default type: f64).")
final class VerifyCommand implements Callable<Integer> {
  @Parameters(
      arity = "1..*",
      paramLabel = "CASE",
      description = "Directories with case.json, inputs and answers, or folders of such.")
  private List<Path> paths;

  @Option(names = "--all", description = "List every quantity, not only the worst of each case.")
  private boolean all;

  @Mixin private DeviceOptions device;

  @Override
  public Integer call() {
    DType dtype = device.dtype(DType.F64);
    int failed = 0;
    List<Path> cases = cases();
    try (ExecutionContext context =
        device.context(
            () -> cases.stream().mapToDouble(EvaluateCommand::operations).max().orElse(0))) {
      System.out.printf(
          "%-24s %-5s %10s %8s %8s   %s%n",
          "case", "dtype", "quantities", "skipped", "failed", "worst error / tolerance");
      for (Path path : cases) {
        failed += verify(path, dtype, context);
      }
    }
    System.out.println(
        failed == 0 ? "all within tolerance" : failed + " quantities out of tolerance");
    return failed == 0 ? Exit.OK : Exit.CHECK_FAILED;
  }

  /** The directories given; a folder without a case.json stands for the cases in it. */
  private List<Path> cases() {
    List<Path> cases = new ArrayList<>();
    for (Path path : paths) {
      List<Path> inside = CaseDirectory.inside(path);
      cases.addAll(inside.isEmpty() ? List.of(path) : inside);
    }
    return cases;
  }

  private int verify(Path path, DType dtype, ExecutionContext context) {
    CaseDirectory directory = new CaseDirectory(path);
    List<CaseVerification.Check> checks;
    try (CaseEvaluation evaluation = new CaseEvaluation(directory, dtype, context)) {
      checks = CaseVerification.verify(evaluation);
    }
    List<CaseVerification.Check> failures =
        checks.stream().filter(check -> !check.passed()).toList();
    long skipped = checks.stream().filter(CaseVerification.Check::skipped).count();
    CaseVerification.Check worst =
        checks.stream()
            .filter(check -> !check.skipped() && check.allowed() > 0)
            .max(Comparator.comparingDouble(check -> check.error() / check.allowed()))
            .orElse(checks.get(0));
    System.out.printf(
        Locale.ROOT,
        "%-24s %-5s %10d %8d %8d   %s %.2g%n",
        directory.name(),
        dtype,
        checks.size(),
        skipped,
        failures.size(),
        worst.quantity(),
        worst.error() / worst.allowed());
    for (CaseVerification.Check check : all ? checks : failures) {
      System.out.printf(
          Locale.ROOT,
          "  %-4s %-44s error %.3g, allowed %.3g (%s)%n",
          check.skipped() ? "skip" : check.passed() ? "ok" : "FAIL",
          check.quantity(),
          check.error(),
          check.allowed(),
          check.note());
    }
    return failures.size();
  }
}
