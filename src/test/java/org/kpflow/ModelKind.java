package org.kpflow;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;
import org.kpflow.base.DType;

/** Any architecture, recurrent or feed-forward: for tests of what holds for every model. */
public interface ModelKind {
  /** A random model of this kind on random inputs; units are those of a layer or a node. */
  ModelSample<?> sample(DType dtype, RandomModels.Sizes sizes, long seed);

  /** All kinds. */
  static Stream<ModelKind> all() {
    return Stream.concat(
        Stream.of(RandomModels.Kind.values()), Stream.of(GraphModels.Kind.values()));
  }

  /** All kinds in both types. */
  static Stream<Arguments> kindsAndTypes() {
    return all()
        .flatMap(kind -> Stream.of(DType.values()).map(dtype -> Arguments.arguments(kind, dtype)));
  }
}
