package org.kpflow.nativelib;

import java.util.function.ToIntBiFunction;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.PointerPointer;
import org.kpflow.base.Checks;
import org.kpflow.base.Device;

/** A native context: a device, worker threads and their scratch memory. */
public final class ContextHandle implements AutoCloseable {
  static {
    Engine.load();
  }

  private final Device device;
  private final Life life;

  /**
   * A context on a device with a pool of threads.
   *
   * @throws IllegalArgumentException if threads is not in 1 to 256
   * @throws org.kpflow.base.InputException if there is no such device
   */
  public ContextHandle(Device device, int threads) {
    this.device = Checks.notNull(device, "device");
    try (PointerPointer<NativeContext> out = new PointerPointer<>(1)) {
      Engine.check(Kpflow.kpflow_context_create(Engine.code(device), threads, out));
      life = new Life(out.get(NativeContext.class));
    }
    life.guard(this);
  }

  /** This context, which is of no account in {@link NativeMemory#liveCount}: it is never closed. */
  public ContextHandle forGood() {
    life.forGood();
    return this;
  }

  Device device() {
    return device;
  }

  @Override
  public void close() {
    life.close();
  }

  void acquire() {
    life.acquire();
  }

  void release() {
    life.release();
  }

  /**
   * Runs a native call with this context and the memory it uses kept alive.
   *
   * @throws IllegalArgumentException for memory of another device than the context's
   */
  void call(ToIntFunction<NativeContext> body, NativeMemory... used) {
    requireOwn(used);
    callAnywhere(body, used);
  }

  /** Refuses memory of another device. */
  void requireOwn(NativeMemory... arrays) {
    for (NativeMemory memory : arrays) {
      Checks.device("array", device, memory.device());
    }
  }

  /**
   * {@link #call} with memory of the host beside that of the device, which the caller has looked
   * at. The CPU sees its own only.
   */
  void callAnywhere(ToIntFunction<NativeContext> body, NativeMemory... used) {
    if (device == Device.CPU) {
      requireOwn(used);
    }
    life.acquire();
    try {
      Engine.call(() -> body.applyAsInt(life.context), used);
    } finally {
      life.release();
    }
  }

  /** {@link #call} for a call that can be cancelled and counts its progress. */
  void monitored(ToIntBiFunction<NativeContext, kpflow_monitor> body, NativeMemory... used) {
    requireOwn(used);
    monitoredAnywhere(body, used);
  }

  /** {@link #callAnywhere} for a call that can be cancelled and counts its progress. */
  void monitoredAnywhere(
      ToIntBiFunction<NativeContext, kpflow_monitor> body, NativeMemory... used) {
    Monitor monitor = Monitor.current();
    kpflow_monitor shared = monitor.enter();
    try {
      callAnywhere(context -> body.applyAsInt(context, shared), used);
    } finally {
      monitor.leave();
    }
  }

  private static final class Life extends Lifetime {
    private final NativeContext context;

    Life(NativeContext context) {
      super("context");
      this.context = context;
    }

    @Override
    void free() {
      Kpflow.kpflow_context_destroy(context);
    }
  }
}
