package org.kpflow.train;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.TrainingKernels;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Shampoo (Gupta, Koren and Singer 2018): for every matrix with gradient G [m, n], L ← L + G Gᵀ and
 * R ← R + Gᵀ G from ε I on, and θ ← θ - η L^(-1/4) G R^(-1/4). A vector is a column: θ ← θ - η
 * L^(-1/2) g, without R. L, R and their roots are in f64 for every type of θ.
 *
 * <p>Roots come from LAPACK's symmetric eigensolver. No eigenvalue of L or R lies below ε but for
 * rounding, so those that are found below count as ε.
 */
public final class Shampoo implements Optimizer {
  private final ExecutionContext context;
  private final long interval;
  private final double epsilon;
  private final Map<String, Tensor> state = new LinkedHashMap<>();
  private final List<Matrix> matrices;

  /**
   * One parameter as a matrix, with its statistics and their roots; the right ones null for a
   * column.
   */
  private record Matrix(
      Parameter parameter,
      long m,
      long n,
      Tensor left,
      Tensor right,
      Tensor leftRoot,
      Tensor rightRoot) {}

  /**
   * An optimizer of these parameters, which are vectors and matrices.
   *
   * @param epsilon ε, above 0
   * @param interval steps from one computation of the roots to the next; L and R are updated at
   *     every step
   */
  public Shampoo(
      ExecutionContext context, List<Parameter> parameters, double epsilon, long interval) {
    Checks.that(
        epsilon > 0 && Double.isFinite(epsilon), "epsilon: expected above 0, got %s", epsilon);
    Checks.that(interval >= 1, "interval: expected at least 1, got %d", interval);
    this.context = Checks.notNull(context, "context");
    this.epsilon = epsilon;
    this.interval = interval;
    for (Parameter parameter : parameters) {
      Shape shape = parameter.value().shape();
      Checks.that(
          shape.rank() == 1 || shape.rank() == 2,
          "%s: expected a vector or a matrix, got shape %s",
          parameter.name(),
          shape);
    }
    this.matrices = parameters.stream().map(this::matrix).toList();
  }

  private Matrix matrix(Parameter parameter) {
    Shape shape = parameter.value().shape();
    boolean column = shape.rank() == 1;
    long m = shape.size(0);
    long n = column ? 1 : shape.size(1);
    return new Matrix(
        parameter,
        m,
        n,
        diagonal("L.", parameter, m, epsilon),
        column ? null : diagonal("R.", parameter, n, epsilon),
        diagonal("L_root.", parameter, m, 0),
        column ? null : diagonal("R_root.", parameter, n, 0));
  }

  private Tensor diagonal(String kind, Parameter parameter, long size, double value) {
    Tensor matrix = context.zeros(DType.F64, size, size);
    TensorMath.fill(new long[] {size}, value, matrix, new long[] {size + 1});
    state.put(kind + parameter.name(), matrix);
    return matrix;
  }

  /** Computes the roots at steps 1, 1 + interval, 1 + 2 interval, … */
  @Override
  public void step(long step, double learningRate) {
    for (Matrix matrix : matrices) {
      Tensor gradient = matrix.parameter.gradient();
      TrainingKernels.shampooAccumulate(
          context.handle(),
          gradient.dtype(),
          matrix.m,
          matrix.n,
          gradient.memory(),
          matrix.left.memory(),
          matrix.right == null ? null : matrix.right.memory());
      if ((step - 1) % interval == 0) {
        int root = matrix.right == null ? 2 : 4;
        takeRoot(matrix.left, root, matrix.leftRoot);
        if (matrix.right != null) {
          takeRoot(matrix.right, root, matrix.rightRoot);
        }
      }
      TrainingKernels.shampooStep(
          context.handle(),
          gradient.dtype(),
          matrix.m,
          matrix.n,
          learningRate,
          matrix.leftRoot.memory(),
          gradient.memory(),
          matrix.right == null ? null : matrix.rightRoot.memory(),
          matrix.parameter.value().memory());
    }
  }

  private void takeRoot(Tensor statistics, int root, Tensor out) {
    TrainingKernels.inverseRoot(
        context.handle(),
        statistics.shape().size(0),
        statistics.memory(),
        root,
        epsilon,
        out.memory());
  }

  @Override
  public Map<String, Tensor> state() {
    return state;
  }

  @Override
  public void close() {
    state.values().forEach(Tensor::close);
  }
}
