package org.kpflow.spectral;

import java.util.function.DoubleUnaryOperator;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * How the eigenvalues of a self-adjoint operator are distributed, μ = Σ_i δ(λ - λ_i), by stochastic
 * Lanczos quadrature (Lin, Saad, Yang 2016; Ubaru, Chen, Saad 2017). A random vector z with ‖z‖² =
 * n has E⟨z, f(A) z⟩ = tr f(A), and k steps of Lanczos from z give a Gauss quadrature
 *
 * <pre>⟨z, f(A) z⟩ ≈ Σ_j w_j f(θ_j)      θ the eigenvalues of T_k, w_j = n (first entry of y_j)²
 * </pre>
 *
 * exact for polynomials of degree 2 k - 1. Everything here is the mean over the probes with its
 * standard error; what a finite k blurs is not in the error.
 */
public final class SpectralDensity {
  private static final String NAME = "spectral density";
  private static final double ROUNDING = 100; // times ε ‖A‖: below, a Krylov space is invariant
  private static final int PROBE = 0xDE45; // label of the probe's random stream

  private final double[][] nodes;
  private final double[][] weights;
  private final long matvecs;

  private SpectralDensity(double[][] nodes, double[][] weights, long matvecs) {
    this.nodes = nodes;
    this.weights = weights;
    this.matvecs = matvecs;
  }

  /**
   * The density from random vectors on a sphere, all advanced together as one block.
   *
   * @param probes random vectors, at least 2
   * @param steps products with each, at least 1, at most the size; probes × (steps + 1) vectors are
   *     kept for reorthogonalization
   * @throws IllegalArgumentException if the operator is not self-adjoint, or found not to be by a
   *     probe (operators of the engine are not probed)
   * @throws org.kpflow.base.NumericalException if a product is infinite or not a number
   * @throws org.kpflow.base.MemoryException if the vectors do not fit into memory
   * @throws org.kpflow.base.CancelledException if the thread is interrupted
   */
  public static SpectralDensity of(LinearOperator operator, int probes, int steps, RngState rng) {
    Eigsh.requireModes(operator, 1);
    Checks.notNull(rng, "rng");
    Checks.that(probes >= 2, "probes: expected at least 2, got %d", probes);
    long size = operator.domain().count();
    Checks.that(steps >= 1 && steps <= size, "steps: expected 1 to %d, got %d", size, steps);
    long rows = (long) probes * (steps + 2);
    Checks.that(
        rows <= Integer.MAX_VALUE, "probes: expected fewer than 2^31 vectors, got %d", rows);
    KrylovBasis.requireMemory(NAME, operator, rows);
    int probed = Eigsh.probe(NAME, operator, rng.split(PROBE));
    try (KrylovBasis basis = new KrylovBasis(NAME, operator, rows, 0, rng)) {
      Tridiagonal[] matrices = lanczos(operator, basis, probes, steps);
      double[][] nodes = new double[probes][];
      double[][] weights = new double[probes][];
      for (int p = 0; p < probes; p++) {
        matrices[p].quadrature(p, size, nodes, weights);
      }
      return new SpectralDensity(nodes, weights, basis.matvecs() + probed);
    }
  }

  /** The matrix T of one probe: alpha on the diagonal, beta beside it. */
  private static final class Tridiagonal {
    private final double[] alpha;
    private final double[] beta;
    private int steps;
    private double norm;

    Tridiagonal(int most) {
      alpha = new double[most];
      beta = new double[most];
    }

    private void quadrature(int probe, long size, double[][] nodes, double[][] weights) {
      double[] t = new double[steps * steps];
      for (int j = 0; j < steps; j++) {
        t[j * steps + j] = alpha[j];
        if (j + 1 < steps) {
          t[j * steps + j + 1] = beta[j];
          t[(j + 1) * steps + j] = beta[j];
        }
      }
      SmallMatrix.Eigen eigen = SmallMatrix.eigen(t);
      nodes[probe] = eigen.values();
      weights[probe] = new double[steps];
      for (int j = 0; j < steps; j++) {
        double first = eigen.vectors()[j * steps];
        weights[probe][j] = size * first * first;
      }
    }
  }

  /**
   * Lanczos from every probe. Probe p keeps its vectors in the rows p steps to (p + 1) steps - 1;
   * behind them lie the block that goes through the operator and its products.
   */
  private static Tridiagonal[] lanczos(
      LinearOperator operator, KrylovBasis basis, int probes, int steps) {
    int in = probes * steps;
    int out = in + probes;
    Tridiagonal[] matrices = new Tridiagonal[probes];
    basis.randomize(in, probes);
    double[] norms = basis.norms(in, probes);
    for (int p = 0; p < probes; p++) {
      matrices[p] = new Tridiagonal(steps);
      scale(operator, basis, in + p, 1 / norms[p]);
    }
    for (int j = 0; j < steps; j++) {
      basis.multiply(in, probes, out);
      basis.norms(out, probes); // refuses what is not finite
      boolean running = false;
      for (int p = 0; p < probes; p++) {
        if (matrices[p].steps == j) { // others have come to an invariant subspace
          basis.move(in + p, p * steps + j, 1);
          running |= extend(operator, basis, matrices[p], p * steps, out + p, in + p);
        }
      }
      if (!running) {
        break;
      }
    }
    return matrices;
  }

  /**
   * One step: w = A v_j - α_j v_j - β_{j-1} v_{j-1}, orthogonal to all v; β_j = ‖w‖, v_{j+1} = w /
   * β_j. Whether there is a next step.
   */
  private static boolean extend(
      LinearOperator operator, KrylovBasis basis, Tridiagonal t, int first, int product, int next) {
    int j = t.steps++;
    Tensor w = basis.rows(product, 1);
    t.alpha[j] = TensorMath.dot(operator.context(), basis.rows(first + j, 1), w);
    t.norm = Math.max(t.norm, TensorMath.norm(operator.context(), w));
    basis.project(product, 1, first, j + 1);
    basis.project(product, 1, first, j + 1);
    t.beta[j] = basis.norms(product, 1)[0];
    boolean goesOn =
        t.beta[j] > ROUNDING * operator.dtype().epsilon() * t.norm && t.steps < t.alpha.length;
    basis.rows(next, 1).copyFrom(w);
    scale(operator, basis, next, goesOn ? 1 / t.beta[j] : 0);
    return goesOn;
  }

  private static void scale(LinearOperator operator, KrylovBasis basis, int row, double factor) {
    TensorMath.axpby(operator.context(), 0, basis.rows(row, 1), factor, basis.rows(row, 1));
  }

  /** Number of probes. */
  public int probes() {
    return nodes.length;
  }

  /** Products with the operator. */
  public long matvecs() {
    return matvecs;
  }

  /**
   * The quadrature nodes θ of a probe, descending; fewer than steps where it met the whole space.
   */
  public double[] nodes(int probe) {
    return nodes[probe].clone();
  }

  /** The weights of a probe's nodes; they sum to the operator's size. */
  public double[] weights(int probe) {
    return weights[probe].clone();
  }

  /** tr f(A) = Σ_i f(λ_i). */
  public Estimate trace(DoubleUnaryOperator f) {
    Checks.notNull(f, "f");
    double[] samples = new double[nodes.length];
    for (int p = 0; p < samples.length; p++) {
      for (int j = 0; j < nodes[p].length; j++) {
        samples[p] += weights[p][j] * f.applyAsDouble(nodes[p][j]);
      }
    }
    return Estimate.ofSamples(samples, matvecs);
  }

  /**
   * Eigenvalues per unit of λ at each point of a grid, every one blurred to a Gaussian of standard
   * deviation {@code width}: Σ_i exp(-(x - λ_i)² / 2 width²) / (√(2π) width). The integral is the
   * operator's size.
   *
   * @throws IllegalArgumentException if the width is not positive and finite
   */
  public Estimate[] density(double[] grid, double width) {
    Checks.that(
        width > 0 && Double.isFinite(width), "width: expected a positive number, got %s", width);
    double height = 1 / (Math.sqrt(2 * Math.PI) * width);
    return onGrid(
        grid,
        (x, node) -> {
          double distance = (x - node) / width;
          return height * Math.exp(-distance * distance / 2);
        });
  }

  /** The number of eigenvalues at most x, for each x of a grid. */
  public Estimate[] cumulative(double[] grid) {
    return onGrid(grid, (x, node) -> node <= x ? 1 : 0);
  }

  private interface Kernel {
    double at(double x, double node);
  }

  private Estimate[] onGrid(double[] grid, Kernel kernel) {
    Checks.notNull(grid, "grid");
    Estimate[] estimates = new Estimate[grid.length];
    for (int i = 0; i < grid.length; i++) {
      double x = grid[i];
      Checks.that(!Double.isNaN(x), "grid: expected numbers, got NaN at %d", i);
      estimates[i] = trace(node -> kernel.at(x, node));
    }
    return estimates;
  }
}
