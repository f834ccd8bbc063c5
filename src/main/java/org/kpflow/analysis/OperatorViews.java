package org.kpflow.analysis;

import org.kpflow.base.Estimate;
import org.kpflow.flow.LinearizationViews;
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
  private final Estimate square;

  private OperatorViews(Estimate square, long units, ViewSpectra spectra) {
    this.square = square;
    this.spectra = spectra;
    this.units = units;
  }

  /** Views with the squared Frobenius norm of the operator, which does not follow from them. */
  static OperatorViews of(
      LinearizationViews views, Estimate square, long units, ViewSpectra spectra) {
    String method = views.method().toString();
    return views.exact() != null
        ? of(views.exact(), method, square, units, spectra)
        : of(views.sampled(), method, views.products(), square, units, spectra);
  }

  /** Exact views, but for a truncation with a bound. */
  static OperatorViews of(
      ReducedViews views, String method, Estimate square, long units, ViewSpectra spectra) {
    return new Exact(views, method, square, units, spectra);
  }

  /** Views with standard errors. */
  static OperatorViews of(
      SampledViews views,
      String method,
      long products,
      Estimate square,
      long units,
      ViewSpectra spectra) {
    return new Sampled(views, method, products, square, units, spectra);
  }

  /** The matrix of a view; freed with this object. */
  abstract Tensor matrix(View view);

  abstract ViewReport report(View view);

  /** Trace of the operator itself: n times that of its temporal view. */
  abstract Estimate trace();

  /** <A_temp, G>. */
  abstract Estimate inner(Tensor gram);

  /** cos(A_temp, G). */
  abstract Estimate cosineTemporal(Tensor gram);

  /**
   * cos(A, G ⊗ I_n) = √n <A_temp, G> / (||A|| ||G||) for a matrix G [k, k]: <A, G ⊗ I> = n <A_temp,
   * G>.
   */
  final Estimate cosineWithLifted(Tensor gram) {
    Estimate inner = inner(gram);
    double value = Math.sqrt(units) * inner.value() / (Math.sqrt(square.value()) * norm(gram));
    double ofInner = inner.standardError() == 0 ? 0 : inner.standardError() / inner.value();
    double ofNorm = square.standardError() == 0 ? 0 : square.standardError() / (2 * square.value());
    return new Estimate(
        value, Math.abs(value) * Math.hypot(ofInner, ofNorm), inner.matvecs() + square.matvecs());
  }

  final double norm(Tensor matrix) {
    return TensorMath.norm(spectra.context(), matrix);
  }

  @Override
  public abstract void close();

  private static final class Exact extends OperatorViews {
    private final ReducedViews views;
    private final String method;

    Exact(ReducedViews views, String method, Estimate square, long units, ViewSpectra spectra) {
      super(square, units, spectra);
      this.views = views;
      this.method = method;
    }

    @Override
    Tensor matrix(View view) {
      return views.matrix(view);
    }

    @Override
    ViewReport report(View view) {
      return super.spectra.exact(
          views.matrix(view), method, views.products(), views.truncation(view));
    }

    @Override
    Estimate trace() {
      return Estimate.exact(super.units * ViewSpectra.trace(views.matrix(View.TEMP)));
    }

    @Override
    Estimate inner(Tensor gram) {
      return Estimate.exact(TensorMath.dot(super.spectra.context(), views.matrix(View.TEMP), gram));
    }

    @Override
    Estimate cosineTemporal(Tensor gram) {
      return Estimate.exact(inner(gram).value() / (norm(views.matrix(View.TEMP)) * norm(gram)));
    }

    @Override
    public void close() {
      views.close();
    }
  }

  private static final class Sampled extends OperatorViews {
    private final SampledViews views;
    private final String method;
    private final long products;

    Sampled(
        SampledViews views,
        String method,
        long products,
        Estimate square,
        long units,
        ViewSpectra spectra) {
      super(square, units, spectra);
      this.views = views;
      this.method = method;
      this.products = products;
    }

    @Override
    Tensor matrix(View view) {
      return views.matrix(view);
    }

    @Override
    ViewReport report(View view) {
      return super.spectra.sampled(views, view, method, products);
    }

    @Override
    Estimate trace() {
      Estimate view = views.trace(View.TEMP);
      double n = super.units;
      return view.times(n);
    }

    @Override
    Estimate inner(Tensor gram) {
      return views.inner(View.TEMP, gram);
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
