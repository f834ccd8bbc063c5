package org.kpflow;

import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static java.util.Map.entry;
import static java.util.stream.Collectors.toCollection;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Which package may use which: every package of ours has a line here. */
class LayerRulesTest {
  private static final String ROOT = "org.kpflow.";

  /** The packages that whatever computes something for a user may stand on. */
  private static final Set<String> LIBRARY =
      Set.of(
          "base",
          "nativelib",
          "tensor",
          "io",
          "model",
          "loading",
          "linearize",
          "operator",
          "flow",
          "spectral",
          "estimate");

  private static final Map<String, Set<String>> MAY_USE =
      Map.ofEntries(
          entry("base", Set.of()),
          entry("nativelib", Set.of("base")),
          entry("tensor", Set.of("base", "nativelib")),
          entry("io", Set.of("base", "tensor")),
          entry("model", Set.of("base", "tensor")),
          entry("loading", Set.of("base", "tensor", "io", "model")),
          entry("linearize", Set.of("base", "nativelib", "tensor", "model")),
          entry("operator", Set.of("base", "tensor")),
          entry(
              "flow",
              Set.of("base", "nativelib", "tensor", "model", "linearize", "operator", "spectral")),
          entry("spectral", Set.of("base", "nativelib", "tensor", "operator")),
          entry("estimate", Set.of("base", "tensor", "operator")),
          entry("analysis", and(LIBRARY, "report")),
          entry("cases", LIBRARY),
          entry("task", LIBRARY),
          entry("train", and(LIBRARY, "task", "report")),
          entry("experiment", and(LIBRARY, "task", "train", "analysis", "report")),
          entry("report", Set.of("base")),
          entry("cli", and(LIBRARY, "analysis", "cases", "task", "train", "experiment", "report")));

  private static JavaClasses classes;

  @BeforeAll
  static void readClasses() {
    classes =
        new ClassFileImporter()
            .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
            .importPackages("org.kpflow");
  }

  static Stream<String> packages() {
    return MAY_USE.keySet().stream().sorted();
  }

  @ParameterizedTest
  @MethodSource("packages")
  void aPackageUsesOnlyThoseBelowIt(String name) {
    DescribedPredicate<JavaClass> others =
        DescribedPredicate.describe(
            "of ours that are not in " + new TreeSet<>(MAY_USE.get(name)),
            used ->
                isOurs(used)
                    && !layer(used).equals(name)
                    && !MAY_USE.get(name).contains(layer(used)));
    noClasses()
        .that()
        .resideInAPackage(ROOT + name + "..")
        .should()
        .dependOnClassesThat(others)
        .allowEmptyShould(true)
        .check(classes);
  }

  @Test
  void onlyNativelibUsesJavaCpp() {
    noClasses()
        .that()
        .resideOutsideOfPackage(ROOT + "nativelib..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.bytedeco..")
        .allowEmptyShould(true)
        .check(classes);
  }

  @Test
  void packagesAreFreeOfCycles() {
    slices().matching(ROOT + "(*)..").should().beFreeOfCycles().check(classes);
  }

  @Test
  void everyPackageHasARule() {
    Set<String> unruled =
        classes.stream()
            .map(LayerRulesTest::layer)
            .filter(layer -> !MAY_USE.containsKey(layer))
            .collect(toCollection(TreeSet::new));
    assertTrue(unruled.isEmpty(), () -> "packages of " + ROOT + " without a rule: " + unruled);
  }

  private static boolean isOurs(JavaClass type) {
    return type.getPackageName().startsWith(ROOT);
  }

  /** The first package below org.kpflow; empty for classes in org.kpflow itself. */
  private static String layer(JavaClass type) {
    String below = (type.getPackageName() + ".").substring(ROOT.length());
    return below.substring(0, Math.max(0, below.indexOf('.')));
  }

  private static Set<String> and(Set<String> names, String... more) {
    Set<String> all = new TreeSet<>(names);
    all.addAll(Set.of(more));
    return all;
  }
}
