package org.kpflow.flow;

import java.util.Arrays;
import java.util.List;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.nativelib.LinearizationHandle.Layer;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigsh;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * How much of a perturbation of each layer is seen in a part of the state: with E_l the embedding
 * of layer l, ||R P E_l||². A mode of K in layer l with eigenvalue λ adds at most ||R P E_l||² λ to
 * the norm of R NTK R*, so that is what modes of different layers are compared by.
 *
 * @param squares ||R P E_l||² per layer, 0 for layers without trainable weights
 * @param whole ||R P||²
 * @param largest λ_1 of ⊕_l ||R P E_l||² K_l
 */
record LayerGains(double[] squares, double whole, double largest) {
  private static final double TOLERANCE = 1e-3; // of singular values, to which bounds are enlarged

  /** All layers alike, for K itself. */
  static LayerGains none(Linearization linearization) {
    double[] ones = new double[linearization.layers().size()];
    Arrays.fill(ones, 1);
    return new LayerGains(ones, 1, largest(linearization, ones));
  }

  static LayerGains of(StateRestriction selected) {
    Linearization linearization = selected.linearization();
    List<Layer> layers = linearization.layers();
    double[] squares = new double[layers.size()];
    int[] trained =
        linearization.trainableFamilies().stream()
            .mapToInt(WeightFamily::layer)
            .distinct()
            .toArray();
    double whole = square(selected.response());
    for (int l : trained) {
      LinearOperator seen = selected.response().compose(embedding(linearization, l));
      squares[l] = layers.size() == 1 ? whole : Math.min(whole, square(seen));
    }
    return new LayerGains(squares, whole, largest(linearization, squares));
  }

  /** E_l: [B, T, m H_l] -> [B, T, n]. */
  private static LinearOperator embedding(Linearization linearization, int l) {
    Layer layer = linearization.layers().get(l);
    long end = layer.begin() + linearization.components() * layer.units();
    List<String> units = List.of(layer.begin() + ":" + end);
    return new StateSelection(units, List.of()).of(linearization).adjoint();
  }

  /** ||A||², as far as Lanczos has found it, enlarged by the tolerance. */
  private static double square(LinearOperator a) {
    LinearOperator gram = a.domain().count() < a.range().count() ? a.gram() : a.outerGram();
    try (EigenPairs pairs = Eigsh.solve(gram, LanczosOptions.largest(1).tolerance(TOLERANCE))) {
      return (1 + TOLERANCE) * (pairs.values()[0] + pairs.residuals()[0]);
    } catch (NoConvergenceException unfinished) {
      unfinished.partial().close();
      throw new NumericalException("the norm of P does not converge", unfinished);
    }
  }

  /** λ_1 of the direct sum of ||R P E_l||² K_l. */
  private static double largest(Linearization linearization, double[] squares) {
    LinearOperator kernel = new ParameterOperator(linearization);
    if (Arrays.stream(squares).anyMatch(square -> square != 1)) {
      LinearOperator scaled = scaling(linearization, squares);
      kernel = scaled.compose(kernel).compose(scaled);
    }
    try (EigenPairs pairs = Eigsh.solve(kernel, LanczosOptions.largest(1).tolerance(TOLERANCE))) {
      return pairs.values()[0];
    } catch (NoConvergenceException unfinished) {
      unfinished.partial().close();
      throw new NumericalException("the norm of K does not converge", unfinished);
    }
  }

  /** ⊕_l ||R P E_l|| I. */
  private static LinearOperator scaling(Linearization linearization, double[] squares) {
    long n = linearization.units();
    return FunctionOperator.selfAdjoint(
        linearization.context(),
        linearization.stateShape(),
        linearization.dtype(),
        (in, out) -> {
          Tensor from = in.reshape(Shape.of(in.count()));
          Tensor to = out.reshape(Shape.of(out.count()));
          for (int l = 0; l < squares.length; l++) {
            Layer layer = linearization.layers().get(l);
            long[] sizes = {in.count() / n, linearization.components() * layer.units()};
            long[] strides = {n, 1};
            long rest = in.count() - layer.begin();
            TensorMath.strided(
                sizes,
                Math.sqrt(squares[l]),
                from.slice(layer.begin(), rest),
                strides,
                0,
                to.slice(layer.begin(), rest),
                strides);
          }
        });
  }

  /**
   * Bounds on the norm of R P (⊕_l X_l) P* R* for positive semidefinite X_l, by how many leading
   * modes X leaves out.
   *
   * @param rests ||X_l|| beyond all modes
   * @param layers the layer of each mode, modes by descending weight
   * @param values the eigenvalue of each mode
   * @return for 0 to all of the modes
   */
  double[] restNorms(double[] rests, int[] layers, double[] values) {
    double[] next = rests.clone();
    double[] bounds = new double[values.length + 1];
    for (int leading = values.length; leading >= 0; leading--) {
      if (leading < values.length) {
        int l = layers[leading];
        next[l] = values[leading] + rests[l];
      }
      double sum = 0;
      double most = 0;
      for (int l = 0; l < next.length; l++) {
        sum += squares[l] * next[l];
        most = Math.max(most, next[l]);
      }
      bounds[leading] = Math.min(sum, whole * most);
    }
    return bounds;
  }
}
