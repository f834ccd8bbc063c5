package org.kpflow.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.tensor.ExecutionContext;

/** Claims of figures 6, 7, 9 and 10 from numbers whose verdicts are known. */
class JudgementTest {
  private static final int TRIALS = 10; // as figure 6 has them
  private static final int STEPS = 50;

  @TempDir private Path directory;

  private List<Claim> claims(Experiment experiment, Consumer<ExperimentRun> judge) {
    ExperimentRun run =
        new ExperimentRun(
            experiment,
            FakeExperiment.OPTIONS,
            directory,
            ExecutionContext.shared(),
            Progress.NONE);
    judge.accept(run);
    List<Claim> claims = run.claims("not judged");
    claims.forEach(claim -> assertTrue(!claim.remark().equals("not judged"), claim::toString));
    return claims;
  }

  private static void assertClaim(
      List<Claim> claims, String id, double value, double error, boolean passed) {
    Claim claim =
        claims.stream().filter(c -> c.statement().id().equals(id)).findFirst().orElseThrow();
    assertEquals(value, claim.measured(), 1e-12 * Math.abs(value), id);
    assertEquals(error, claim.standardError(), 1e-12, id);
    assertEquals(passed, claim.passed(), id);
  }

  @Test
  void heads() {
    double[][] ranks = {{2, 4, 20}, {2.5, 5, 26}, {2, 6.1, 25}};
    double[][] errors = {{0.1, 0.4, 0}, {0, 0.1, 1.3}, {0.1, 0, 0}};
    List<Claim> claims = claims(new HeadsFigure(), run -> HeadsFigure.judge(run, ranks, errors));
    double most = 6.1 / 4; // at the second input dimension; σ = 10 %
    assertClaim(claims, "heads_modest", most, 0.1 * most, false);
    double growth = 10; // of the first, σ = 5 %
    assertClaim(claims, "bottleneck_remains", growth, 0.05 * growth, true);
    double share = Math.log(most) / Math.log(growth);
    double error = Math.hypot(0.1, share * 0.05) / Math.log(growth);
    assertClaim(claims, "heads_small_beside_inputs", share, error, true);
  }

  @Test
  void widths() {
    double[] inputs = {1, 10, 100};
    double[] widths = {4, 16};
    double[][][] ranks = new double[3][2][3];
    double[][][] errors = new double[3][2][3];
    double[][] exponents = {{0.5, -0.2}, {-0.1, 0.6}, {0.7, 0.4}}; // over inputs, widths
    for (int r = 0; r < 3; r++) {
      for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 3; j++) {
          ranks[r][i][j] =
              3 * Math.pow(inputs[j], exponents[r][0]) * Math.pow(widths[i], exponents[r][1]);
          errors[r][i][j] = 0.01 * ranks[r][i][j];
        }
      }
    }
    errors[1][1][2] *= 0.9;
    ranks[1][1][2] *= 0.9; // where the spatial rank grows least
    List<Claim> claims =
        claims(new WidthFigure(), run -> WidthFigure.judge(run, inputs, widths, ranks, errors));
    double relative = Math.sqrt(2) * 0.01;
    assertClaim(claims, "temporal_with_inputs", 10, 10 * relative, true);
    double spatial = 0.9 * Math.pow(4, 0.6);
    assertClaim(claims, "spatial_with_width", spatial, spatial * relative, true);
    double overall = Math.pow(4, 0.4);
    assertClaim(claims, "overall_with_width", overall, overall * relative, false);
    // Slope errors: 0.01 √(2/3) / log 4 over widths, 0.01 / √2 / (√2 log 10) over inputs.
    double ofWidth = 0.01 * Math.sqrt(2 / 3.0) / Math.log(4);
    double ofInputs = 0.01 / 2 / Math.log(10);
    double error = Math.hypot(ofWidth, 0.4 * ofInputs) / 0.5;
    assertClaim(claims, "temporal_primarily_inputs", 0.4, error, true);
  }

  @Test
  void reductions() {
    Point point =
        new Point()
            .put("dense_difference", 2e-10)
            .put("trace_difference", 9e-11)
            .put("least_eigenvalue", -2e-10)
            .put("coherent_difference", 0.5)
            .put("coherent_cosine", 0.25);
    List<Claim> claims = claims(new ReductionsFigure(), run -> ReductionsFigure.judge(run, point));
    assertClaim(claims, "seven", 7, 0, true);
    assertClaim(claims, "equal_dense", 2e-10, 0, false);
    assertClaim(claims, "equal_traces", 9e-11, 0, true);
    assertClaim(claims, "positive", -2e-10, 0, false);
    assertClaim(claims, "coherent_is_the_partial_trace", 0.5, 0, false);
    assertTrue(claims.get(4).remark().contains("0.250"));
  }

  @Test
  void attention() {
    RankCurves byInputs = new RankCurves(new int[] {5, 15}, new int[] {1, 10, 100});
    RankCurves byFrequencies = new RankCurves(new int[] {5, 15}, new int[] {1, 4});
    double[][] ranks = {{4, 10, 40}, {5, 30, 20}}; // the second curve is not monotonic
    double[][] fourier = {{4, 10}, {6, 9}};
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 3; j++) {
        byInputs.set(i, j, new Estimate(ranks[i][j], 0.03 * ranks[i][j], 0));
      }
      for (int j = 0; j < 2; j++) {
        byFrequencies.set(i, j, new Estimate(fourier[i][j], 0.04 * fourier[i][j], 0));
      }
    }
    List<List<Point>> modes =
        List.of(
            List.of(modes(0.1, 0.5, 3, 1), modes(0.1, 0.7, 3, 0.8)),
            List.of(modes(0.2, 0.5, 3, 1), modes(0.4, 0.5, 3, 1)),
            List.of(modes(0.1, 0.9, 12, 1), modes(0.1, 0.9, 14, 1)));
    List<Claim> claims =
        claims(
            new AttentionFigure(),
            run -> AttentionFigure.judge(run, byInputs, byFrequencies, modes));
    double relative = Math.sqrt(2) * 0.03;
    assertClaim(claims, "grows_with_inputs", 0.5, 0, false);
    assertClaim(claims, "grows_much_with_inputs", 4, 4 * relative, true);
    assertClaim(claims, "bound_by_batch", 0.5, 0.5 * relative, false);
    assertClaim(claims, "attention_in_span", 0.3, 0.1, false);
    assertClaim(claims, "one_mode", 0.6, 0.1, false);
    assertClaim(claims, "constant_mode", 0.9, 0.1, true);
    assertClaim(claims, "many_modes", 13, 1, true); // all equal but the first: every one counts
    double[] ratios = {0.9 / 0.5, 0.9 / 0.7};
    assertClaim(
        claims,
        "flatter_spectrum",
        (ratios[0] + ratios[1]) / 2,
        Math.abs(ratios[0] - ratios[1]) / 2,
        false);
    // Shares 1 / (1 + λ₂ (m - 1)) with one input over those with 100.
    double[] shares = {(1 + 0.9 * 11) / 2, (1 + 0.9 * 13) / 2.4};
    assertClaim(
        claims,
        "less_concentrated",
        (shares[0] + shares[1]) / 2,
        Math.abs(shares[0] - shares[1]) / 2,
        true);
    assertClaim(claims, "fourier_raises", 1, 0, true);
    assertClaim(claims, "fourier_relieves", 1.8, 1.8 * 0.05, false);
  }

  /** Eigenvalues 1, λ₂, λ₂, …; a mode of which a share is constant in time. */
  private static Point modes(double span, double second, int count, double constant) {
    double[] eigenvalues = new double[count];
    Arrays.fill(eigenvalues, second);
    eigenvalues[0] = 1;
    double[] mode = new double[TRIALS * STEPS];
    for (int i = 0; i < mode.length; i++) { // every trial has another sign
      double wave = Math.sqrt((1 - constant) / constant) * (i % 2 == 0 ? 1 : -1);
      mode[i] = (i / STEPS % 2 == 0 ? 1 : -1) * (1 + wave);
    }
    return new Point()
        .put("eigenvalues", eigenvalues)
        .put("modes", new double[][] {mode})
        .put("relative_error", 0.01)
        .put("coherent_eigenvalues", new double[] {2, 1})
        .put("coherent_mode", mode)
        .put("span", span);
  }
}
