package org.kpflow.experiment;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.report.CheckRow;
import org.kpflow.report.HtmlReport;
import org.kpflow.report.Section;

/** Results as one page: every figure with its claims, settings, time and command. */
public final class ReproductionPage {
  private ReproductionPage() {}

  /** The page of some results, in their order. */
  public static HtmlReport of(List<ExperimentResult> results, RunOptions options) {
    long claims = results.stream().mapToLong(result -> result.claims().size()).sum();
    long failed = results.stream().mapToLong(ExperimentResult::failed).sum();
    List<String> warnings = new ArrayList<>();
    for (ExperimentResult result : results) {
      if (result.failure() != null) {
        warnings.add(result.experiment().name() + " ended early: " + result.failure().getMessage());
      }
    }
    String summary =
        String.format(
            Locale.ROOT,
            "%d of %d claims hold, over %d %s%s.",
            claims - failed,
            claims,
            results.size(),
            results.size() == 1 ? "figure" : "figures",
            options.quick() ? ", in the smaller setting (--quick)" : "");
    Map<String, String> provenance = new LinkedHashMap<>(options.versions());
    provenance.put("seed", Long.toString(options.seed()));
    return new HtmlReport(
        "The paper's figures, reproduced",
        summary,
        warnings,
        results.stream().map(ReproductionPage::section).toList(),
        provenance);
  }

  private static Section section(ExperimentResult result) {
    Map<String, String> facts = new LinkedHashMap<>();
    List<String> deviations = result.experiment().deviations();
    facts.put("command", result.command());
    result.settings().forEach((name, value) -> facts.put(name, text(value)));
    facts.put("points", result.points() + ", " + result.computed() + " of them in this run");
    facts.put("time", String.format(Locale.ROOT, "%.1f s", result.seconds()));
    return new Section(
        result.experiment().name() + ": " + result.experiment().title(),
        "The paper: "
            + result.experiment().finding()
            + (deviations.isEmpty() ? "" : " What differs here, or the paper does not say:"),
        deviations,
        List.of(),
        List.of(),
        List.copyOf(result.pictures().values()),
        result.claims().stream().map(ReproductionPage::check).toList(),
        facts);
  }

  private static CheckRow check(Claim claim) {
    Statement statement = claim.statement();
    return new CheckRow(
        statement.words(),
        statement.source(),
        statement.quantity(),
        claim.measured(),
        claim.standardError(),
        bound(statement),
        claim.passed(),
        claim.remark());
  }

  /** What the number has to be: "≥ 3". */
  public static String bound(Statement statement) {
    double threshold = statement.threshold();
    boolean whole = threshold == Math.rint(threshold) && Math.abs(threshold) < 1e15;
    String number =
        whole
            ? Long.toString((long) threshold)
            : Double.toString(threshold).replace(".0E", "e").replace('E', 'e');
    return statement.relation().symbol() + " " + number;
  }

  private static String text(Object value) {
    if (value == null || !value.getClass().isArray()) {
      return String.valueOf(value);
    }
    List<Object> items = new ArrayList<>();
    for (int i = 0; i < Array.getLength(value); i++) {
      items.add(Array.get(value, i));
    }
    return items.toString();
  }
}
