package org.kpflow.cases;

import java.util.Arrays;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.model.GraphModel;
import org.kpflow.model.StateBlock;
import org.kpflow.tensor.Tensor;

/** The weights softmax(Q Kᵀ / √d) of a case, which are no part of the state. */
final class AttentionWeights {
  private AttentionWeights() {}

  /** [B, heads, T, T] of the model's first attention, from a state [B, T, n] in f64. */
  static Tensor of(GraphModel model, Tensor state) {
    GraphModel.Node node =
        model.nodes().stream()
            .filter(candidate -> candidate.kind() == GraphModel.Kind.ATTENTION)
            .findFirst()
            .orElseThrow();
    StateBlock queries = block(model, node.inputs().get(0));
    StateBlock keys = block(model, node.inputs().get(1));
    int trials = (int) state.shape().size(0);
    int steps = (int) state.shape().size(1);
    int n = (int) state.shape().size(2);
    int size = (int) node.units() / node.heads();
    double[] h = state.toDoubles();
    double[] weights = new double[trials * node.heads() * steps * steps];
    for (int row = 0; row < trials * node.heads() * steps; row++) {
      int t = row % steps;
      int unit = row / steps % node.heads() * size;
      int first = row / steps / node.heads() * steps; // row (b, 0) of the state
      int query = (first + t) * n + (int) queries.begin() + unit;
      double sum = 0;
      double[] scores = new double[node.causal() ? t + 1 : steps];
      for (int u = 0; u < scores.length; u++) {
        int key = (first + u) * n + (int) keys.begin() + unit;
        for (int i = 0; i < size; i++) {
          scores[u] += h[query + i] * h[key + i] / Math.sqrt(size);
        }
      }
      double most = Arrays.stream(scores).max().orElseThrow();
      for (int u = 0; u < scores.length; u++) {
        sum += weights[row * steps + u] = Math.exp(scores[u] - most);
      }
      for (int u = 0; u < scores.length; u++) {
        weights[row * steps + u] /= sum;
      }
    }
    return Tensor.of(DType.F64, Shape.of(trials, node.heads(), steps, steps), weights);
  }

  private static StateBlock block(GraphModel model, String name) {
    return model.blocks().stream()
        .filter(candidate -> candidate.name().equals(name))
        .findFirst()
        .orElseThrow();
  }
}
