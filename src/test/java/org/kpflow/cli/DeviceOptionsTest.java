package org.kpflow.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.tensor.ExecutionContext;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** Which device a command takes, and why, with a GPU and without. */
class DeviceOptionsTest {
  @Command
  private static final class Some {
    @Mixin private DeviceOptions device;
  }

  private static DeviceOptions parsed(String... arguments) {
    Some command = new Some();
    new CommandLine(command).parseArgs(arguments);
    return command.device;
  }

  private static boolean hasGpu() {
    try {
      ExecutionContext.require(Device.CUDA);
      return true;
    } catch (InputException none) {
      return false;
    }
  }

  private static double unasked() {
    throw new AssertionError("there is nothing to choose");
  }

  @Test
  void aProductTakesEightOperationsForEveryWeightAndRow() {
    assertEquals(8.0 * 500 * 90 * 200_000, DeviceOptions.operations(500 * 90, 200_000));
  }

  @Test
  void autoTakesTheGpuForLargeWork() {
    for (double operations : new double[] {0, 9.9e8, 1e9, 1e15}) {
      DeviceOptions options = parsed();
      try (ExecutionContext context = options.context(() -> operations)) {
        boolean large = hasGpu() && operations >= 1e9;
        assertEquals(large ? Device.CUDA : Device.CPU, context.device());
        String fact = options.fact(context);
        assertTrue(fact.startsWith(context.toString()), fact);
        assertTrue(fact.contains(hasGpu() ? "auto takes cuda from 1e+09 on" : "no GPU"), fact);
      }
    }
  }

  @Test
  void whatIsAskedForIsTakenOrRefused() {
    try (ExecutionContext one =
        parsed("--device", "cpu", "--threads", "1").context(DeviceOptionsTest::unasked)) {
      assertEquals("cpu, 1 thread", one.toString());
    }
    DeviceOptions options = parsed("--device", "cuda", "--threads", "2");
    if (hasGpu()) {
      try (ExecutionContext context = options.context(DeviceOptionsTest::unasked)) {
        assertEquals(Device.CUDA, context.device());
        assertEquals(2, context.threads());
        assertTrue(options.fact(context).endsWith("(asked for)"));
      }
    } else {
      String message =
          assertThrows(InputException.class, () -> options.context(DeviceOptionsTest::unasked))
              .getMessage();
      assertTrue(message.startsWith("device cuda: "), message);
    }
  }
}
