package org.kpflow.examples;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.CellFunction;
import org.kpflow.model.CellModel;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.WeightFamily;
import org.kpflow.tensor.Tensor;

/** Random models with cells written in Java. */
final class Cells {
  private Cells() {}

  /** Layers of a cell, with biases. */
  static Sample sample(CellFunction cell, int layers, DType dtype, Sizes sizes, long seed) {
    ModelOptions options = ModelOptions.of(dtype);
    return sample(
        weights -> new CellModel("written", cell, weights, options),
        cell.gates(),
        layers,
        sizes,
        seed);
  }

  /** Any model of layers with g gates and biases. */
  static Sample sample(
      Function<Map<String, Tensor>, RecurrentModel> maker,
      int gates,
      int layers,
      Sizes sizes,
      long seed) {
    return new Sample(
        maker,
        new Random(seed),
        random -> RandomModels.weights(gates, true, layers, sizes, random),
        sizes);
  }

  /** The model's weights by their names. */
  static Map<String, Tensor> weights(Sample sample) {
    Map<String, Tensor> weights = new LinkedHashMap<>();
    for (WeightFamily family : sample.model.families()) {
      weights.put(family.name(), sample.model.weight(family.name()));
    }
    return weights;
  }

  /** A random state. */
  static Tensor probe(Linearization linearization, long seed) {
    return RandomModels.gaussian(linearization.dtype(), linearization.stateShape(), seed);
  }
}
