package org.kpflow.spectral;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
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
 *
 * <p>Lanczos from one start vector sees one copy of a repeated eigenvalue; ARPACK finds the others
 * because rounding brings them in, which takes further restarts and is not certain where many
 * copies meet a loose tolerance: a pair counts as converged by its residual alone. {@link
 * BlockKrylov} looks for further copies.
 */
public final class Eigsh {
  private static final String NAME = "eigsh";
  private static final int PROBE = 0x5E1F; // label of the probe's random stream
  private static final long DENSE_SIZE = 32;
  private static final long DENSE_MOST = 4096;

  private Eigsh() {}

  /**
   * The eigenpairs that the options ask for, values descending.
   *
   * @throws IllegalArgumentException if the operator is not self-adjoint, or found not to be by a
   *     probe (operators of the engine are not probed), or more modes are asked for than it has
   * @throws NoConvergenceException with the pairs that converged, if not all did
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static EigenPairs solve(LinearOperator operator, LanczosOptions options) {
    Checks.notNull(operator, "operator");
    Checks.notNull(options, "options");
    requireModes(operator, options.modes());
    long size = operator.domain().count();
    if (isSmall(size, options.modes())) {
      int probed = probe(NAME, operator, options.rng());
      return dense(operator, options.modes(), options.which(), probed);
    }
    return lanczos(operator, options, size);
  }

  /** Refuses an operator that does not claim to be self-adjoint, and too many modes. */
  static void requireModes(LinearOperator operator, int modes) {
    Checks.notNull(operator, "operator");
    Checks.that(operator.isSelfAdjoint(), "operator %s: expected a self-adjoint one", operator);
    long size = operator.domain().count();
    Checks.that(modes <= size, "modes: expected at most %d for %s, got %d", size, operator, modes);
  }

  /**
   * Refuses an operator that is not what it claims, by two products. Those of the engine are
   * self-adjoint by construction and are not probed: two products are much where few modes are
   * wanted. Returns the number of products.
   */
  static int probe(String solver, LinearOperator operator, RngState rng) {
    boolean known = operator instanceof NativeOperator;
    return known ? 0 : AdjointProbe.check(solver, operator, rng.split(PROBE));
  }

  /** Whether a dense solution is the better way to some modes of an operator. */
  static boolean isSmall(long size, int modes) {
    return size <= DENSE_SIZE || (2L * modes >= size && size <= DENSE_MOST);
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
    Tensor vectors = operator.zeros(operator.domain().block(modes));
    try (Tensor start = startVector(operator, options);
        Tensor x = operator.zeros(operator.domain());
        Tensor y = operator.zeros(operator.domain())) {
      int probed = probe(NAME, operator, options.rng());
      NativeOperator engine = operator instanceof NativeOperator known ? known : null;
      Arpack.Outcome outcome =
          Arpack.eigsh(
              operator.context().handle(),
              request,
              engine,
              product(operator, x, y),
              start.memory(),
              vectors.memory());
      int converged = (int) outcome.converged();
      boolean complete = converged == modes;
      EigenPairs pairs =
          new EigenPairs(
              outcome.values(),
              complete ? vectors : kept(vectors, converged),
              outcome.residuals(),
              outcome.matvecs() + probed,
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
      AdjointProbe.stopIfInterrupted();
      Engine.copy(in, x.memory());
      operator.matvec(x, y);
      Engine.copy(y.memory(), out);
    };
  }

  private static Tensor startVector(LinearOperator operator, LanczosOptions options) {
    if (options.start() != null) {
      Checks.shape("start", operator.domain(), options.start().shape());
      Tensor start = options.start().to(operator.device(), operator.dtype());
      if (TensorMath.norm(operator.context(), start) > 0) {
        return start;
      }
      start.close();
      Checks.that(false, "start: expected a vector that is not zero");
    }
    Tensor start = operator.zeros(operator.domain());
    options.rng().fill(operator.context(), RngState.Distribution.GAUSSIAN, start);
    return start;
  }

  /** Some modes from the dense matrix; the products that a probe took are added to the count. */
  static EigenPairs dense(
      LinearOperator operator, int modes, LanczosOptions.Which which, int probed) {
    int size = (int) operator.domain().count();
    try (Tensor matrix = operator.toDense();
        Tensor wide = matrix.to(Device.CPU, DType.F64)) {
      DenseEigen eigen = DenseEigen.of(wide);
      int[] preferred = preferred(eigen.values(), which);
      int[] order = Arrays.stream(preferred, 0, modes).sorted().toArray();
      double[] values = new double[order.length];
      Tensor vectors = operator.zeros(operator.domain().block(order.length));
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
            (long) size + values.length + probed,
            0,
            true);
      } catch (RuntimeException failure) {
        vectors.close();
        throw failure;
      }
    }
  }

  /** Indices into descending values, those of the end that was asked for first. */
  static int[] preferred(double[] descending, LanczosOptions.Which which) {
    int last = descending.length - 1;
    IntStream all = IntStream.rangeClosed(0, last);
    return switch (which) {
      case LA -> all.toArray();
      case SA -> all.map(i -> last - i).toArray();
      case BE -> all.map(i -> i % 2 == 0 ? i / 2 : last - i / 2).toArray();
      case LM ->
          all.boxed()
              .sorted((a, b) -> Double.compare(Math.abs(descending[b]), Math.abs(descending[a])))
              .mapToInt(Integer::intValue)
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
