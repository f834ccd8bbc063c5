package org.kpflow.task;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Gaussian sequences x_{b,t} = M z_{b,t} with z ~ N(0, I_r) at every trial and step by itself. With
 * rank r = n_in, M = I; otherwise M = √(n_in / r) Qᵀ with Q [r, n_in] of random orthonormal rows,
 * so that the covariance M Mᵀ has r equal eigenvalues and trace n_in: its participation ratio is r.
 */
final class GaussianInputs {
  private final int channels;
  private final int rank;
  private final RngState mixing;

  /**
   * Sequences of some rank.
   *
   * @param rank r, 1 to channels
   * @param mixing the stream that Q is drawn from
   */
  GaussianInputs(int channels, int rank, RngState mixing) {
    this.channels = Sizes.size("inputs", channels, 1);
    this.rank = (int) Checks.range("rank", rank, 1, channels);
    this.mixing = mixing;
  }

  int channels() {
    return channels;
  }

  /** x [B, T, n_in]. */
  Tensor draw(ExecutionContext context, long trials, int steps, RngState rng) {
    Sizes.numbers(trials, steps, channels);
    Tensor inputs = Tensor.zeros(DType.F64, Shape.of(trials, steps, channels));
    if (rank == channels) {
      rng.fill(context.host(), RngState.Distribution.GAUSSIAN, inputs);
      return inputs;
    }
    try (Tensor z = Tensor.zeros(DType.F64, trials * steps, rank);
        Tensor q = Tensor.zeros(DType.F64, rank, channels)) {
      rng.fill(context.host(), RngState.Distribution.GAUSSIAN, z);
      mixing.fill(context.host(), RngState.Distribution.GAUSSIAN, q);
      TensorMath.orthonormalizeRows(q);
      Tensor rows = inputs.reshape(Shape.of(trials * steps, channels));
      TensorMath.gemm(
          context.host(), false, false, Math.sqrt((double) channels / rank), z, q, 0, rows);
      return inputs;
    } catch (RuntimeException | Error failure) {
      inputs.close();
      throw failure;
    }
  }
}
