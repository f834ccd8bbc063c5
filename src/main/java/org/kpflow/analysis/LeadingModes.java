package org.kpflow.analysis;

import java.util.function.Consumer;
import org.kpflow.base.DType;
import org.kpflow.base.NumericalException;
import org.kpflow.flow.StateRestriction;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.BlockKrylovOptions;
import org.kpflow.spectral.EigenPairs;
import org.kpflow.spectral.Eigensolver;
import org.kpflow.spectral.LanczosOptions;
import org.kpflow.spectral.NoConvergenceException;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The leading eigenpairs of the NTK of the part that is analysed: Lanczos with single vectors for
 * few modes, with blocks for many.
 *
 * @param unfinished told why only some have converged
 */
record LeadingModes(
    AnalysisRequest request,
    DiagnosisOptions diagnosis,
    StateRestriction selected,
    Consumer<String> unfinished) {
  private static final double TOLERANCE = 1e-6;

  /**
   * The pairs asked for, or those that converged.
   *
   * @throws NumericalException if the operator overflows its type
   */
  EigenPairs find(LinearOperator operator) {
    int modes = (int) Math.min(request.modes(), operator.domain().count());
    try (Tensor start = diagnosis.startVector(selected)) {
      return eigensolver(modes, start).solve(operator);
    } catch (NoConvergenceException some) {
      unfinished.accept(some.getMessage());
      return some.partial();
    } catch (NumericalException overflow) {
      boolean narrow = selected.dtype() == DType.F32;
      boolean steps = selected.linearization().stepsThroughTime();
      throw new NumericalException(
          "the NTK overflows "
              + selected.dtype()
              + ", where weights change the state too strongly ("
              + overflow.getMessage()
              + "); use "
              + (narrow ? "f64 or " : "")
              + (steps ? "fewer steps" : "smaller weights and inputs"),
          overflow);
    }
  }

  private Eigensolver eigensolver(int modes, Tensor start) {
    long state = selected.range().count();
    double tolerance = Math.max(TOLERANCE, selected.dtype().epsilon());
    RngState rng = request.rng().split(1);
    if (modes <= Eigensolver.MOST_SINGLE_MODES) {
      LanczosOptions options =
          LanczosOptions.largest(modes)
              .tolerance(tolerance)
              .basis((int) Math.min(state, 2L * modes + 12))
              .seed(rng.seed());
      return Eigensolver.of(start == null ? options : options.start(start));
    }
    BlockKrylovOptions options = BlockKrylovOptions.largest(modes).tolerance(tolerance).rng(rng);
    return Eigensolver.of(start == null ? options : options.start(diagnosis.start()));
  }
}
