package org.kpflow.tensor;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.ContextHandle;
import org.kpflow.nativelib.Engine;

/**
 * Where native work runs: on which device, and with how many threads of the CPU. Results do not
 * depend on the number of threads. What works in a context takes and gives tensors of its device.
 */
public final class ExecutionContext implements AutoCloseable {
  /** Most threads a context may have. */
  public static final int MOST_THREADS = 256;

  private final ContextHandle handle;
  private final Device device;
  private final int threads;
  private final boolean shared;

  private static final class Shared {
    static final ExecutionContext CONTEXT = processWide(Device.CPU, Engine.availableCores());
  }

  private static final class Serial {
    static final ExecutionContext CONTEXT = processWide(Device.CPU, 1);
  }

  private static ExecutionContext cuda; // once there is one

  private ExecutionContext(ContextHandle handle, Device device, int threads, boolean shared) {
    this.handle = handle;
    this.device = device;
    this.threads = threads;
    this.shared = shared;
  }

  private static ExecutionContext processWide(Device device, int threads) {
    int most = Math.min(threads, MOST_THREADS);
    return new ExecutionContext(new ContextHandle(device, most).forGood(), device, most, true);
  }

  /**
   * A CPU context with its own pool of threads; close it after use.
   *
   * @throws IllegalArgumentException if threads is not in 1 to {@value #MOST_THREADS}
   */
  public static ExecutionContext withThreads(int threads) {
    return on(Device.CPU, threads);
  }

  /**
   * A context of a device, with its own pool of threads for what is done on the CPU; close it after
   * use.
   *
   * @throws IllegalArgumentException if threads is not in 1 to {@value #MOST_THREADS}
   * @throws InputException if there is no such device, saying why
   */
  public static ExecutionContext on(Device device, int threads) {
    Checks.notNull(device, "device");
    Checks.range("threads", threads, 1, MOST_THREADS);
    return new ExecutionContext(new ContextHandle(device, threads), device, threads, false);
  }

  /**
   * The process-wide CPU context with one thread per core this process may use; closing it does
   * nothing.
   */
  public static ExecutionContext shared() {
    return Shared.CONTEXT;
  }

  /**
   * The process-wide context of the GPU; closing it does nothing.
   *
   * @throws InputException if there is none, saying why
   */
  public static synchronized ExecutionContext cuda() {
    if (cuda == null) {
      cuda = processWide(Device.CUDA, Engine.availableCores());
    }
    return cuda;
  }

  /** This context if it is the CPU's, else the process-wide one of the CPU. */
  public ExecutionContext host() {
    return device == Device.CPU ? this : shared();
  }

  /** A process-wide context of a device for work that a single thread does. */
  static ExecutionContext serial(Device device) {
    return device == Device.CPU ? Serial.CONTEXT : cuda();
  }

  /** Whether there is such a device; of the GPU, whether its library, a driver and a card are. */
  public static boolean isThere(Device device) {
    return device == Device.CPU || Engine.availableMemory(device) >= 0;
  }

  /**
   * Refuses a device that is not to be had.
   *
   * @throws InputException if it is not, saying why
   */
  public static void require(Device device) {
    Engine.deviceInfo(Checks.notNull(device, "device"));
  }

  /** Threads of the CPU. */
  public int threads() {
    return threads;
  }

  public Device device() {
    return device;
  }

  /** A tensor of zeros on this context's device. */
  public Tensor zeros(DType dtype, Shape shape) {
    return Tensor.zeros(device, dtype, shape);
  }

  /** A tensor of zeros of the given sizes on this context's device. */
  public Tensor zeros(DType dtype, long... sizes) {
    return zeros(dtype, Shape.of(sizes));
  }

  /** A copy of a tensor of any device on this context's. */
  public Tensor copyOf(Tensor tensor) {
    return Checks.notNull(tensor, "tensor").to(device);
  }

  /** The native handle, for the packages that call the engine. */
  public ContextHandle handle() {
    return handle;
  }

  @Override
  public void close() {
    if (!shared) {
      handle.close();
    }
  }

  /** The device and, on the CPU, the threads; on the GPU, the card. */
  @Override
  public String toString() {
    return device == Device.CPU
        ? "cpu, " + threads + (threads == 1 ? " thread" : " threads")
        : device + ", " + Engine.deviceInfo(device);
  }
}
