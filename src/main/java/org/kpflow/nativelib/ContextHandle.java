package org.kpflow.nativelib;

import java.util.function.ToIntBiFunction;
import java.util.function.ToIntFunction;
import org.bytedeco.javacpp.PointerPointer;

/** A native context: worker threads and their scratch memory. */
public final class ContextHandle implements AutoCloseable {
  static {
    Engine.load();
  }

  private final Life life;

  /**
   * A context with a pool of threads.
   *
   * @throws IllegalArgumentException if threads is not in 1 to 256
   */
  public ContextHandle(int threads) {
    try (PointerPointer<NativeContext> out = new PointerPointer<>(1)) {
      Engine.check(Kpflow.kpflow_context_create(threads, out));
      life = new Life(out.get(NativeContext.class));
    }
    life.guard(this);
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

  /** Runs a native call with this context and the memory it uses kept alive. */
  void call(ToIntFunction<NativeContext> body, NativeMemory... used) {
    life.acquire();
    try {
      Engine.call(() -> body.applyAsInt(life.context), used);
    } finally {
      life.release();
    }
  }

  /** The same for a call that can be cancelled and counts its progress. */
  void monitored(ToIntBiFunction<NativeContext, kpflow_monitor> body, NativeMemory... used) {
    Monitor monitor = Monitor.current();
    kpflow_monitor shared = monitor.enter();
    try {
      call(context -> body.applyAsInt(context, shared), used);
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
