package org.kpflow.cli;

import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.nativelib.CudaCards;
import org.kpflow.nativelib.Engine;
import picocli.CommandLine.Command;

/** kpflow info: what this installation is and what it runs on. */
@Command(
    name = "info",
    mixinStandardHelpOptions = true,
    description =
        "Prints versions, the GEMM kernel in use, threads, memory, and the GPU or why there is none.")
final class InfoCommand implements Callable<Integer> {
  @Override
  public Integer call() {
    print("kpflow", Main.VERSION);
    print("engine", Engine.buildInfo());
    print("java", System.getProperty("java.version") + ", " + System.getProperty("java.vm.name"));
    print(
        "system",
        System.getProperty("os.name")
            + " "
            + System.getProperty("os.version")
            + ", "
            + System.getProperty("os.arch"));
    print("threads", Integer.toString(Engine.availableCores()));
    print(
        "memory",
        String.format(
            Locale.ROOT,
            "%.1f GiB available",
            Engine.availableMemory(Device.CPU) / (double) (1L << 30)));
    try {
      print("gpu", Engine.deviceInfo(Device.CUDA));
    } catch (InputException reason) {
      print("gpu", reason.getMessage());
    }
    List<String> cards = CudaCards.list();
    for (int card = 0; card < cards.size(); card++) {
      print("card " + card, cards.get(card));
    }
    return Exit.OK;
  }

  private static void print(String name, String value) {
    System.out.printf("%-8s %s%n", name, value);
  }
}
