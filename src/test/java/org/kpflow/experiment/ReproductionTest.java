package org.kpflow.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;
import org.kpflow.base.CancelledException;
import org.kpflow.base.Estimate;
import org.kpflow.base.InputException;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Progress;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

class ReproductionTest {
  @TempDir private Path directory;
  private long live;

  @BeforeEach
  void count() {
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount());
  }

  private ExperimentResult run(Experiment experiment, RunOptions options, String out) {
    return new Reproduction(options, directory.resolve(out), ExecutionContext.shared())
        .run(experiment, Progress.NONE);
  }

  private ExperimentResult run(String out) {
    return run(new FakeExperiment("fake", 0), FakeExperiment.OPTIONS, out);
  }

  @Test
  @Timeout(120)
  void aRunThatWasKilledEndsWithTheSameBytesAndRedoesNothing() throws Exception {
    run("whole");
    Process process =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Djava.awt.headless=true",
                "-cp",
                System.getProperty("java.class.path"),
                FakeExperiment.class.getName(),
                directory.resolve("killed").toString(),
                "400")
            .inheritIO()
            .start();
    Path points = directory.resolve("killed/fake/points");
    while (!Files.exists(points.resolve("point1.npz"))) {
      assertTrue(process.isAlive(), "killed before it is done");
      Thread.sleep(20);
    }
    process.destroyForcibly().waitFor(); // SIGKILL
    long done =
        files(points).filter(name -> name.endsWith(".npz") && name.charAt(0) == 'p').count();
    assertFalse(Files.exists(directory.resolve("killed/fake/claims.json")));

    ExperimentResult resumed = run("killed");
    assertEquals(FakeExperiment.POINTS, resumed.points());
    assertEquals(FakeExperiment.POINTS - done, resumed.computed());
    assertTrue(done >= 2 && done < FakeExperiment.POINTS);
    assertTrue(resumed.seconds() > 0.4 * done, "the time of the first part counts");
    assertSameResults("whole", "killed");

    assertEquals(0, run("killed").computed());
    assertSameResults("whole", "killed");
  }

  private void assertSameResults(String a, String b) throws IOException {
    for (String name : List.of("data.npz", "claims.json", "curve.svg", "curve.png")) {
      assertArrayEquals(
          Files.readAllBytes(directory.resolve(a).resolve("fake").resolve(name)),
          Files.readAllBytes(directory.resolve(b).resolve("fake").resolve(name)),
          name);
    }
  }

  private static Stream<String> files(Path folder) throws IOException {
    try (Stream<Path> inside = Files.list(folder)) {
      return inside.map(path -> path.getFileName().toString()).toList().stream();
    }
  }

  @Test
  void pointsOfOtherSettingsAreRefusedUntilTheyAreDropped() throws IOException {
    assertNull(run("out").failure());
    Map<String, byte[]> results = results("out/fake");
    for (RunOptions other :
        List.of(
            new RunOptions(false, 7, FakeExperiment.OPTIONS.versions()),
            new RunOptions(true, 8, FakeExperiment.OPTIONS.versions()))) {
      ExperimentResult refused = run(new FakeExperiment("fake", 0), other, "out");
      assertInstanceOf(InputException.class, refused.failure());
      assertTrue(refused.failure().getMessage().contains("--restart"));
      assertTrue(refused.refused());
      Map<String, byte[]> after = results("out/fake");
      assertEquals(results.keySet(), after.keySet());
      results.forEach((name, bytes) -> assertArrayEquals(bytes, after.get(name), name));
    }
    RunOptions other = new RunOptions(true, 8, FakeExperiment.OPTIONS.versions());
    Experiment experiment = new FakeExperiment("fake", 0);
    Reproduction again =
        new Reproduction(other, directory.resolve("out"), ExecutionContext.shared());
    again.drop(experiment);
    ExperimentResult result = again.run(experiment, Progress.NONE);
    assertNull(result.failure());
    assertEquals(FakeExperiment.POINTS, result.computed());
  }

  private Map<String, byte[]> results(String folder) throws IOException {
    Map<String, byte[]> results = new TreeMap<>();
    for (String name : files(directory.resolve(folder)).toList()) {
      Path file = directory.resolve(folder).resolve(name);
      if (Files.isRegularFile(file)) {
        results.put(name, Files.readAllBytes(file));
      }
    }
    return results;
  }

  @Test
  void aFolderInUseIsRefused() {
    Experiment fake = new FakeExperiment("fake", 0);
    Reproduction reproduction =
        new Reproduction(
            FakeExperiment.OPTIONS, directory.resolve("out"), ExecutionContext.shared());
    List<String> refusals = new ArrayList<>();
    reproduction.run(
        experiment(
            run -> {
              for (Executable other :
                  List.<Executable>of(
                      () -> reproduction.run(fake, Progress.NONE), () -> reproduction.drop(fake))) {
                run.point("point" + refusals.size(), Point::new);
                refusals.add(assertThrows(InputException.class, other).getMessage());
              }
            }),
        Progress.NONE);
    assertEquals(2, refusals.size());
    refusals.forEach(message -> assertTrue(message.contains("another process"), message));
  }

  @Test
  void anInterruptedRunKeepsItsPointsAndWritesNoResult() {
    Experiment stopped =
        experiment(
            run -> {
              run.point("first", Point::new);
              Thread.currentThread().interrupt();
              run.point("second", Point::new);
            });
    assertThrows(CancelledException.class, () -> run(stopped, FakeExperiment.OPTIONS, "out"));
    assertTrue(Thread.interrupted());
    assertTrue(Files.exists(directory.resolve("out/fake/points/first.npz")));
    assertFalse(Files.exists(directory.resolve("out/fake/points/second.npz")));
    assertFalse(Files.exists(directory.resolve("out/fake/claims.json")));
  }

  @Test
  void claimsSayWhatWasMeasuredAndWhy() throws IOException {
    List<Claim> claims = run("out").claims();
    assertTrue(claims.get(0).passed());
    assertFalse(claims.get(1).passed());
    assertEquals("it is small", claims.get(1).remark());
    assertFalse(claims.get(2).passed());
    assertEquals("not evaluated", claims.get(2).remark());
    JsonNode json = new ObjectMapper().readTree(directory.resolve("out/fake/claims.json").toFile());
    assertEquals("kpflow reproduce fake --quick --seed 7", json.get("command").asText());
    assertEquals(7, json.get("seed").asLong());
    assertEquals(2, json.get("failed").asInt());
    assertEquals(6, json.get("settings").get("sizes").get(0).asInt());
    assertEquals("test", json.get("versions").get("kpflow").asText());
    JsonNode first = json.get("claims").get(0);
    assertEquals("≥", first.get("relation").asText());
    assertEquals(claims.get(0).measured(), first.get("measured").asDouble());
    assertEquals(0.1, first.get("standard_error").asDouble());
    assertTrue(json.get("claims").get(2).get("measured").isNull());
    JsonNode time = new ObjectMapper().readTree(directory.resolve("out/fake/run.json").toFile());
    assertTrue(time.get("seconds").asDouble() > 0);
    assertEquals(6, time.get("computed").asInt());
  }

  @Test
  void theRelationDecidesAndUndefinedNumbersFail() {
    double[] values = {-1, 0, 1, Double.NaN};
    boolean[][] expected = {
      {false, false, true, false}, // above 0
      {false, true, true, false}, // at least
      {true, false, false, false}, // below
      {true, true, false, false}, // at most
      {false, true, false, false} // equal
    };
    for (Relation relation : Relation.values()) {
      Statement statement = FakeExperiment.statement("s", relation, 0);
      for (int i = 0; i < values.length; i++) {
        Claim claim = Claim.of(statement, Estimate.exact(values[i]), "");
        assertEquals(expected[relation.ordinal()][i], claim.passed(), relation + " " + values[i]);
      }
    }
    Statement statement = FakeExperiment.statement("s", Relation.ABOVE, 0);
    assertEquals(
        "the number is not defined", Claim.of(statement, Estimate.exact(Double.NaN), "").remark());
    assertEquals(
        "within two standard errors of the threshold",
        Claim.of(statement, new Estimate(1, 0.6, 0), "").remark());
  }

  @Test
  void whatCannotBeEvaluatedFailsAndTheRestGoesOn() {
    ExperimentResult result =
        run(
            experiment(
                run -> {
                  run.claim(
                      FakeExperiment.HOLDS,
                      () -> {
                        throw new NumericalException("overflow at step 3");
                      },
                      "");
                  run.claim(FakeExperiment.FAILS, 2e9, "");
                  throw new NumericalException("no convergence");
                }),
            FakeExperiment.OPTIONS,
            "out");
    assertEquals("cannot be evaluated: overflow at step 3", result.claims().get(0).remark());
    assertTrue(result.claims().get(1).passed());
    assertTrue(result.claims().get(2).remark().contains("no convergence"));
    assertInstanceOf(NumericalException.class, result.failure());
    assertTrue(Files.exists(directory.resolve("out/fake/claims.json")));
  }

  @Test
  void mistakesInAnExperimentAreRefused() {
    refuses(run -> run.claim(FakeExperiment.statement("other", Relation.ABOVE, 0), 1, ""));
    refuses(
        run -> {
          run.claim(FakeExperiment.HOLDS, 1, "");
          run.claim(FakeExperiment.HOLDS, 1, "");
        });
    refuses(
        run -> {
          run.point("a", Point::new);
          run.point("a", Point::new);
        });
    refuses(
        run -> {
          run.point("b", Point::new);
          run.setting("late", 1);
        });
    refuses(run -> run.point("../b", Point::new));
    assertThrows(
        IllegalArgumentException.class,
        () -> FakeExperiment.statement("s", Relation.ABOVE, Double.NaN));
    assertThrows(IllegalArgumentException.class, () -> new Point().put("a", 1).put("a", 1));
    assertThrows(IllegalArgumentException.class, () -> new Point().number("a"));
  }

  private void refuses(Consumer<ExperimentRun> body) {
    RuntimeException failure =
        run(experiment(body), FakeExperiment.OPTIONS, "refused" + Math.abs(body.hashCode()))
            .failure();
    assertInstanceOf(IllegalArgumentException.class, failure);
  }

  private static Experiment experiment(Consumer<ExperimentRun> body) {
    Experiment fake = new FakeExperiment("fake", 0);
    return new Experiment() {
      @Override
      public String name() {
        return fake.name();
      }

      @Override
      public String title() {
        return fake.title();
      }

      @Override
      public String finding() {
        return fake.finding();
      }

      @Override
      public int version() {
        return 1;
      }

      @Override
      public List<Statement> statements() {
        return fake.statements();
      }

      @Override
      public void run(ExperimentRun run) {
        body.accept(run);
      }
    };
  }

  @Test
  void onePageHasEveryFigureWithItsClaims() {
    List<ExperimentResult> results =
        Stream.of("one", "two")
            .map(name -> run(new FakeExperiment(name, 0), FakeExperiment.OPTIONS, "out"))
            .toList();
    String page = ReproductionPage.of(results, FakeExperiment.OPTIONS).toHtml();
    for (String name : List.of("one", "two")) {
      assertTrue(page.contains(name + ": a figure named " + name));
      assertTrue(page.contains("kpflow reproduce " + name + " --quick --seed 7"));
      assertTrue(page.contains("The paper: what it shows"));
      assertTrue(page.contains("<li>Nothing is like the paper.</li>"));
    }
    assertEquals(3, page.split("data:image/png;base64,", -1).length);
    assertEquals(3, page.split(">passed<", -1).length);
    assertEquals(5, page.split(">failed<", -1).length);
    assertTrue(page.contains("2 of 6 claims hold"));
    assertTrue(page.contains("[6, 3]"), "settings are shown");
    assertFalse(page.contains("src=\"http") || page.contains("<script"));
  }

  @Test
  void everyExperimentStatesItsClaims() {
    Set<String> names = new HashSet<>();
    for (Experiment experiment : Experiments.all()) {
      assertTrue(names.add(experiment.name()));
      assertEquals(experiment.name(), Experiments.of(experiment.name()).name());
      Set<String> ids = new HashSet<>();
      for (Statement statement : experiment.statements()) {
        assertTrue(ids.add(statement.id()), experiment.name() + " " + statement.id());
      }
      assertFalse(ids.isEmpty());
    }
    InputException unknown = assertThrows(InputException.class, () -> Experiments.of("fig99"));
    assertTrue(unknown.getMessage().contains("fig99"));
  }
}
