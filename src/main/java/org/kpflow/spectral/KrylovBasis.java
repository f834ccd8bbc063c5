package org.kpflow.spectral;

import java.util.Locale;
import org.kpflow.base.DType;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Vectors of an operator as the rows of one tall matrix V [capacity, n], and the work on blocks of
 * them that dominates beside the products: block Gram-Schmidt and changes of basis, as GEMMs over
 * all threads, with inner products summed in f64. Nothing of the size of a block is allocated after
 * the construction.
 */
final class KrylovBasis implements AutoCloseable {
  private static final int MOST_PASSES = 5;
  private static final int CHUNK = 32; // vectors that go through the operator together
  private static final double DROP = 0.01; // of a squared norm: what is left is mostly rounding

  private final String solver;
  private final LinearOperator operator;
  private final Shape shape;
  private final long n;
  private final double epsilon;
  private final Tensor memory;
  private RngState rng;
  private long matvecs;

  /**
   * Room for so many vectors.
   *
   * @param solver begins the messages
   * @param besides vectors of this size that the solver will allocate elsewhere
   * @throws MemoryException if it will not fit, with the numbers
   */
  KrylovBasis(String solver, LinearOperator operator, long capacity, long besides, RngState rng) {
    this(solver, operator, operator.domain(), capacity, besides, rng);
  }

  /** The same for vectors of another shape of the operator: its range. */
  KrylovBasis(
      String solver,
      LinearOperator operator,
      Shape shape,
      long capacity,
      long besides,
      RngState rng) {
    this.solver = solver;
    this.operator = operator;
    this.shape = shape;
    this.n = shape.count();
    this.epsilon = operator.dtype().epsilon();
    this.rng = rng;
    requireMemory(solver, operator, shape, capacity + besides);
    this.memory = operator.zeros(capacity, n);
  }

  /** Refuses vectors of the operator's domain that do not fit into memory, with the numbers. */
  static void requireMemory(String solver, LinearOperator operator, long vectors) {
    requireMemory(solver, operator, operator.domain(), vectors);
  }

  private static void requireMemory(
      String solver, LinearOperator operator, Shape shape, long vectors) {
    double bytes = (double) vectors * shape.count() * operator.dtype().bytes();
    long available = Engine.availableMemory(operator.device());
    if (available >= 0 && bytes > available) {
      throw new MemoryException(
          String.format(
              Locale.ROOT,
              "%s on %s: %d vectors of %d numbers in %s take %.3g GiB, %.3g are available; ask for"
                  + " a smaller basis, fewer modes or fewer probes",
              solver,
              operator,
              vectors,
              shape.count(),
              operator.dtype(),
              bytes / (1L << 30),
              available / (double) (1L << 30)));
    }
  }

  /** Products so far. */
  long matvecs() {
    return matvecs;
  }

  /** Rows first to first + count - 1 as a matrix [count, n], a view. */
  Tensor rows(int first, int count) {
    return memory.slice(first, count);
  }

  /** The same rows as a block [count, shape], a view. */
  Tensor block(int first, int count) {
    return rows(first, count).reshape(shape.block(count));
  }

  /** Overwrites rows with Gaussian numbers. */
  void randomize(int first, int count) {
    rng = rng.fill(operator.context(), RngState.Distribution.GAUSSIAN, rows(first, count));
  }

  /** Rows target to target + count - 1 become A times the rows from {@code first} on. */
  void multiply(int first, int count, int target) {
    for (int done = 0; done < count; done += CHUNK) {
      AdjointProbe.stopIfInterrupted();
      int s = Math.min(CHUNK, count - done);
      operator.matmat(block(first + done, s), block(target + done, s));
      matvecs += s;
    }
  }

  /** V_x V_yᵀ in f64: the inner products of two ranges of rows, [xCount, yCount], row-major. */
  double[] products(int x, int xCount, int y, int yCount) {
    try (Tensor products =
        TensorMath.rowProducts(operator.context(), rows(x, xCount), rows(y, yCount))) {
      return products.toDoubles();
    }
  }

  /** Norms of rows; refuses what is not finite. */
  double[] norms(int first, int count) {
    Tensor rows = rows(first, count);
    double[] norms = TensorMath.dots(operator.context(), rows, rows);
    for (int i = 0; i < count; i++) {
      AdjointProbe.requireFinite(solver, operator, norms[i]);
      norms[i] = Math.sqrt(norms[i]);
    }
    return norms;
  }

  /** Removes from rows W their part in the orthonormal rows Q: W -= (W Qᵀ) Q. Returns Q Wᵀ. */
  double[] project(int first, int count, int orthonormal, int orthonormalCount) {
    double[] coefficients = products(orthonormal, orthonormalCount, first, count);
    try (Tensor rounded =
        Tensor.of(
            operator.device(), operator.dtype(), Shape.of(orthonormalCount, count), coefficients)) {
      TensorMath.gemm(
          operator.context(),
          true,
          false,
          -1,
          rounded,
          rows(orthonormal, orthonormalCount),
          1,
          rows(first, count));
    }
    return coefficients;
  }

  /** The first rows of the result of a range become C times the range; C [kept, count]. */
  void combine(int first, int count, double[] coefficients) {
    int kept = coefficients.length / count;
    try (Tensor c = Tensor.of(DType.F64, Shape.of(kept, count), coefficients)) {
      TensorMath.combineRows(operator.context(), c, rows(first, count));
    }
  }

  /** What {@link #orthonormalize} took out of a block W: W = Cᵀ V + B Q. */
  record Factors(double[] projection, double[] coupling) {}

  /**
   * Makes the rows W = [first, first + count) orthonormal to each other and to all rows V before
   * them, which are orthonormal; first + count is at most n. A row of norm {@code negligible} or
   * less, or in the span of the others, is replaced by a random direction, which the coupling B
   * leaves out. Block Gram-Schmidt, repeated where more than rounding was lost, with the block's
   * own factorization by {@link #whiten}. Returns C [first, count] and B [count, count].
   */
  Factors orthonormalize(int first, int count, double negligible) {
    double[] coupling = SmallMatrix.identity(count);
    double[] projection = null;
    double floor = negligible;
    for (int pass = 0; pass < MOST_PASSES; pass++) {
      double[] removed = first == 0 ? new double[0] : project(first, count, 0, first);
      projection = projection == null ? removed : projection;
      double[] norms = norms(first, count);
      boolean clean = true;
      for (int i = 0; i < count; i++) {
        double before = norms[i] * norms[i];
        for (int j = 0; j < first; j++) {
          before += removed[j * count + i] * removed[j * count + i];
        }
        if (norms[i] <= floor) {
          SmallMatrix.scaleColumn(coupling, count, i, 0);
          randomize(first + i, 1);
          norms[i] = Math.sqrt(n);
          clean = false;
        } else {
          SmallMatrix.scaleColumn(coupling, count, i, norms[i]);
          clean &= norms[i] * norms[i] > DROP * before;
        }
        Tensor row = rows(first + i, 1);
        TensorMath.axpby(operator.context(), 0, row, 1 / norms[i], row);
      }
      Whitened whitened = whiten(first, count);
      coupling = SmallMatrix.multiply(coupling, whitened.factor, count);
      if (clean && whitened.condition < worstCondition()) {
        break;
      }
      floor = 10 * epsilon;
    }
    return new Factors(projection, coupling);
  }

  /** Up to this condition number of a block, one projection leaves it orthogonal to the rest. */
  private double worstCondition() {
    return operator.dtype() == DType.F32 ? 30 : 100;
  }

  private record Whitened(double[] factor, double condition) {}

  /**
   * Orthonormalizes unit rows W among themselves by SVQB (Stathopoulos and Wu, 2002): with the Gram
   * matrix W Wᵀ = U Λ Uᵀ, Q = Λ^{-1/2} Uᵀ W, so W = U Λ^{1/2} Q. Eigenvalues below rounding are
   * raised to it, and the step is repeated until Q is orthonormal: twice for a block of any
   * reasonable condition. Returns the product of the factors U Λ^{1/2}, and W's condition number.
   */
  private Whitened whiten(int first, int count) {
    double[] factor = SmallMatrix.identity(count);
    double condition = 1;
    for (int pass = 0; pass < MOST_PASSES; pass++) {
      SmallMatrix.Eigen gram =
          SmallMatrix.eigen(SmallMatrix.symmetrized(products(first, count, first, count), count));
      double largest = gram.values()[0];
      double least = gram.values()[count - 1];
      double floor = 4 * count * epsilon * largest;
      double[] left = new double[count * count];
      double[] right = new double[count * count];
      for (int i = 0; i < count; i++) { // row i of vectors is column i of U
        double root = Math.sqrt(Math.max(gram.values()[i], floor));
        for (int j = 0; j < count; j++) {
          left[i * count + j] = gram.vectors()[i * count + j] / root;
          right[j * count + i] = gram.vectors()[i * count + j] * root;
        }
      }
      combine(first, count, left);
      factor = SmallMatrix.multiply(factor, right, count);
      if (pass == 0) {
        condition = Math.sqrt(largest / Math.max(least, floor));
      }
      if (least > 0.5 && pass > 0) {
        break;
      }
    }
    return new Whitened(factor, condition);
  }

  /**
   * Removes what rounding has left of non-orthogonality among rows that are almost orthonormal,
   * moving them as little as can be: X becomes (X Xᵀ)^{-1/2} X.
   */
  void polish(int first, int count) {
    SmallMatrix.Eigen gram =
        SmallMatrix.eigen(SmallMatrix.symmetrized(products(first, count, first, count), count));
    double[] scaled = gram.vectors().clone();
    for (int i = 0; i < count; i++) {
      double root = Math.sqrt(Math.max(gram.values()[i], epsilon));
      for (int j = 0; j < count; j++) {
        scaled[i * count + j] /= root;
      }
    }
    combine(first, count, SmallMatrix.transposedTimes(gram.vectors(), scaled, count));
  }

  /** Moves rows down: {@code count} rows from {@code from} to {@code to}, which is not above. */
  void move(int from, int to, int count) {
    for (int i = 0; i < count; i++) {
      rows(to + i, 1).copyFrom(rows(from + i, 1));
    }
  }

  @Override
  public void close() {
    memory.close();
  }
}
