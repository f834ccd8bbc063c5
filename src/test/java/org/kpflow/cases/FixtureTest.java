package org.kpflow.cases;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicContainer;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Every quantity of every reference case, in both types, against answers made by an independent
 * program.
 */
class FixtureTest {
  private static final Path FIXTURES = Path.of("src", "test", "resources", "fixtures");

  @TestFactory
  Stream<DynamicContainer> everyQuantityOfEveryCaseIsWithinItsTolerance() throws IOException {
    List<Path> cases;
    try (Stream<Path> entries = Files.list(FIXTURES)) {
      cases = entries.filter(Files::isDirectory).sorted().toList();
    }
    assertTrue(cases.size() >= 11, "reference cases are missing: " + cases);
    List<DynamicContainer> containers = new ArrayList<>();
    for (Path path : cases) {
      for (DType dtype : DType.values()) {
        containers.add(
            DynamicContainer.dynamicContainer(
                path.getFileName() + " " + dtype, checks(path, dtype)));
      }
    }
    return containers.stream();
  }

  private static Stream<DynamicTest> checks(Path path, DType dtype) {
    ExecutionContext context = ExecutionContext.shared();
    long before = Tensor.liveCount();
    List<CaseVerification.Check> checks;
    try (CaseEvaluation evaluation = new CaseEvaluation(new CaseDirectory(path), dtype, context)) {
      checks = CaseVerification.verify(evaluation);
    }
    long leaked = Tensor.liveCount() - before;
    Stream<DynamicTest> quantities =
        checks.stream()
            .filter(check -> !check.skipped())
            .map(
                check ->
                    DynamicTest.dynamicTest(
                        check.quantity(),
                        () -> assertTrue(check.passed(), () -> path + " " + dtype + ": " + check)));
    return Stream.concat(
        quantities,
        Stream.of(
            DynamicTest.dynamicTest("nothing leaks", () -> assertEquals(0, leaked)),
            DynamicTest.dynamicTest(
                "many quantities were compared", () -> assertTrue(checks.size() > 60))));
  }

  /** The factor and the basis give the views of the reference cases to 1e-9, all in one sweep. */
  @TestFactory
  Stream<DynamicTest> bothExactMethodsGiveTheViewsOfEveryCase() throws IOException {
    List<LinearizationViews.Method> methods =
        List.of(LinearizationViews.Method.FACTOR, LinearizationViews.Method.BASIS);
    try (Stream<Path> entries = Files.list(FIXTURES)) {
      return entries.filter(Files::isDirectory).sorted().toList().stream()
          .flatMap(
              path ->
                  methods.stream()
                      .map(
                          method ->
                              DynamicTest.dynamicTest(
                                  path.getFileName() + " by " + method,
                                  () -> compareViews(path, method))));
    }
  }

  private static void compareViews(Path path, LinearizationViews.Method method) {
    CaseDirectory directory = new CaseDirectory(path);
    ExecutionContext context = ExecutionContext.shared();
    List<View> views =
        Stream.of(View.values()).filter(view -> directory.has("ntk_" + view)).toList();
    assertTrue(views.contains(View.TEMP), "views are missing");
    LinearizationViews.Options options =
        new LinearizationViews.Options(views, method, 1e-10, 0, RngState.of(1));
    try (CaseEvaluation evaluation = new CaseEvaluation(directory, DType.F64, context);
        LinearizationViews found =
            LinearizationViews.ofTangentKernel(
                evaluation.linearization(), options, Progress.NONE)) {
      for (View view : views) {
        try (Tensor truth = directory.read("ntk_" + view, DType.F64);
            Tensor difference = truth.copy()) {
          TensorMath.axpby(context, -1, found.matrix(view), 1, difference);
          double error = TensorMath.norm(context, difference) / TensorMath.norm(context, truth);
          assertTrue(error < 1e-9, view + ": " + error);
        }
      }
    }
  }
}
