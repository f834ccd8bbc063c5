package org.kpflow.cli;

import java.util.Locale;
import java.util.Map;
import java.util.function.DoubleSupplier;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.base.MemoryException;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import picocli.CommandLine.Option;

/** Where a command computes, in which type, with how many threads. */
final class DeviceOptions {
  /**
   * Operations of one product with the NTK from which auto takes the GPU where there is one. An
   * estimate, not measured: with fewer, a core of the CPU (about 1e11 a second) is done in the time
   * that a GPU takes to start some thousand kernels, one or two for every step.
   */
  private static final double LEAST_OPERATIONS = 1e9;

  /** What --device takes; auto is the GPU for work that is large enough for one. */
  enum Choice {
    auto,
    cpu,
    cuda
  }

  @Option(
      names = "--dtype",
      paramLabel = "TYPE",
      description = "f32 or f64 (default: f32; of evaluate and verify, f64).")
  private String dtype;

  @Option(
      names = "--device",
      defaultValue = "auto",
      paramLabel = "DEVICE",
      description =
          "cpu, cuda, or auto: cuda where there is a card and the work is large enough for it"
              + " (default: ${DEFAULT-VALUE}).")
  private Choice device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Worker threads of the CPU (default: the cores this process may use).")
  private Integer threads;

  private String reason;

  DType dtype(DType otherwise) {
    return dtype == null ? otherwise : DType.of(dtype);
  }

  /**
   * Operations of one product with the NTK on B T rows: every weight takes part in it four times,
   * in P*, (D_θ f)*, D_θ f and P, with a multiplication and an addition each.
   *
   * @param rows B T
   * @param weights numbers in all weights
   */
  static double operations(double rows, double weights) {
    return 8 * rows * weights;
  }

  /** {@link #operations(double, double)} for inputs [B, T, n_in]. */
  static double operations(Tensor inputs, Map<String, Tensor> weights) {
    long rows = inputs.shape().size(0) * inputs.shape().size(1);
    return operations(rows, weights.values().stream().mapToLong(Tensor::count).sum());
  }

  /**
   * The context asked for, or for auto the one that fits the work; the caller closes it.
   *
   * @param work operations of one product with the NTK; asked where there is a choice
   * @throws InputException if a GPU is asked for and there is none, saying why
   */
  ExecutionContext context(DoubleSupplier work) {
    Device chosen = choose(work);
    if (threads != null) {
      return ExecutionContext.on(chosen, threads);
    }
    return chosen == Device.CUDA ? ExecutionContext.cuda() : ExecutionContext.shared();
  }

  private Device choose(DoubleSupplier work) {
    if (device != Choice.auto) {
      reason = "asked for";
      return device == Choice.cuda ? Device.CUDA : Device.CPU;
    }
    if (!ExecutionContext.isThere(Device.CUDA)) {
      reason = "no GPU: kpflow info says why";
      return Device.CPU;
    }
    double operations = work.getAsDouble();
    boolean large = operations >= LEAST_OPERATIONS;
    reason =
        String.format(
            Locale.ROOT,
            "one product with the NTK takes %.1e operations; auto takes cuda from %.0e on",
            operations,
            LEAST_OPERATIONS);
    Device chosen = large ? Device.CUDA : Device.CPU;
    if (large) {
      try {
        ExecutionContext.cuda();
      } catch (InputException | MemoryException refused) {
        chosen = Device.CPU;
        reason = "the GPU cannot be used: " + refused.getMessage();
      }
    }
    System.err.println("kpflow: device " + chosen + ": " + reason);
    return chosen;
  }

  /** Where a context computes, and why there. */
  String fact(ExecutionContext context) {
    return context + " (" + reason + ")";
  }
}
