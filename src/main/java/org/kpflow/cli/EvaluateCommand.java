package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.Callable;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.cases.CaseEvaluation;
import org.kpflow.cases.CaseMetrics;
import org.kpflow.io.Npy;
import org.kpflow.model.Model;
import org.kpflow.model.WeightFamily;
import org.kpflow.report.JsonWriter;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** kpflow evaluate: every quantity of a reference case, from its inputs alone. */
@Command(
    name = "evaluate",
    mixinStandardHelpOptions = true,
    description =
        "Computes the arrays and metrics that a case directory lists, from its inputs alone (default type: f64).")
final class EvaluateCommand implements Callable<Integer> {
  @Parameters(
      paramLabel = "CASE",
      description = "A directory with case.json and the given arrays as .npy files.")
  private Path path;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where NAME.npy and metrics.json go.")
  private Path out;

  @Mixin private DeviceOptions device;

  /** Operations of one product with the NTK of a case. */
  static double operations(Path path) {
    CaseDirectory directory = new CaseDirectory(path);
    try (Model model = directory.model(DType.F64);
        Tensor x = directory.read("x", DType.F64)) {
      double rows = x.count() / (double) model.inputs();
      return DeviceOptions.operations(
          rows, model.families().stream().mapToLong(WeightFamily::size).sum());
    }
  }

  @Override
  public Integer call() throws IOException {
    CaseDirectory directory = new CaseDirectory(path);
    try (ExecutionContext context = device.context(() -> operations(path));
        CaseEvaluation evaluation =
            new CaseEvaluation(directory, device.dtype(DType.F64), context)) {
      Files.createDirectories(out);
      Set<String> listed = directory.arrays();
      int written = 0;
      for (String name : listed) {
        if (evaluation.makes(name)) {
          Npy.write(out.resolve(name + ".npy"), evaluation.wide(name));
          written++;
        } else if (!directory.has(name)) {
          throw new InputException(
              directory.path().resolve("case.json")
                  + ": lists an array that is neither given nor known, '"
                  + name
                  + "'");
        }
      }
      JsonWriter.write(out.resolve("metrics.json"), CaseMetrics.of(evaluation));
      System.out.println(directory.name() + ": " + written + " arrays and metrics.json in " + out);
    } catch (java.nio.file.FileSystemException failure) {
      throw new InputException(out + ": cannot be written, " + failure.getMessage(), failure);
    }
    return Exit.OK;
  }
}
