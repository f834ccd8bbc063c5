package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Arpack;
import org.kpflow.nativelib.Engine;
import org.kpflow.nativelib.NativeOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Extreme eigenpairs of a self-adjoint operator by implicitly restarted Lanczos (ARPACK). Operators
 * of the engine are applied without leaving native code; operators in Java by an up-call. ARPACK
 * keeps static state, so one solution runs at a time in the process. Operators too small for
 * ARPACK, or asked for nearly all of their modes, are solved densely.
 */
public final class Eigsh {
  private static final long DENSE_SIZE = 32;
  private static final long DENSE_MOST = 4096;

  private Eigsh() {}

  /**
   * The eigenpairs that the options ask for, values descending.
   *
   * @throws IllegalArgumentException if the operator is not self-adjoint or more modes are asked
   *     for than it has
   * @throws NoConvergenceException with the pairs that converged, if not all did
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static EigenPairs solve(LinearOperator operator, LanczosOptions options) {
    Checks.notNull(operator, "operator");
    Checks.notNull(options, "options");
    Checks.that(operator.isSelfAdjoint(), "operator %s: expected a self-adjoint one", operator);
    long size = operator.domain().count();
    Checks.that(
        options.modes() <= size,
        "modes: expected at most %d for %s, got %d",
        size,
        operator,
        options.modes());
    boolean small = size <= DENSE_SIZE || (2L * options.modes() >= size && size <= DENSE_MOST);
    return small ? dense(operator, options) : lanczos(operator, options, size);
  }

  private static EigenPairs lanczos(LinearOperator operator, LanczosOptions options, long size) {
    int modes = options.modes();
    long basis = options.basis() > 0 ? options.basis() : Math.max(2L * modes + 1, 20);
    Checks.that(
        modes < size, "modes: expected below %d for an operator of this size, got %d", size, modes);
    Checks.that(
        options.basis() == 0 || (basis > modes && basis <= size),
        "basis: expected %d to %d, got %d",
        modes + 1,
        size,
        options.basis());
    Arpack.Request request =
        new Arpack.Request(
            operator.dtype(),
            size,
            modes,
            Math.min(basis, size),
            options.maxIterations(),
            options.tolerance(),
            options.which().ordinal());
    Tensor vectors = Tensor.zeros(operator.dtype(), operator.domain().block(modes));
    try (Tensor start = startVector(operator, options);
        Tensor x = Tensor.zeros(operator.dtype(), operator.domain());
        Tensor y = Tensor.zeros(operator.dtype(), operator.domain())) {
      NativeOperator engine = operator instanceof NativeOperator known ? known : null;
      Arpack.Outcome outcome =
          Arpack.eigsh(request, engine, product(operator, x, y), start.memory(), vectors.memory());
      int converged = (int) outcome.converged();
      boolean complete = converged == modes;
      EigenPairs pairs =
          new EigenPairs(
              outcome.values(),
              complete ? vectors : kept(vectors, converged),
              outcome.residuals(),
              outcome.matvecs(),
              outcome.iterations(),
              complete);
      if (!complete) {
        throw new NoConvergenceException(
            "eigsh on "
                + operator
                + ": "
                + converged
                + " of "
                + modes
                + " eigenpairs converged in "
                + outcome.iterations()
                + " restarts; raise maxIterations, basis or tolerance",
            pairs);
      }
      return pairs;
    } catch (RuntimeException | Error failure) {
      vectors.close();
      throw failure;
    }
  }

  private static Tensor kept(Tensor vectors, int converged) {
    return vectors.slice(0, converged).copy();
  }

  private static Arpack.Product product(LinearOperator operator, Tensor x, Tensor y) {
    return (in, out) -> {
      Engine.copy(in, x.memory());
      operator.matvec(x, y);
      Engine.copy(y.memory(), out);
    };
  }

  private static Tensor startVector(LinearOperator operator, LanczosOptions options) {
    if (options.start() != null) {
      Checks.shape("start", operator.domain(), options.start().shape());
      Tensor start = options.start().to(operator.dtype());
      if (TensorMath.norm(operator.context(), start) > 0) {
        return start;
      }
      start.close();
      Checks.that(false, "start: expected a vector that is not zero");
    }
    Tensor start = Tensor.zeros(operator.dtype(), operator.domain());
    options.rng().fill(operator.context(), RngState.Distribution.GAUSSIAN, start);
    return start;
  }

  private static EigenPairs dense(LinearOperator operator, LanczosOptions options) {
    int size = (int) operator.domain().count();
    try (Tensor matrix = operator.toDense();
        Tensor wide = matrix.to(DType.F64)) {
      DenseEigen eigen = DenseEigen.of(wide);
      int[] order = chosen(eigen.values(), options);
      double[] values = new double[order.length];
      Tensor vectors = Tensor.zeros(operator.dtype(), operator.domain().block(order.length));
      try (eigen) {
        for (int i = 0; i < order.length; i++) {
          values[i] = eigen.values()[order[i]];
          vectors
              .slice(i)
              .reshape(Shape.of(size))
              .copyFrom(eigen.vectors().slice(order[i]).toDoubles());
        }
        return new EigenPairs(
            values,
            vectors,
            residuals(operator, values, vectors),
            (long) size + values.length,
            0,
            true);
      } catch (RuntimeException failure) {
        vectors.close();
        throw failure;
      }
    }
  }

  /** Indices into descending values of the end that was asked for, still descending. */
  private static int[] chosen(double[] descending, LanczosOptions options) {
    int size = descending.length;
    int modes = options.modes();
    java.util.stream.IntStream all = java.util.stream.IntStream.range(0, size);
    return switch (options.which()) {
      case LA -> all.limit(modes).toArray();
      case SA -> all.skip(size - modes).toArray();
      case BE -> all.filter(i -> i < modes - modes / 2 || i >= size - modes / 2).toArray();
      case LM ->
          all.boxed()
              .sorted((a, b) -> Double.compare(Math.abs(descending[b]), Math.abs(descending[a])))
              .limit(modes)
              .mapToInt(Integer::intValue)
              .sorted()
              .toArray();
    };
  }

  private static double[] residuals(LinearOperator operator, double[] values, Tensor vectors) {
    double[] residuals = new double[values.length];
    try (Tensor products = operator.matmat(vectors)) {
      for (int i = 0; i < values.length; i++) {
        Tensor residual = products.slice(i);
        TensorMath.axpby(operator.context(), -values[i], vectors.slice(i), 1, residual);
        residuals[i] = TensorMath.norm(operator.context(), residual);
      }
    }
    return residuals;
  }
}
