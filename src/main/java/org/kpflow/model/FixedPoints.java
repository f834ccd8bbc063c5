package org.kpflow.model;

import org.kpflow.base.Checks;
import org.kpflow.tensor.Tensor;

/**
 * Fixed points under zero input, planted on the first m coordinate axes (docs/theory.md, section
 * 7). The columns of these units are zero in every gate but for a block [m, m], so the other units
 * run by themselves, and what they do is left to their random weights.
 *
 * <p>Without gates, h' = W tanh(h) and h' = tanh(W h): W = Σ_i h̄_i tanh(h̄_i)ᵀ/‖tanh(h̄_i)‖² + W_⊥
 * with h̄_i = κ e_i, so W_ii = κ / tanh κ. As tanh is odd, -h̄_i is fixed too. For m = 1 the two
 * are stable; for m > 1 they are saddles, and the 2^m points with all of the first m units at ±κ
 * are the stable ones. (For h' = tanh(W h) they are all this with tanh κ in place of κ.)
 *
 * <p>In a GRU, n = tanh(r ⊙ W_n h) with r = σ(W_r h): W_n = w I and W_r = (a + b) I - b 1 1ᵀ on the
 * block. A unit holds itself up while its own activity opens its reset gate, and closes the gates
 * of the others. Exactly m stable points besides zero, κ e_i with κ = tanh(w σ(a κ) κ). Corners are
 * planted without inhibition, W_r = 0 and W_n = (2 atanh κ / κ) I: every unit runs by itself, so
 * that again the 2^m points with all of them at ±κ are the stable ones, and zero is not.
 */
public final class FixedPoints {
  /** κ of the cells without gates. */
  public static final double AMPLITUDE = 2;

  /** κ of the corners of a GRU. */
  public static final double CORNER = 0.9;

  /**
   * w, between 1 and 2. Half of it is the slope at zero: the closer to 1, the weaker the inputs
   * that lead away from zero, but also from one point to another.
   */
  private static final double CANDIDATE = 1.5;

  /**
   * c: x = tanh(w σ(c x) x) has no solution but 0 below this c, and two above it, for w as above.
   */
  private static final double CRITICAL = 1.9931;

  private FixedPoints() {}

  /** Refuses sizes that have no place for m points. */
  static void require(RecurrentSizes sizes, int points) {
    Checks.that(
        sizes.gates() == 1 || sizes.gates() == 3,
        "fixed points: expected a cell with 1 gate (rnn, leaky_rnn) or 3 (gru), got %d",
        sizes.gates());
    Checks.that(sizes.layers() == 1, "fixed points: expected one layer, got %d", sizes.layers());
    Checks.that(
        points <= sizes.units(),
        "points: expected at most the %d units, got %d",
        sizes.units(),
        points);
  }

  /** Overwrites the columns of the first m units of W_hh [g H, H]. */
  static void plant(Tensor hidden, int gates, int points, boolean corners) {
    int units = (int) hidden.shape().size(1);
    double[] w = hidden.toDoubles();
    for (int row = 0; row < gates * units; row++) {
      for (int i = 0; i < points; i++) {
        w[row * units + i] = 0;
      }
    }
    double a = corners ? 0 : ownGate(points);
    double b = corners ? 0 : otherGates(points);
    double candidate = corners ? Math.log((1 + CORNER) / (1 - CORNER)) / CORNER : CANDIDATE;
    for (int i = 0; i < points; i++) {
      if (gates == 1) {
        w[i * units + i] = AMPLITUDE / Math.tanh(AMPLITUDE);
        continue;
      }
      for (int j = 0; j < points; j++) {
        w[i * units + j] = i == j ? a : -b;
      }
      w[(2 * units + i) * units + i] = candidate;
    }
    hidden.copyFrom(w);
  }

  /** κ of a GRU with m points. */
  public static double gruAmplitude(int points) {
    double a = ownGate(points);
    double x = 1;
    for (double before = 2; before > x; ) { // from above the largest solution, so it falls to it
      before = x;
      x = Math.tanh(CANDIDATE * x / (1 + Math.exp(-a * x)));
    }
    return x;
  }

  /** c / a: the closer to 1, the weaker the points hold; below (m - 2) / m there are others. */
  private static double margin(int points) {
    return Math.max((points - 1.5) / points, 0.25);
  }

  private static double ownGate(int points) {
    return CRITICAL / margin(points);
  }

  /** b, halfway between the least, a - c, and the most, (a + c) / (m - 1). */
  private static double otherGates(int points) {
    double a = ownGate(points);
    return points == 1 ? 0 : ((a - CRITICAL) + (a + CRITICAL) / (points - 1)) / 2;
  }
}
