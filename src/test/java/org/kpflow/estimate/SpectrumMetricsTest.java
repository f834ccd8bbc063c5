package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

/** Ranks of spectra that can be worked out by hand. */
class SpectrumMetricsTest {
  private static final double EXACT = 1e-14;

  @Test
  void theMetricsOfAShortSpectrumAreThoseWorkedOutByHand() {
    SpectrumMetrics metrics = SpectrumMetrics.of(new double[] {4, 2, 1, 1});
    assertEquals(8, metrics.trace());
    assertEquals(Math.sqrt(22), metrics.frobenius(), EXACT);
    assertEquals(4, metrics.largest());
    assertEquals(64.0 / 22, metrics.participationRatio(), EXACT);
    assertEquals(22.0 * 22 / (256 + 16 + 1 + 1), metrics.gramParticipationRatio(), EXACT);
    assertEquals(2, metrics.stableRank(), EXACT);
    // shares 1/2, 1/4, 1/8, 1/8: 1/2 + 2/4 + 3/8 + 3/8 bits
    assertEquals(Math.pow(2, 1.75), metrics.entropyRank(), EXACT);
    assertEquals(4, metrics.modes95()); // 1/2, 3/4, 7/8, 1
    assertEquals(0.05, metrics.modes95Margin(), EXACT);
    assertEquals(3, metrics.gramModes95()); // 16, 20, 21, 22 of 22
    assertEquals(21.0 / 22 - 0.95, metrics.gramModes95Margin(), EXACT);
  }

  @Test
  void equalValuesHaveFullRank() {
    SpectrumMetrics metrics = SpectrumMetrics.of(new double[] {3, 3, 3, 3, 3});
    assertEquals(5, metrics.participationRatio(), EXACT);
    assertEquals(5, metrics.gramParticipationRatio(), EXACT);
    assertEquals(5, metrics.stableRank(), EXACT);
    assertEquals(5, metrics.entropyRank(), EXACT);
    assertEquals(5, metrics.modes95());
  }

  @Test
  void aSingleModeHasRankOneWhateverItsSize() {
    for (double size : new double[] {1e-200, 1, 1e200}) {
      SpectrumMetrics metrics = SpectrumMetrics.of(new double[] {size, 0, 0});
      assertEquals(1, metrics.participationRatio());
      assertEquals(1, metrics.gramParticipationRatio());
      assertEquals(1, metrics.stableRank());
      assertEquals(1, metrics.entropyRank());
      assertEquals(1, metrics.modes95());
    }
  }

  /** Rounding leaves small negative eigenvalues; they have no part in the ranks. */
  @Test
  void negativeValuesCountInTraceAndNormOnly() {
    SpectrumMetrics metrics = SpectrumMetrics.of(new double[] {2, 2, -1});
    assertEquals(3, metrics.trace());
    assertEquals(3, metrics.frobenius());
    assertEquals(2, metrics.participationRatio(), EXACT);
    assertEquals(2, metrics.entropyRank(), EXACT);
    assertEquals(2, metrics.modes95());
    assertArrayEquals(
        new double[] {0.5, 1, 1}, SpectrumMetrics.cumulativeShares(new double[] {2, 2, -1}));
  }

  @Test
  void theZeroOperatorHasNoRank() {
    for (double[] spectrum : new double[][] {{0}, {0, 0, 0}, {0, -1e-18}}) {
      SpectrumMetrics metrics = SpectrumMetrics.of(spectrum);
      assertEquals(0, metrics.trace(), 1e-17);
      assertEquals(0, metrics.largest());
      assertTrue(Double.isNaN(metrics.participationRatio()));
      assertTrue(Double.isNaN(metrics.gramParticipationRatio()));
      assertTrue(Double.isNaN(metrics.stableRank()));
      assertTrue(Double.isNaN(metrics.entropyRank()));
      assertTrue(Double.isNaN(metrics.modes95Margin()));
      assertEquals(0, metrics.modes95());
      assertEquals(0, metrics.gramModes95());
    }
  }

  @Test
  void modesForAShareCountsTheLeadingValues() {
    double[] spectrum = {5, 3, 2};
    assertEquals(1, SpectrumMetrics.modesFor(spectrum, 0.5));
    assertEquals(2, SpectrumMetrics.modesFor(spectrum, 0.51));
    assertEquals(3, SpectrumMetrics.modesFor(spectrum, 1));
    assertThrows(IllegalArgumentException.class, () -> SpectrumMetrics.of(new double[0]));
  }
}
