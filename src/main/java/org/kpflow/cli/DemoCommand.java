package org.kpflow.cli;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.concurrent.Callable;
import org.kpflow.base.InputException;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** kpflow demo: analyze on the bundled GRU that was trained on Memory-Pro. */
@Command(
    name = "demo",
    mixinStandardHelpOptions = true,
    description = {
      "Analyses the bundled GRU (256 units, trained on Memory-Pro; 20 trials of 90 steps).",
      "It unpacks the files and prints the analyze command that it runs."
    })
final class DemoCommand implements Callable<Integer> {
  private static final String EXAMPLE = "/org/kpflow/examples/memory_pro_gru/";
  private static final List<String> STEPS = List.of("00000", "00380", "00420", "01818");

  @Option(
      names = "--step",
      defaultValue = "01818",
      paramLabel = "N",
      description = "Training step: 00000, 00380, 00420 or 01818 (default: ${DEFAULT-VALUE}).")
  private String step;

  @Option(
      names = "--out",
      defaultValue = "kpflow-demo",
      paramLabel = "DIR",
      description = "Where the report goes (default: ${DEFAULT-VALUE}).")
  private Path out;

  @Override
  public Integer call() {
    if (!STEPS.contains(step)) {
      throw new InputException("--step: expected one of " + STEPS + ", got '" + step + "'");
    }
    Path data = out.resolve("data");
    String weights = "step_" + step + ".safetensors";
    for (String name : List.of(weights, "inputs.npy", "targets.npy")) {
      unpack(name, data);
    }
    String[] arguments = {
      "analyze",
      "--cell",
      "gru",
      "--weights",
      data.resolve(weights).toString(),
      "--inputs",
      data.resolve("inputs.npy").toString(),
      "--targets",
      data.resolve("targets.npy").toString(),
      "--rtol",
      "0.03",
      "--phases",
      "stimulus:0,memory:30,response:60",
      "--out",
      out.toString()
    };
    System.out.println("kpflow " + String.join(" ", arguments));
    return Main.run(arguments);
  }

  private static void unpack(String name, Path directory) {
    try (InputStream source = DemoCommand.class.getResourceAsStream(EXAMPLE + name)) {
      if (source == null) {
        throw new InputException(EXAMPLE + name + ": missing from the jar");
      }
      Files.createDirectories(directory);
      Files.copy(source, directory.resolve(name), StandardCopyOption.REPLACE_EXISTING);
    } catch (IOException failure) {
      throw new InputException(directory + ": cannot be written, " + failure.getMessage(), failure);
    }
  }
}
