package org.kpflow.cases;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.tensor.Tensor;

/**
 * Compares what {@link CaseEvaluation} computes with the answers in the case's directory, at the
 * case's own tolerances.
 */
public final class CaseVerification {
  private static final double ABSOLUTE = 1e-13;
  private static final double LYAPUNOV_F64 = 1e-9;

  /**
   * One compared quantity.
   *
   * @param error its difference to the answer, in the measure of the tolerance
   * @param allowed the tolerance; NaN where the case states none for this precision, which passes
   *     as {@code skipped}
   */
  public record Check(String quantity, double error, double allowed, String note) {
    /** Whether the case gives no tolerance for this quantity at this precision. */
    public boolean skipped() {
      return Double.isNaN(allowed);
    }

    public boolean passed() {
      return skipped() || error <= allowed;
    }
  }

  private final CaseDirectory directory;
  private final DType dtype;
  private final JsonNode tolerances;
  private final List<Check> checks = new ArrayList<>();

  private CaseVerification(CaseDirectory directory, DType dtype) {
    this.directory = directory;
    this.dtype = dtype;
    this.tolerances = directory.description().path("tolerance").path(dtype.toString());
  }

  /** All comparisons of a case: every listed array that the case computes and every metric. */
  public static List<Check> verify(CaseEvaluation evaluation) {
    CaseVerification verification =
        new CaseVerification(evaluation.directory(), evaluation.linearization().dtype());
    for (String name : evaluation.directory().arrays()) {
      if (evaluation.makes(name)) {
        verification.checks.add(verification.listed(name, evaluation));
      }
    }
    JsonNode expected = evaluation.directory().description().path("metrics");
    Map<String, Object> found = CaseMetrics.of(evaluation);
    expected
        .fields()
        .forEachRemaining(
            entry ->
                verification.metric(
                    entry.getKey(), "", entry.getValue(), found.get(entry.getKey())));
    if (verification.checks.isEmpty()) {
      throw new InputException(
          verification.directory.path().resolve("case.json")
              + ": lists no answers to compare with");
    }
    return verification.checks;
  }

  private Check listed(String name, CaseEvaluation evaluation) {
    return directory.has(name)
        ? array(name, evaluation.array(name))
        : new Check(
            name, Double.POSITIVE_INFINITY, 0, "the case lists it but has no " + name + ".npy");
  }

  private Check array(String name, Tensor found) {
    double[] values = found.toDoubles();
    double[] answers;
    try (Tensor answer = directory.read(name, DType.F64)) {
      if (!answer.shape().equals(found.shape())) {
        return new Check(
            name,
            Double.POSITIVE_INFINITY,
            0,
            "shape " + found.shape() + ", expected " + answer.shape());
      }
      answers = answer.toDoubles();
    }
    double r = relative(name);
    if (name.equals("lyap")) {
      return new Check(
          name,
          largestDifference(values, answers),
          dtype == DType.F64 ? LYAPUNOV_F64 : 3 * r,
          "absolute");
    }
    if (name.endsWith("_eig") || name.equals("P_sv")) {
      return new Check(
          name, largestDifference(values, answers), 3 * r * answers[0] + ABSOLUTE, "absolute");
    }
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < values.length; i++) {
      difference += (values[i] - answers[i]) * (values[i] - answers[i]);
      norm += answers[i] * answers[i];
    }
    return new Check(name, Math.sqrt(difference), r * Math.sqrt(norm) + ABSOLUTE, "Frobenius");
  }

  private static double largestDifference(double[] values, double[] answers) {
    double largest = 0;
    for (int i = 0; i < values.length; i++) {
      double difference = Math.abs(values[i] - answers[i]);
      largest = Double.isNaN(difference) ? Double.POSITIVE_INFINITY : Math.max(largest, difference);
    }
    return largest;
  }

  /** The case's relative tolerance for what a quantity depends on; NaN where it is null. */
  private double relative(String name) {
    String key = "NTK";
    if (name.equals("h")
        || name.equals("att")
        || name.startsWith("V_")
        || name.startsWith("core_gram")
        || name.equals("err")
        || name.equals("loss")) {
      key = "h";
    } else if (name.startsWith("PPt")
        || name.matches("P|P_probe|Pt_probe|P_sv|P_fro|adj|phi|J_step|lyap.*")) {
      key = "P";
    } else if (name.matches("K|K_.*|Dt_probe|Dtheta_probe|cos_K_core")) {
      key = "K";
    }
    return tolerances.path(key).asDouble(Double.NaN);
  }

  private void metric(String path, String parent, JsonNode expected, Object found) {
    String name = parent.isEmpty() ? path : parent + "." + path;
    if (expected.isObject() && found instanceof Map<?, ?> map) {
      expected
          .fields()
          .forEachRemaining(
              entry -> metric(entry.getKey(), name, entry.getValue(), map.get(entry.getKey())));
      return;
    }
    double r = relative(parent.isEmpty() ? path : parent.split("\\.")[0]);
    if (expected.isNull() || found == null) {
      boolean same = expected.isNull() && found == null;
      boolean undecided = path.equals("rank") && dtype == DType.F32;
      checks.add(
          new Check(
              name,
              same || undecided ? 0 : Double.POSITIVE_INFINITY,
              r,
              same ? "both undefined" : "one undefined"));
    } else if (path.equals("n95") || path.equals("n95_sq")) {
      JsonNode siblings = directory.description().path("metrics").path(parent);
      boolean decided = siblings.path(path + "_margin").asDouble() > 10 * r;
      checks.add(count(name, expected, found, decided && !Double.isNaN(r)));
    } else if (path.equals("rank")) {
      checks.add(count(name, expected, found, dtype == DType.F64));
    } else if (!path.endsWith("_margin")) {
      double answer = expected.asDouble();
      double value = ((Number) found).doubleValue();
      checks.add(
          new Check(
              name, Math.abs(value - answer), 3 * r * Math.abs(answer) + ABSOLUTE, "absolute"));
    }
  }

  /** A count has to be right when it is not within rounding of changing. */
  private static Check count(String name, JsonNode expected, Object found, boolean decided) {
    double error = Math.abs(((Number) found).doubleValue() - expected.asDouble());
    return new Check(name, error, decided ? 0 : Double.NaN, "count");
  }
}
