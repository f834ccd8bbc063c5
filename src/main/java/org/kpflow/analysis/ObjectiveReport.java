package org.kpflow.analysis;

import java.util.Arrays;
import java.util.List;
import org.kpflow.base.Shape;
import org.kpflow.flow.StateRestriction;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/**
 * How the objectives of a task lie to each other in the NTK.
 *
 * @param kind outputs, trials or groups
 * @param names one per objective
 * @param lossDecrease <e_a, NTK e_a> of each: how fast a gradient step on it alone lowers it
 * @param meanCosine the mean of the cosines between different objectives that are defined; NaN
 *     without any
 * @param lowestCosine the lowest of these, NaN without any
 * @param lowestPair the two objectives it belongs to; empty without any
 * @param opposedPairs share of these pairs whose cosine is negative; NaN without any
 * @param cosines M_ab / √(M_aa M_bb), M_ab = <e_a, NTK e_b>; NaN where a gradient is zero; null for
 *     more than 64 objectives, where arrays.npz has them
 */
public record ObjectiveReport(
    String kind,
    List<String> names,
    double[] lossDecrease,
    double meanCosine,
    double lowestCosine,
    List<String> lowestPair,
    double opposedPairs,
    double[][] cosines) {
  private static final int MOST_LISTED = 64;

  /**
   * The alignment of a request's objectives; adds objective_inner and objective_cosines to the
   * arrays, which hold err.
   *
   * @param given read-out, targets and mask of the part
   */
  static ObjectiveReport of(
      StateRestriction selected,
      SelectedTargets given,
      Objectives objectives,
      TensorMap arrays,
      List<String> warnings) {
    ObjectiveAlignment alignment =
        switch (objectives.kind()) {
          case OUTPUTS ->
              ObjectiveAlignment.ofOutputs(
                  selected, given.readout(), given.targets(), given.mask());
          case TRIALS -> ObjectiveAlignment.ofTrials(selected, arrays.get("err"));
          case GROUPS -> ObjectiveAlignment.ofGroups(selected, arrays.get("err"), objectives);
        };
    arrays.put("objective_inner", matrix(alignment.inner()));
    arrays.put("objective_cosines", matrix(alignment.cosines()));
    if (!alignment.undefined().isEmpty()) {
      warnings.add(
          "the gradient is zero, so the alignment undefined, for "
              + String.join(", ", alignment.undefined()));
    }
    return of(objectives.kind(), alignment);
  }

  private static Tensor matrix(double[][] rows) {
    double[] flat = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    return Tensor.of(Shape.of(rows.length, rows.length), flat);
  }

  /** What an alignment says. */
  static ObjectiveReport of(Objectives.Kind kind, ObjectiveAlignment alignment) {
    double[][] cosines = alignment.cosines();
    int m = cosines.length;
    double[] decrease = new double[m];
    double sum = 0;
    double lowest = Double.NaN;
    List<String> pair = List.of();
    long pairs = 0;
    long opposed = 0;
    for (int a = 0; a < m; a++) {
      decrease[a] = alignment.inner()[a][a];
      for (int b = 0; b < a; b++) {
        if (Double.isNaN(cosines[a][b])) {
          continue;
        }
        pairs++;
        sum += cosines[a][b];
        opposed += cosines[a][b] < 0 ? 1 : 0;
        if (!(cosines[a][b] >= lowest)) { // also where lowest is NaN
          lowest = cosines[a][b];
          pair = List.of(alignment.names().get(b), alignment.names().get(a));
        }
      }
    }
    return new ObjectiveReport(
        kind.toString(),
        alignment.names(),
        decrease,
        pairs == 0 ? Double.NaN : sum / pairs,
        lowest,
        pair,
        pairs == 0 ? Double.NaN : (double) opposed / pairs,
        m <= MOST_LISTED ? cosines : null);
  }
}
