package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.AnalysisWriter;
import org.kpflow.analysis.DiagnosisOptions;
import org.kpflow.analysis.Objectives;
import org.kpflow.analysis.SeriesReport;
import org.kpflow.analysis.SeriesWriter;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.io.Finite;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.model.Activation;
import org.kpflow.model.Gru;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.Lstm;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Readout;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.Rnn;
import org.kpflow.report.JsonWriter;
import org.kpflow.report.Phase;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** kpflow analyze: a user's weights and inputs in, a report out. */
@Command(
    name = "analyze",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Analyses the NTK of a trained network: report.json, arrays.npz, plots and report.html.")
final class AnalyzeCommand implements Callable<Integer> {
  /** Cells that --cell takes. */
  enum Cell {
    rnn,
    leaky_rnn,
    gru,
    lstm
  }

  @Option(
      names = "--cell",
      required = true,
      paramLabel = "CELL",
      description = "rnn, leaky_rnn, gru or lstm.")
  private Cell cell;

  @Option(
      names = "--weights",
      required = true,
      arity = "1..*",
      paramLabel = "FILE",
      description = {
        "A .safetensors or .npz file, or a folder of .npy files, with PyTorch's parameter names.",
        "Several, or a folder of checkpoints, are analysed as a series."
      })
  private List<Path> weights;

  @Option(
      names = "--inputs",
      required = true,
      paramLabel = "FILE",
      description = "A .npy file [B, T, n_in].")
  private Path inputs;

  @Option(
      names = "--targets",
      paramLabel = "FILE",
      description = "A .npy file [B, T, n_out] of the read-out's targets.")
  private Path targets;

  @Option(
      names = "--readout",
      paramLabel = "NAME",
      description =
          "The read-out's parameters in the weights: NAME.weight [n_out, H], NAME.bias (default: found by shape).")
  private String readout;

  @Option(
      names = "--initial-state",
      paramLabel = "FILE",
      description = "A .npy file [B, n] (default: zero).")
  private Path initialState;

  @Option(
      names = "--prefix",
      paramLabel = "TEXT",
      description = "What stands before weight_hh_l0 (default: found).")
  private String prefix;

  @Option(
      names = "--activation",
      defaultValue = "tanh",
      paramLabel = "NAME",
      description =
          "tanh, relu, gelu or linear, for rnn and leaky_rnn (default: ${DEFAULT-VALUE}).")
  private String activation;

  @Option(
      names = "--dt",
      defaultValue = "1",
      paramLabel = "X",
      description = "Step of the leaky_rnn (default: ${DEFAULT-VALUE}).")
  private double dt;

  @Option(
      names = "--freeze",
      split = ",",
      paramLabel = "NAMES",
      description = "Weights that are not trained.")
  private List<String> freeze = List.of();

  @Option(
      names = "--trials",
      paramLabel = "LIST",
      description = "The first N trials, or a list such as 0,5,10 (default: all).")
  private String trials;

  @Option(
      names = "--views",
      split = ",",
      paramLabel = "NAMES",
      description = "Of temp, space, batch, time, bh, th (default: temp,space,batch,time).")
  private List<String> views = List.of("temp", "space", "batch", "time");

  @Option(
      names = "--modes",
      defaultValue = "10",
      paramLabel = "N",
      description = "Leading modes (default: ${DEFAULT-VALUE}).")
  private int modes;

  @Option(
      names = "--method",
      defaultValue = "auto",
      paramLabel = "NAME",
      description =
          "Views of the NTK by basis (exact), factor (exact but for a stated truncation), hybrid (leading modes exact, the rest sampled), sampled, or auto (default: ${DEFAULT-VALUE}).")
  private LinearizationViews.Method method;

  @Option(
      names = "--rtol",
      defaultValue = "0",
      paramLabel = "X",
      description =
          "Relative accuracy of the views: standard error of hybrid and sampled (default 1e-2), truncation bound of factor (default 1e-6).")
  private double tolerance;

  @Option(
      names = "--samples",
      defaultValue = "0",
      paramLabel = "N",
      description = "Weight perturbations of hybrid and sampled (default: as --rtol needs).")
  private int samples;

  @Option(
      names = "--whole-spectrum",
      description = "All non-zero eigenvalues of the NTK (default: for up to 2,048 of them).")
  private boolean wholeSpectrum;

  @Option(
      names = "--lyapunov",
      defaultValue = "16",
      paramLabel = "N",
      description = "Leading Lyapunov exponents, 0 for none (default: ${DEFAULT-VALUE}).")
  private int lyapunov;

  @Option(
      names = "--objectives",
      paramLabel = "WHAT",
      description =
          "Parts of the task to align: outputs, trials, or a .npy file [B] of labels of the trials (default: outputs).")
  private String objectives;

  @Option(
      names = "--seed",
      defaultValue = "0",
      paramLabel = "N",
      description = "Of all random numbers (default: ${DEFAULT-VALUE}).")
  private long seed;

  @Option(
      names = "--phases",
      split = ",",
      paramLabel = "LABEL:STEP",
      description = "Parts of a trial to mark in plots, such as stimulus:0,memory:30.")
  private List<String> phases = List.of();

  @Mixin private DeviceOptions device;

  @Option(
      names = "--out",
      required = true,
      paramLabel = "DIR",
      description = "Where the report goes.")
  private Path out;

  @Option(names = "--json", description = "Print the report as JSON on stdout.")
  private boolean json;

  @Override
  public Integer call() throws Exception {
    if (readout != null && targets == null) {
      throw new InputException(
          "--readout: expected --targets with it; a read-out alone has no error");
    }
    if (objectives != null && targets == null) {
      throw new InputException(
          "--objectives: expected --targets with it; without, there is no error");
    }
    DType dtype = device.dtype(DType.F32);
    List<Phase> marks = phases.stream().map(AnalyzeCommand::phase).toList();
    Checkpoints checkpoints = Checkpoints.of(weights);
    TrialSelection selection = new TrialSelection(trials);
    try (ExecutionContext context = device.context();
        Tensor x = selection.read(inputs, 3);
        Tensor initial = initialState == null ? null : selection.read(initialState, 2);
        Tensor y = targets == null ? null : selection.read(targets, 3);
        ConsoleProgress progress = new ConsoleProgress()) {
      Given given =
          new Given(context, x, initial, y, objectives(selection, x), dtype, marks, progress);
      return StopOnInterrupt.during(
          () ->
              checkpoints.series()
                  ? series(checkpoints.paths(), given)
                  : single(checkpoints.paths().get(0), given));
    }
  }

  /** What all checkpoints are analysed on. */
  private record Given(
      ExecutionContext context,
      Tensor x,
      Tensor initial,
      Tensor y,
      Objectives objectives,
      DType dtype,
      List<Phase> marks,
      ConsoleProgress progress) {}

  private int single(Path path, Given given) throws IOException {
    try (AnalysisResult result = analyse(path, given, null, false)) {
      Thread.interrupted(); // a stop has done its work; files are not written on such a thread
      given.progress.stage("writing the report", 0);
      AnalysisWriter writer = writer(result, path, given);
      Path page = writer.write(out);
      if (json) {
        JsonWriter.write(System.out, result.report());
      } else {
        result.report().warnings().forEach(warning -> System.out.println("warning: " + warning));
        System.out.println(writer.summary());
        System.out.println("report: " + page);
      }
      return result.report().partial() ? Exit.NUMERICAL : Exit.OK;
    }
  }

  private int series(List<Path> paths, Given given) throws IOException {
    SeriesRun.Step step =
        new SeriesRun.Step() {
          @Override
          public AnalysisResult analyse(Path path, Tensor start) {
            given.progress.prefix(Checkpoints.name(path) + ": ");
            return AnalyzeCommand.this.analyse(path, given, start, true);
          }

          @Override
          public void write(AnalysisResult result, Path path, Path directory) {
            given.progress.stage("writing the report", 0);
            writer(result, path, given).write(directory);
          }
        };
    Map<String, String> facts = sources(paths);
    facts.put("seed", Long.toString(seed));
    SeriesReport report = new SeriesRun(paths, out, facts).run(given.context, step);
    if (json) {
      JsonWriter.write(System.out, report);
    } else {
      report.warnings().forEach(warning -> System.out.println("warning: " + warning));
      System.out.println(new SeriesWriter(report, facts).summary());
      System.out.println("report: " + out.resolve("report.html"));
    }
    return report.partial() ? Exit.NUMERICAL : Exit.OK;
  }

  /** The analysis of one network, from the eigenvectors of a similar one unless they are null. */
  private AnalysisResult analyse(Path path, Given given, Tensor start, boolean keepEigenvectors) {
    List<View> wanted = new LinkedHashSet<>(views).stream().map(View::of).toList();
    DiagnosisOptions diagnosis =
        new DiagnosisOptions(lyapunov, given.objectives, start, keepEigenvectors);
    try (TensorMap parameters = WeightFile.read(path, null)) {
      for (String name : parameters.names()) {
        Finite.require(path + ": " + name, parameters.get(name));
      }
      try (RecurrentModel model = model(path, parameters, given.dtype);
          Readout output = given.y == null ? null : readout(path, given, parameters, model)) {
        AnalysisRequest request =
            new AnalysisRequest(
                given.context,
                model,
                given.x,
                given.initial,
                output,
                given.y,
                wanted,
                modes,
                method,
                tolerance,
                samples,
                wholeSpectrum,
                RngState.of(seed));
        return Analysis.run(request, diagnosis, given.progress);
      }
    }
  }

  private AnalysisWriter writer(AnalysisResult result, Path path, Given given) {
    return new AnalysisWriter(result, given.marks, provenance(result, path));
  }

  /** outputs, trials, or the labels of a file. */
  private Objectives objectives(TrialSelection selection, Tensor x) {
    if (objectives == null || objectives.equals("outputs")) {
      return Objectives.outputs();
    }
    if (objectives.equals("trials")) {
      return Objectives.trials();
    }
    Path file = Path.of(objectives);
    if (!Files.exists(file)) {
      throw new InputException(
          "--objectives: expected outputs, trials or a .npy file of labels [B], got '"
              + objectives
              + "'");
    }
    return Objectives.groups(selection.labels(file, x.shape().size(0)));
  }

  private RecurrentModel model(Path path, TensorMap parameters, DType dtype) {
    ModelOptions options = new ModelOptions(dtype, new LinkedHashSet<>(freeze), prefix);
    try {
      return switch (cell) {
        case rnn -> new Rnn(parameters.asMap(), Activation.of(activation), options);
        case leaky_rnn -> new LeakyRnn(parameters.asMap(), Activation.of(activation), dt, options);
        case gru -> new Gru(parameters.asMap(), options);
        case lstm -> new Lstm(parameters.asMap(), options);
      };
    } catch (InputException fault) {
      throw new InputException(path + ": " + fault.getMessage(), fault);
    }
  }

  /** The read-out named, or the only weight matrix [n_out, H] that goes with the targets. */
  private Readout readout(Path path, Given given, TensorMap parameters, RecurrentModel model) {
    Tensor y = given.y;
    String name = readout;
    if (name == null) {
      List<String> fitting =
          parameters.names().stream()
              .filter(known -> known.endsWith(".weight"))
              .filter(
                  known ->
                      parameters
                          .get(known)
                          .shape()
                          .equals(org.kpflow.base.Shape.of(y.shape().size(2), model.units())))
              .map(known -> known.substring(0, known.length() - ".weight".length()))
              .toList();
      if (fitting.size() != 1) {
        throw new InputException(
            path
                + ": expected one read-out NAME.weight of shape ["
                + y.shape().size(2)
                + ", "
                + model.units()
                + "] for the targets, found "
                + fitting
                + "; name it with --readout");
      }
      name = fitting.get(0);
    }
    Tensor weight = parameters.get(name + ".weight");
    Tensor bias = parameters.contains(name + ".bias") ? parameters.get(name + ".bias") : null;
    return new Readout(given.context, weight, bias, model.outputBlock(), given.dtype);
  }

  /** Where the numbers come from. */
  private Map<String, String> sources(List<Path> paths) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("version", "kpflow " + Main.VERSION);
    facts.put("cell", cell.toString());
    facts.put("weights", paths.stream().map(Path::toString).collect(Collectors.joining(", ")));
    facts.put("inputs", inputs.toString());
    if (targets != null) {
      facts.put("targets", targets.toString());
    }
    return facts;
  }

  private Map<String, String> provenance(AnalysisResult result, Path path) {
    Map<String, String> facts = sources(List.of(path));
    facts.put("dtype", result.report().dtype());
    facts.put(
        "method",
        (result.report().method() == null ? "none" : result.report().method())
            + (result.report().columns() > 0 ? ", " + result.report().columns() + " columns" : "")
            + (result.report().samples() > 0 ? ", " + result.report().samples() + " samples" : ""));
    facts.put("seed", Long.toString(seed));
    facts.put("threads", Integer.toString(result.report().threads()));
    facts.put(
        "wall time", String.format(java.util.Locale.ROOT, "%.1f s", result.report().seconds()));
    return facts;
  }

  private static Phase phase(String text) {
    int colon = text.lastIndexOf(':');
    try {
      return new Phase(
          text.substring(0, Math.max(colon, 0)), Integer.parseInt(text.substring(colon + 1)));
    } catch (NumberFormatException wrong) {
      throw new InputException("--phases: expected LABEL:STEP, got '" + text + "'", wrong);
    }
  }
}
