package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.DType;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.cases.CaseEvaluation;
import org.kpflow.cases.CaseVerification;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Every quantity of every reference case on the GPU, in both types, at the tolerances stated. */
class CudaFixtureTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "fixtures");

  static List<Arguments> cases() throws IOException {
    try (Stream<Path> entries = Files.list(FIXTURES)) {
      List<Arguments> cases =
          entries
              .filter(Files::isDirectory)
              .sorted()
              .flatMap(path -> Stream.of(DType.values()).map(type -> Arguments.of(path, type)))
              .toList();
      assertTrue(cases.size() >= 22, "reference cases are missing");
      return cases;
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void everyQuantityIsWithinItsTolerance(Path path, DType dtype) {
    ExecutionContext context = Cuda.context();
    Assumptions.assumeFalse(
        path.endsWith("gru_medium") && context.toString().contains("emulated"),
        "skipped: takes minutes on an emulated card");
    long before = Tensor.liveCount();
    List<CaseVerification.Check> checks;
    try (CaseEvaluation evaluation = new CaseEvaluation(new CaseDirectory(path), dtype, context)) {
      assertEquals(context.device(), evaluation.linearization().context().device());
      checks = CaseVerification.verify(evaluation);
    }
    assertEquals(before, Tensor.liveCount(), "leaks");
    assertTrue(checks.size() > 60, "only " + checks.size() + " quantities were compared");
    assertEquals(List.of(), checks.stream().filter(check -> !check.passed()).toList());
  }
}
