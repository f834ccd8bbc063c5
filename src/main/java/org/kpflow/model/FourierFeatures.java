package org.kpflow.model;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/**
 * Deterministic Fourier features of inputs: every channel x becomes [cos 2πf_1 x, …, cos 2πf_F x,
 * sin 2πf_1 x, …, sin 2πf_F x].
 *
 * @param frequencies f_1, …, f_F, in cycles per unit of x
 */
public record FourierFeatures(double... frequencies) {
  /** Copies the frequencies. */
  public FourierFeatures {
    Checks.that(
        frequencies != null && frequencies.length > 0, "frequencies: expected at least one");
    frequencies = frequencies.clone();
    for (double frequency : frequencies) {
      Checks.that(
          Double.isFinite(frequency), "frequency: expected a finite number, got %s", frequency);
    }
  }

  /** f_j = j, j = 1 to F: the harmonics of inputs on [0, 1]. */
  public static FourierFeatures harmonics(int count) {
    Checks.range("frequencies", count, 1, 1 << 20);
    double[] frequencies = new double[count];
    for (int j = 0; j < count; j++) {
      frequencies[j] = j + 1;
    }
    return new FourierFeatures(frequencies);
  }

  /** A copy. */
  @Override
  public double[] frequencies() {
    return frequencies.clone();
  }

  /** The channels that n_in channels become: 2 F n_in. */
  public long channels(long inputs) {
    return 2L * frequencies.length * inputs;
  }

  /**
   * The features [B, T, 2 F n_in] of inputs [B, T, n_in], channel by channel, as a new tensor of
   * the same type. Computed in f64.
   */
  public Tensor apply(Tensor inputs) {
    Shape shape = Checks.notNull(inputs, "inputs").shape();
    Checks.that(shape.rank() == 3, "inputs: expected shape [B, T, n_in], got %s", shape);
    long channels = channels(shape.size(2));
    long most = Integer.MAX_VALUE - 8;
    Checks.that(
        inputs.count() <= most / (2L * frequencies.length),
        "inputs: expected at most %d features in all, got %d trials of %d steps and %d features",
        most,
        shape.size(0),
        shape.size(1),
        channels);
    double[] x = inputs.toDoubles();
    int count = frequencies.length;
    double[] features = new double[x.length * 2 * count];
    for (int i = 0; i < x.length; i++) {
      for (int j = 0; j < count; j++) {
        double phase = 2 * Math.PI * frequencies[j] * x[i];
        features[2 * i * count + j] = Math.cos(phase);
        features[(2 * i + 1) * count + j] = Math.sin(phase);
      }
    }
    return Tensor.of(inputs.dtype(), Shape.of(shape.size(0), shape.size(1), channels), features);
  }
}
