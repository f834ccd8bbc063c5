package org.kpflow.analysis;

import org.kpflow.base.Estimate;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The views of one operator on [B, T, n] and what follows from them, whichever way they were found.
 * They include the temporal view.
 */
abstract class OperatorViews implements AutoCloseable {
  private final ViewSpectra spectra;
  private final long units;

  private OperatorViews(ViewSpectra spectra, long units) {
    this.spectra = spectra;
    this.units = units;
  }

  /** The matrix of a view; freed with this object. */
  abstract Tensor matrix(View view);

  abstract ViewReport report(View view);

  /** Trace of the operator itself: n times that of its temporal view. */
  abstract Estimate trace();

  /** Squared Frobenius norm of the operator itself. */
  abstract Estimate squaredNorm();

  /** cos(A, G ⊗ I_n) for a matrix G [k, k]. */
  abstract Estimate cosineWithLifted(Tensor gram);

  /** cos(A_temp, G). */
  abstract Estimate cosineTemporal(Tensor gram);

  @Override
  public abstract void close();

  /** Exact views; the norm of the operator, which does not follow from them, is given. */
  static OperatorViews of(ReducedViews views, Estimate square, long units, ViewSpectra spectra) {
    return new Exact(views, square, units, spectra);
  }

  /** Sampled views. */
  static OperatorViews of(SampledViews views, long units, ViewSpectra spectra) {
    return new Sampled(views, units, spectra);
  }

  private static final class Exact extends OperatorViews {
    private final ReducedViews views;
    private final Estimate square;

    Exact(ReducedViews views, Estimate square, long units, ViewSpectra spectra) {
      super(spectra, units);
      this.views = views;
      this.square = square;
    }

    @Override
    Tensor matrix(View view) {
      return views.matrix(view);
    }

    @Override
    ViewReport report(View view) {
      return super.spectra.exact(views.matrix(view), "basis", views.products());
    }

    @Override
    Estimate trace() {
      return Estimate.exact(super.units * ViewSpectra.trace(views.matrix(View.TEMP)));
    }

    @Override
    Estimate squaredNorm() {
      return square;
    }

    @Override
    Estimate cosineWithLifted(Tensor gram) {
      double norms = Math.sqrt(square.value()) * norm(gram);
      double value = Math.sqrt(super.units) * inner(gram) / norms; // <A, G ⊗ I> = n <A_temp, G>
      return new Estimate(
          value, value * square.standardError() / (2 * square.value()), square.matvecs());
    }

    @Override
    Estimate cosineTemporal(Tensor gram) {
      return Estimate.exact(inner(gram) / (norm(views.matrix(View.TEMP)) * norm(gram)));
    }

    private double inner(Tensor gram) {
      return TensorMath.dot(super.spectra.context(), views.matrix(View.TEMP), gram);
    }

    private double norm(Tensor matrix) {
      return TensorMath.norm(super.spectra.context(), matrix);
    }

    @Override
    public void close() {
      views.close();
    }
  }

  private static final class Sampled extends OperatorViews {
    private final SampledViews views;

    Sampled(SampledViews views, long units, ViewSpectra spectra) {
      super(spectra, units);
      this.views = views;
    }

    @Override
    Tensor matrix(View view) {
      return views.matrix(view);
    }

    @Override
    ViewReport report(View view) {
      return super.spectra.sampled(views, view);
    }

    @Override
    Estimate trace() {
      Estimate view = views.trace(View.TEMP);
      double n = super.units;
      return new Estimate(n * view.value(), n * view.standardError(), view.matvecs());
    }

    @Override
    Estimate squaredNorm() {
      return views.operatorSquaredNorm();
    }

    @Override
    Estimate cosineWithLifted(Tensor gram) {
      return views.cosineWithLifted(View.TEMP, gram);
    }

    @Override
    Estimate cosineTemporal(Tensor gram) {
      return views.cosine(View.TEMP, gram);
    }

    @Override
    public void close() {
      views.close();
    }
  }
}
