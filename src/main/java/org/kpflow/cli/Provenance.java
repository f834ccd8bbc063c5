package org.kpflow.cli;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.kpflow.analysis.AnalysisReport;
import org.kpflow.loading.ModelDescription;

/** Where the numbers of a report come from, by what they are called there. */
record Provenance(
    ModelDescription network,
    SelectionOptions selected,
    Path inputs,
    Integer fourier,
    Path targets,
    Path mask,
    long seed,
    String device) {

  /** What holds for every analysis of the weights. */
  Map<String, String> of(List<Path> weights) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("version", "kpflow " + Main.VERSION);
    facts.put("model", network.source());
    facts.put("network", selected.in(network).toString());
    selected.addTo(facts);
    facts.put("weights", weights.stream().map(Path::toString).collect(Collectors.joining(", ")));
    facts.put("inputs", inputs.toString());
    if (fourier != null) {
      facts.put("fourier", fourier.toString());
    }
    if (targets != null) {
      facts.put("targets", targets.toString());
    }
    if (mask != null) {
      facts.put("mask", mask.toString());
    }
    facts.put("seed", Long.toString(seed));
    return facts;
  }

  /**
   * What is known after an analysis.
   *
   * @param notUsed names in the weights that are neither the network's nor the read-out's
   */
  Map<String, String> of(AnalysisReport report, Path weights, List<String> notUsed) {
    Map<String, String> facts = of(List.of(weights));
    if (!notUsed.isEmpty()) {
      facts.put("not used", String.join(", ", notUsed));
    }
    facts.put("dtype", report.dtype());
    facts.put(
        "method",
        (report.method() == null ? "none" : report.method())
            + (report.columns() > 0 ? ", " + report.columns() + " columns" : "")
            + (report.samples() > 0 ? ", " + report.samples() + " samples" : ""));
    facts.put("device", device);
    facts.put("threads", Integer.toString(report.threads()));
    facts.put("wall time", String.format(Locale.ROOT, "%.1f s", report.seconds()));
    return facts;
  }
}
