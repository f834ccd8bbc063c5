package org.kpflow.spectral;

import java.util.Arrays;
import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Many extreme eigenpairs of a self-adjoint operator by thick-restarted block Lanczos (Wu and Simon
 * 2000; Zhou and Saad 2008, there called block Krylov-Schur; Saad, Numerical Methods for Large
 * Eigenvalue Problems, 6.5). The rows V of a basis grow by a block Q at a time,
 *
 * <pre>A V = T V + E Bᵀ Q      T = V A Vᵀ, E the rows of V that were multiplied last</pre>
 *
 * with every block made orthogonal to all before it. T's eigenvectors y give Ritz pairs (θ, yᵀ V)
 * with residuals ‖Bᵀ y_last‖. When the basis is full, the best Ritz vectors stay, T becomes their
 * diag(θ), and Q goes on.
 *
 * <p>A block of b random vectors sees b copies of a repeated eigenvalue and no more. Where b or
 * more of the values found coincide, the solution is therefore continued from new random vectors
 * orthogonal to what was found, until nothing new appears.
 */
public final class BlockKrylov {
  private static final String NAME = "block Krylov";
  private static final int MOST_BASIS = 16_000; // LAPACK's eigenvectors of T end there
  private static final int CHEAP = 256; // up to this basis, convergence is looked at every step
  private static final int CHECKS = 3; // and beyond, about so many times between restarts

  private final LinearOperator operator;
  private final BlockKrylovOptions options;
  private final int modes;
  private final int block;
  private final int most; // rows of the basis beside the block
  private final KrylovBasis basis;
  private final double[] t; // T, [most, most]; the leading [known, known] is filled
  private int known; // rows of V that have been multiplied
  private int last; // first of those multiplied last
  private double[]
      coupling; // B [block, block], of the rows [last, known) with the block after them
  private boolean arrow; // the block couples to all rows: the first after a restart
  private double norm; // largest norm of a product with a unit vector so far
  private int seen; // copies of an eigenvalue that the start vectors can tell apart
  private int restarts;

  private BlockKrylov(LinearOperator operator, BlockKrylovOptions options, RngState rng) {
    this.operator = operator;
    this.options = options;
    this.modes = options.modes();
    this.block = options.blockSize();
    this.most = (int) options.basisSize();
    this.basis = new KrylovBasis(NAME, operator, (long) most + block, modes, rng);
    this.t = new double[most * most];
  }

  /**
   * The eigenpairs that the options ask for, values descending. Operators that are too small for
   * the basis, or asked for at least half of their modes (up to size 4,096), are solved densely.
   *
   * @throws IllegalArgumentException if the operator is not self-adjoint, or found not to be by a
   *     probe (operators of the engine are not probed), if more modes are asked for than it has, or
   *     if the tolerance is below the precision of its type
   * @throws NoConvergenceException with the pairs that converged, if not all did
   * @throws org.kpflow.base.NumericalException if a product is infinite or not a number
   * @throws org.kpflow.base.MemoryException if the basis does not fit into memory
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static EigenPairs solve(LinearOperator operator, BlockKrylovOptions options) {
    return solve(operator, options, false);
  }

  /** The same without the probe. */
  static EigenPairs solveTrusted(LinearOperator operator, BlockKrylovOptions options) {
    return solve(operator, options, true);
  }

  private static EigenPairs solve(
      LinearOperator operator, BlockKrylovOptions options, boolean trusted) {
    Checks.notNull(options, "options");
    Eigsh.requireModes(operator, options.modes());
    requireTolerance(operator, options.tolerance());
    long size = operator.domain().count();
    Checks.that(
        options.basis() == 0 || options.basis() >= options.modes() + 2L * options.blockSize(),
        "basis: expected at least modes + 2 block = %d, got %d",
        options.modes() + 2L * options.blockSize(),
        options.basis());
    requireStart(operator, options.start());
    long basis = options.basisSize();
    int block = options.blockSize();
    boolean dense = Eigsh.isSmall(size, options.modes()) || basis + block > size;
    if (!dense) {
      Checks.that(basis <= MOST_BASIS, "basis: expected at most %d, got %d", MOST_BASIS, basis);
      KrylovBasis.requireMemory(NAME, operator, basis + block + options.modes());
    }
    int probed = trusted ? 0 : Eigsh.probe(NAME, operator, options.rng());
    if (dense) {
      return Eigsh.dense(operator, options.modes(), options.which(), probed);
    }
    BlockKrylov run = new BlockKrylov(operator, options, options.rng());
    try (run.basis) {
      return run.pairs(run.iterate(), probed);
    }
  }

  static void requireTolerance(LinearOperator operator, double tolerance) {
    Checks.that(
        tolerance >= operator.dtype().epsilon(),
        "tolerance: expected at least the precision of %s, %.3g, got %.3g",
        operator.dtype(),
        operator.dtype().epsilon(),
        tolerance);
  }

  static void requireStart(LinearOperator operator, Tensor start) {
    if (start != null) {
      long s = start.shape().rank() == 0 ? 0 : start.shape().size(0);
      Checks.that(s >= 1, "start: expected a block [s, domain], got shape %s", start.shape());
      Checks.shape("start", operator.domain().block(s), start.shape());
    }
  }

  /** Ritz values, descending, with vectors in terms of the basis and residuals. */
  private record Ritz(double[] values, double[] vectors, double[] residuals, int[] preferred) {}

  /** Whether a residual is small enough for a value. */
  private boolean isSmall(double residual, double value) {
    return residual <= allowed(value);
  }

  private double allowed(double value) {
    return Math.max(options.tolerance() * Math.abs(value), operator.dtype().epsilon() * norm);
  }

  private Ritz iterate() {
    start();
    int kept = 0;
    double[] confirmed = null; // what had converged before new random vectors came in
    boolean searching = false; // with these: nothing is judged before the basis is full
    while (true) {
      int between = most <= CHEAP ? 1 : ((most - kept) / block + CHECKS - 1) / CHECKS;
      Ritz ritz = null;
      for (int step = 1; known + block <= most; step++) {
        step();
        boolean full = known + block > most;
        if (known >= modes + block && (full || (!searching && step % between == 0))) {
          ritz = ritz();
          if (hasConverged(ritz)) {
            break;
          }
        }
      }
      boolean converged = hasConverged(ritz);
      double[] wanted = wanted(ritz);
      boolean done = converged && (!mayHideCopies(wanted) || isSame(wanted, confirmed));
      if (done || restarts == options.maxRestarts()) {
        return ritz;
      }
      restarts++;
      searching = converged;
      kept = searching ? modes : kept();
      restart(ritz, kept, searching);
      confirmed = converged ? wanted : confirmed;
    }
  }

  /** Ritz vectors that a restart keeps: the wanted ones and half of the others. */
  private int kept() {
    int steps = (most - modes) / block; // at least 2
    return most - (steps + 2) / 2 * block;
  }

  /** The first block: random, or random combinations of the start vectors with some noise. */
  private void start() {
    Tensor start = options.start();
    basis.randomize(0, block);
    seen = block;
    if (start != null) {
      int count = (int) Math.min(start.shape().size(0), Integer.MAX_VALUE);
      seen = Math.max(2, block / 4);
      int given = Math.min(count, block - seen);
      seen = block - given;
      try (Tensor vectors = start.to(operator.device(), operator.dtype());
          Tensor mixture = mixture(given, count)) {
        TensorMath.gemm(
            operator.context(),
            false,
            false,
            1,
            mixture,
            vectors.reshape(Shape.of(count, operator.domain().count())),
            0,
            basis.rows(0, given));
      }
      double[] norms = basis.norms(0, given);
      Checks.that(Arrays.stream(norms).sum() > 0, "start: expected vectors that are not all zero");
    }
    basis.orthonormalize(0, block, 0);
    arrow = true;
  }

  /** Weights [given, count] of the start vectors: the vectors themselves where they fit. */
  private Tensor mixture(int given, int count) {
    Tensor weights = operator.zeros(given, count);
    if (given < count) {
      options.rng().split(2).fill(operator.context(), RngState.Distribution.GAUSSIAN, weights);
    } else {
      TensorMath.fill(new long[] {given}, 1, weights, new long[] {count + 1L});
    }
    return weights;
  }

  /** Multiplies the block [known, known + block), extends T by it and makes the next block. */
  private void step() {
    int next = known + block;
    basis.multiply(known, block, next);
    for (double length : basis.norms(next, block)) {
      norm = Math.max(norm, length);
    }
    // T[:, Q] = V A Qᵀ, first for the rows that A Q has parts along in exact arithmetic.
    int first = arrow ? 0 : last;
    add(first, basis.project(next, block, first, next - first));
    KrylovBasis.Factors factors =
        basis.orthonormalize(next, block, 2 * operator.dtype().epsilon() * norm);
    add(0, factors.projection());
    for (int i = 0; i < next; i++) {
      for (int j = known; j < next; j++) {
        boolean both = i >= known;
        double entry = both ? (t[i * most + j] + t[j * most + i]) / 2 : t[i * most + j];
        t[i * most + j] = entry;
        t[j * most + i] = entry;
      }
    }
    coupling = factors.coupling();
    last = known;
    known = next;
    arrow = false;
  }

  /** T[first + i, known + j] += C[i, j]. */
  private void add(int first, double[] c) {
    for (int i = 0; i < c.length / block; i++) {
      for (int j = 0; j < block; j++) {
        t[(first + i) * most + known + j] += c[i * block + j];
      }
    }
  }

  private Ritz ritz() {
    double[] square = new double[known * known];
    for (int i = 0; i < known; i++) {
      System.arraycopy(t, i * most, square, i * known, known);
    }
    SmallMatrix.Eigen eigen = SmallMatrix.eigen(square);
    double[] residuals = new double[known];
    for (int i = 0; i < known; i++) {
      double sum = 0; // ‖Bᵀ y_last‖²
      for (int j = 0; j < block; j++) {
        double entry = 0;
        for (int row = 0; row < block; row++) {
          entry += coupling[row * block + j] * eigen.vectors()[i * known + last + row];
        }
        sum += entry * entry;
      }
      residuals[i] = Math.sqrt(sum);
    }
    norm =
        Math.max(norm, Math.max(Math.abs(eigen.values()[0]), Math.abs(eigen.values()[known - 1])));
    int[] preferred = Eigsh.preferred(eigen.values(), options.which());
    return new Ritz(eigen.values(), eigen.vectors(), residuals, preferred);
  }

  private boolean hasConverged(Ritz ritz) {
    for (int i = 0; i < modes; i++) {
      int at = ritz.preferred[i];
      if (!isSmall(ritz.residuals[at], ritz.values[at])) {
        return false;
      }
    }
    return true;
  }

  /** The values asked for, descending. */
  private double[] wanted(Ritz ritz) {
    return Arrays.stream(ritz.preferred, 0, modes)
        .sorted()
        .mapToDouble(i -> ritz.values[i])
        .toArray();
  }

  /** Whether as many values coincide, to the tolerance, as the start vectors can tell apart. */
  private boolean mayHideCopies(double[] wanted) {
    for (int i = 0; i + seen <= modes; i++) {
      double value = wanted[i];
      boolean isNoise = Math.abs(value) <= 10 * operator.dtype().epsilon() * norm;
      if (!isNoise && value - wanted[i + seen - 1] <= 4 * allowed(value)) {
        return true;
      }
    }
    return false;
  }

  private boolean isSame(double[] wanted, double[] confirmed) {
    for (int i = 0; confirmed != null && i < modes; i++) {
      if (Math.abs(wanted[i] - confirmed[i]) > 4 * allowed(wanted[i])) {
        return false;
      }
    }
    return confirmed != null;
  }

  /** V becomes the preferred Ritz vectors, T their values; the block stays, or becomes random. */
  private void restart(Ritz ritz, int kept, boolean fresh) {
    int[] order = Arrays.stream(ritz.preferred, 0, kept).sorted().toArray();
    basis.combine(0, known, chosen(ritz, order));
    basis.move(known, kept, block);
    Arrays.fill(t, 0);
    for (int i = 0; i < kept; i++) {
      t[i * most + i] = ritz.values[order[i]];
    }
    known = kept;
    arrow = true;
    if (fresh) {
      basis.randomize(known, block);
      basis.orthonormalize(known, block, 0);
      seen = block;
    }
  }

  /** The coefficients of some Ritz vectors in the basis, [order.length, known]. */
  private double[] chosen(Ritz ritz, int[] order) {
    double[] rows = new double[order.length * known];
    for (int i = 0; i < order.length; i++) {
      System.arraycopy(ritz.vectors, order[i] * known, rows, i * known, known);
    }
    return rows;
  }

  /** The wanted pairs that have converged, with the residuals of their products. */
  private EigenPairs pairs(Ritz ritz, int probed) {
    int[] order =
        Arrays.stream(ritz.preferred, 0, modes)
            .filter(i -> isSmall(ritz.residuals[i], ritz.values[i]))
            .sorted()
            .toArray();
    int found = order.length;
    double[] values = Arrays.stream(order).mapToDouble(i -> ritz.values[i]).toArray();
    double[] residuals = new double[found];
    Tensor vectors = operator.zeros(operator.domain().block(found));
    try {
      if (found > 0) {
        basis.combine(0, known, chosen(ritz, order));
        basis.polish(0, found);
        vectors.copyFrom(basis.block(0, found));
        residuals(values, residuals);
      }
    } catch (RuntimeException | Error failure) {
      vectors.close();
      throw failure;
    }
    EigenPairs pairs =
        new EigenPairs(
            values, vectors, residuals, basis.matvecs() + probed, restarts, found == modes);
    if (found < modes) {
      throw new NoConvergenceException(
          NAME
              + " on "
              + operator
              + ": "
              + found
              + " of "
              + modes
              + " eigenpairs converged in "
              + restarts
              + " restarts; raise maxRestarts, basis or tolerance",
          pairs);
    }
    return pairs;
  }

  /** Fills in ‖A v - λ v‖; the rows behind the vectors are free by now. */
  private void residuals(double[] values, double[] residuals) {
    for (int first = 0; first < values.length; first += block) {
      int count = Math.min(block, values.length - first);
      basis.multiply(first, count, most);
      for (int i = 0; i < count; i++) {
        TensorMath.axpby(
            operator.context(),
            -values[first + i],
            basis.rows(first + i, 1),
            1,
            basis.rows(most + i, 1));
      }
      System.arraycopy(basis.norms(most, count), 0, residuals, first, count);
    }
  }
}
