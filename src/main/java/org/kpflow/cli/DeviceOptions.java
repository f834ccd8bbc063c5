package org.kpflow.cli;

import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.tensor.ExecutionContext;
import picocli.CommandLine.Option;

/** Where a command computes, in which type, with how many threads. */
final class DeviceOptions {
  /** What --device takes; auto is the CPU until there is another choice. */
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
      description = "auto, cpu or cuda (default: ${DEFAULT-VALUE}).")
  private Choice device;

  @Option(
      names = "--threads",
      paramLabel = "N",
      description = "Worker threads (default: the cores this process may use).")
  private Integer threads;

  DType dtype(DType otherwise) {
    return dtype == null ? otherwise : DType.of(dtype);
  }

  /** The context asked for; the caller closes it. */
  ExecutionContext context() {
    if (device == Choice.cuda) {
      return threads == null ? ExecutionContext.cuda() : ExecutionContext.on(Device.CUDA, threads);
    }
    return threads == null ? ExecutionContext.shared() : ExecutionContext.withThreads(threads);
  }
}
