package org.kpflow.tensor;

import org.kpflow.base.Checks;
import org.kpflow.base.Device;
import org.kpflow.base.InputException;
import org.kpflow.nativelib.ContextHandle;
import org.kpflow.nativelib.Engine;

/**
 * Where and with how many threads native work runs. Results do not depend on the number of threads.
 */
public final class ExecutionContext implements AutoCloseable {
  /** Most threads a context may have. */
  public static final int MOST_THREADS = 256;

  private final ContextHandle handle;
  private final int threads;
  private final boolean shared;

  private static final class Shared {
    static final ExecutionContext CONTEXT = new ExecutionContext(Engine.availableCores(), true);
  }

  private ExecutionContext(int threads, boolean shared) {
    Checks.range("threads", threads, 1, MOST_THREADS);
    this.handle = new ContextHandle(threads);
    this.threads = threads;
    this.shared = shared;
  }

  /**
   * A CPU context with its own pool of threads; close it after use.
   *
   * @throws IllegalArgumentException if threads is not in 1 to {@value #MOST_THREADS}
   */
  public static ExecutionContext withThreads(int threads) {
    return new ExecutionContext(threads, false);
  }

  /**
   * The process-wide context with one thread per core this process may use; closing it does
   * nothing.
   */
  public static ExecutionContext shared() {
    return Shared.CONTEXT;
  }

  /**
   * Refuses a device that this build cannot run on.
   *
   * @throws InputException if the device is CUDA, saying why
   */
  public static void require(Device device) {
    Checks.notNull(device, "device");
    if (device == Device.CUDA) {
      throw new InputException(
          "device cuda: this build has no CUDA backend; use --device cpu or auto");
    }
  }

  public int threads() {
    return threads;
  }

  public Device device() {
    return Device.CPU;
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

  @Override
  public String toString() {
    return "cpu, " + threads + (threads == 1 ? " thread" : " threads");
  }
}
