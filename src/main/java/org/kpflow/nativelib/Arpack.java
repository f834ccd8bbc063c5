package org.kpflow.nativelib;

import org.bytedeco.javacpp.DoublePointer;
import org.bytedeco.javacpp.Pointer;
import org.kpflow.base.DType;

/**
 * The binding of kpflow_eigsh: ARPACK's loop in native code, products by a native operator or by an
 * up-call to Java.
 */
public final class Arpack {
  /** Ends of the spectrum, in the order of enum kpflow_which. */
  public static final int LM = 0;

  public static final int LA = 1;
  public static final int SA = 2;
  public static final int BE = 3;

  private static final ThreadLocal<UpCallState> RUNNING = new ThreadLocal<>();
  private static final UpCall UP_CALL = new UpCall();

  private Arpack() {}

  /** y = A x for one vector. */
  public interface Product {
    void apply(NativeMemory x, NativeMemory y);
  }

  /** What is asked: modes below the size, basis above modes, tolerance 0 for machine precision. */
  public record Request(
      DType dtype,
      long size,
      long modes,
      long basis,
      long maxIterations,
      double tolerance,
      int which) {}

  /**
   * What came out: the first {@code converged} entries hold. Matvecs include one per mode for the
   * residuals.
   */
  public record Outcome(
      double[] values, double[] residuals, long converged, long matvecs, long iterations) {}

  /**
   * Extreme eigenpairs; {@code vectors} [modes, size] receives the vectors, {@code start} [size] is
   * overwritten. Either {@code operator} or {@code product} is given, which takes and gives memory
   * of the context's device. Fewer converged than asked is not an exception here.
   */
  public static Outcome eigsh(
      ContextHandle context,
      Request request,
      NativeOperator operator,
      Product product,
      NativeMemory start,
      NativeMemory vectors) {
    Engine.holds(start, request.dtype(), request.size());
    Engine.holds(vectors, request.dtype(), Engine.product(request.modes(), request.size()));
    Engine.require(
        request.modes() >= 1 && request.modes() <= Integer.MAX_VALUE, "modes: expected at least 1");
    context.requireOwn(start, vectors);
    if (operator != null) {
      return solve(context, request, operator, start, vectors);
    }
    long bytes = request.size() * request.dtype().bytes();
    UpCallState outer = RUNNING.get();
    try (NativeMemory x = NativeMemory.allocate(context.device(), bytes);
        NativeMemory y = NativeMemory.allocate(context.device(), bytes)) {
      UpCallState state = new UpCallState(product, x, y);
      RUNNING.set(state);
      try {
        return solve(context, request, null, start, vectors);
      } catch (org.kpflow.base.NativeException failed) {
        if (state.failure instanceof Error error) {
          throw error;
        } else if (state.failure instanceof RuntimeException exception) {
          throw exception;
        }
        throw failed;
      }
    } finally {
      RUNNING.set(outer);
    }
  }

  private static Outcome solve(
      ContextHandle context,
      Request request,
      NativeOperator operator,
      NativeMemory start,
      NativeMemory vectors) {
    LinearizationHandle handle = operator == null ? null : operator.handle();
    if (handle != null) {
      handle.acquire();
    }
    try {
      return monitored(context, request, operator, handle, start, vectors);
    } finally {
      if (handle != null) {
        handle.release();
      }
    }
  }

  private static Outcome monitored(
      ContextHandle context,
      Request request,
      NativeOperator operator,
      LinearizationHandle handle,
      NativeMemory start,
      NativeMemory vectors) {
    int modes = (int) request.modes();
    try (kpflow_eigsh_options options = new kpflow_eigsh_options();
        kpflow_eigsh_info info = new kpflow_eigsh_info();
        DoublePointer values = new DoublePointer(modes);
        DoublePointer residuals = new DoublePointer(modes)) {
      options
          .modes(modes)
          .basis(request.basis())
          .max_iterations(request.maxIterations())
          .tolerance(request.tolerance())
          .which(request.which())
          .has_start(1);
      context.monitored(
          (c, monitor) -> {
            int status =
                Kpflow.kpflow_eigsh(
                    c,
                    request.dtype().nativeCode(),
                    request.size(),
                    handle == null ? null : handle.pointer(),
                    operator == null ? 0 : operator.operatorCode(),
                    operator == null ? UP_CALL : null,
                    null,
                    options,
                    start.pointer(),
                    values,
                    vectors.pointer(),
                    residuals,
                    info,
                    monitor);
            return status == Kpflow.KPFLOW_NO_CONVERGENCE ? Kpflow.KPFLOW_OK : status;
          },
          start,
          vectors);
      int converged = (int) info.converged();
      double[] found = new double[converged];
      double[] norms = new double[converged];
      values.get(found);
      residuals.get(norms);
      return new Outcome(found, norms, converged, info.matvecs(), info.iterations());
    }
  }

  /** The product of the running call with its staging vectors, and the exception that ended it. */
  private static final class UpCallState {
    private final Product product;
    private final NativeMemory x;
    private final NativeMemory y;
    private Throwable failure;

    UpCallState(Product product, NativeMemory x, NativeMemory y) {
      this.product = product;
      this.x = x;
      this.y = y;
    }

    int run(Pointer in, Pointer out) {
      try {
        int device = x.device().nativeCode();
        Engine.call(() -> Kpflow.kpflow_buffer_copy(device, in, x.pointer(), x.bytes()), x);
        product.apply(x, y);
        Engine.call(() -> Kpflow.kpflow_buffer_copy(device, y.pointer(), out, y.bytes()), y);
        return Kpflow.KPFLOW_OK;
      } catch (RuntimeException | Error thrown) {
        failure = thrown; // rethrown once the native loop has unwound
        return 1;
      }
    }
  }

  /**
   * One native function pointer for the process: the thread that calls eigsh is the one that is
   * called back.
   */
  private static final class UpCall extends kpflow_matvec {
    @Override
    public int call(Pointer user, Pointer x, Pointer y) {
      UpCallState state = RUNNING.get();
      return state == null ? 1 : state.run(x, y);
    }
  }
}
