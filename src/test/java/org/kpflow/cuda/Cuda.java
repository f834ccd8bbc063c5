package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Assumptions;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The GPU for tests, and comparisons of what it gives with what the CPU gives. */
final class Cuda {
  private Cuda() {}

  /**
   * The context of the GPU. Where there is none, the test is skipped with the reason, or fails if
   * the environment says {@code KPFLOW_TEST_CUDA=require}.
   */
  static ExecutionContext context() {
    try {
      return ExecutionContext.cuda();
    } catch (InputException none) {
      if ("require".equals(System.getenv("KPFLOW_TEST_CUDA"))) {
        throw none;
      }
      return Assumptions.abort("skipped: " + none.getMessage());
    }
  }

  /** What sums of a few hundred numbers in different orders may differ by, relative to the norm. */
  static double tolerance(DType dtype) {
    return dtype == DType.F64 ? 1e-11 : 1e-4;
  }

  /** ||a - b|| / ||a||, wherever the two lie. */
  static double difference(Tensor a, Tensor b) {
    ExecutionContext host = ExecutionContext.shared();
    assertEquals(a.shape(), b.shape());
    try (Tensor wide = a.to(Device.CPU, DType.F64);
        Tensor rest = b.to(Device.CPU, DType.F64)) {
      double norm = TensorMath.norm(host, wide);
      TensorMath.axpby(host, -1, wide, 1, rest);
      double distance = TensorMath.norm(host, rest);
      return distance == 0 ? 0 : distance / norm;
    }
  }

  /** Fails unless the second tensor lies on the GPU and has the elements of the first. */
  static void assertSame(String what, Tensor cpu, Tensor cuda) {
    assertEquals(Device.CPU, cpu.device(), what);
    assertEquals(Device.CUDA, cuda.device(), what);
    double difference = difference(cpu, cuda);
    assertTrue(difference <= tolerance(cpu.dtype()), () -> what + ": " + difference);
  }

  /** Fails unless two numbers agree to a relative tolerance. */
  static void assertClose(String what, double cpu, double cuda, double tolerance) {
    assertEquals(cpu, cuda, tolerance * Math.abs(cpu), what);
  }
}
