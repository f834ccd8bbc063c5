package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
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
import org.kpflow.flow.StateSelection;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.loading.LoadedModel;
import org.kpflow.loading.ModelDescription;
import org.kpflow.model.Readout;
import org.kpflow.report.JsonWriter;
import org.kpflow.report.Phase;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** kpflow analyze: a user's weights and inputs in, a report out. */
@Command(
    name = "analyze",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    description =
        "Analyses the NTK of a trained network: report.json, arrays.npz, plots and report.html.")
final class AnalyzeCommand implements Callable<Integer> {
  @Spec private CommandSpec spec;

  @Mixin private NetworkOptions network;

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
      paramLabel = "FILE",
      description =
          "A .npy file [B, T, n_in], or [B, n_in] for a feed-forward network (default: inputs.npy beside the weights, with targets.npy).")
  private Path inputs;

  @Mixin private FourierOption fourier;

  @Option(
      names = "--targets",
      paramLabel = "FILE",
      description = "A .npy file [B, T, n_out], or [B, n_out], of the read-out's targets.")
  private Path targets;

  @Option(
      names = "--mask",
      paramLabel = "FILE",
      description =
          "A .npy file [B, T], or [B] for targets [B, n_out], 1 where a step of the targets counts and 0 elsewhere (default: mask.npy beside the weights for the targets.npy there, else all count).")
  private Path mask;

  @Option(
      names = "--readout",
      paramLabel = "NAME",
      description =
          "The read-out in the weights: NAME.weight [n_out, units of the output block], NAME.bias (default: found by shape).")
  private String readout;

  @Option(
      names = "--initial-state",
      paramLabel = "FILE",
      description = "A .npy file [B, n] (default: zero).")
  private Path initialState;

  @Mixin private SelectionOptions selected;

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

  /** What of each file is neither the network's nor the read-out's. */
  private final Map<Path, List<String>> notUsed = new HashMap<>();

  @Override
  public Integer call() throws Exception {
    TrainingFolder folder = TrainingFolder.of(weights.get(0));
    folder.describe(network);
    if (inputs == null) {
      if (fourier.given()) {
        throw new InputException(
            "--fourier: expected --inputs with it; inputs.npy beside the weights has features in it"
                + " where the training had");
      }
      inputs = folder.inputs();
      targets = targets == null ? folder.targets() : targets;
    }
    fourier.features(); // refuses a number out of range
    mask = mask == null ? folder.mask(targets) : mask;
    if (mask != null && targets == null) {
      throw new InputException("--mask: expected --targets with it; it says which of them count");
    }
    if (readout != null && targets == null) {
      throw new InputException(
          "--readout: expected --targets with it; a read-out alone has no error");
    }
    if (objectives != null && targets == null) {
      throw new InputException(
          "--objectives: expected --targets with it; without, there is no error");
    }
    ModelDescription description = network.description();
    if (initialState != null && !description.type().isRecurrent()) {
      throw new InputException(
          "--initial-state: expected none for a network of type "
              + description.type()
              + ", which does not step through time");
    }
    StateSelection part = selected.of(description);
    DType dtype = device.dtype(DType.F32);
    List<Phase> marks = phases.stream().map(AnalyzeCommand::phase).toList();
    Checkpoints checkpoints = Checkpoints.of(weights);
    TrialSelection selection = new TrialSelection(trials);
    try (Tensor x = inputs(selection, !description.type().isRecurrent());
        Tensor initial = initialState == null ? null : selection.read(initialState, 2);
        Tensor y =
            targets == null
                ? null
                : selection.sequences(targets, !description.type().isRecurrent());
        Tensor counted =
            mask == null ? null : selection.mask(mask, !description.type().isRecurrent());
        ExecutionContext context = device.context(() -> operations(x, checkpoints.paths().get(0)));
        ConsoleProgress progress = new ConsoleProgress()) {
      Given given =
          new Given(
              description,
              part,
              context,
              x,
              initial,
              y,
              counted,
              objectives(selection, x),
              dtype,
              marks,
              new Provenance(
                  description,
                  selected,
                  inputs,
                  fourier.count(),
                  targets,
                  mask,
                  seed,
                  device.fact(context)),
              withoutEffect(description, x),
              progress);
      return StopOnInterrupt.during(
          () ->
              checkpoints.series()
                  ? series(checkpoints.paths(), given)
                  : single(checkpoints.paths().get(0), given));
    }
  }

  /** What the network reads [B, T, n_in]; the caller closes it. */
  private Tensor inputs(TrialSelection selection, boolean mayLackSteps) {
    Tensor given = selection.sequences(inputs, mayLackSteps);
    if (!fourier.given()) {
      return given;
    }
    try (given) {
      return fourier.features().apply(given);
    } catch (IllegalArgumentException fault) {
      throw named(fault);
    }
  }

  private static double operations(Tensor x, Path weights) {
    try (TensorMap parameters = WeightFile.read(weights, null)) {
      return DeviceOptions.operations(x, parameters.asMap());
    }
  }

  /** What all checkpoints are analysed on. */
  private record Given(
      ModelDescription description,
      StateSelection part,
      ExecutionContext context,
      Tensor x,
      Tensor initial,
      Tensor y,
      Tensor mask,
      Objectives objectives,
      DType dtype,
      List<Phase> marks,
      Provenance provenance,
      List<String> warnings,
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
    Map<String, String> facts = given.provenance.of(paths);
    SeriesReport report = new SeriesRun(paths, out, facts, given.warnings).run(given.context, step);
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
      try (LoadedModel loaded =
              NetworkOptions.load(given.description, parameters, given.dtype, readout);
          Readout output = readout(path, given, parameters, loaded)) {
        AnalysisRequest request =
            AnalysisRequest.of(given.context, loaded.model(), given.x)
                .initialState(given.initial)
                .targets(output, given.y, given.mask)
                .views(wanted)
                .modes(modes)
                .method(method)
                .tolerance(tolerance)
                .samples(samples)
                .wholeSpectrum(wholeSpectrum)
                .rng(RngState.of(seed))
                .with(given.part);
        List<String> warnings = new ArrayList<>(given.warnings);
        if (given.y != null && !loaded.suspicious().isEmpty()) {
          warnings.add(
              "not used: "
                  + String.join(", ", loaded.suspicious())
                  + "; is there anything between the network and its read-out?");
        }
        return Analysis.run(request, diagnosis, given.progress).warning(warnings);
      } catch (IllegalArgumentException fault) {
        throw named(fault);
      }
    }
  }

  /** The fault of an argument with the option and the file that it comes from. */
  private IllegalArgumentException named(IllegalArgumentException fault) {
    Map<String, Object> files = new HashMap<>();
    files.put("inputs", fourier.given() ? inputs + " with --fourier " + fourier.count() : inputs);
    files.put("targets", targets);
    files.put("mask", mask);
    files.put("initialState", initialState);
    String message = String.valueOf(fault.getMessage());
    String argument = message.substring(0, Math.max(0, message.indexOf(':')));
    if (files.get(argument) == null) {
      return fault;
    }
    String option = argument.equals("initialState") ? "initial-state" : argument;
    return new IllegalArgumentException(
        "--" + option + " " + files.get(argument) + message.substring(argument.length()), fault);
  }

  /** A warning where options on time were given for a network that has none. */
  private List<String> withoutEffect(ModelDescription description, Tensor x) {
    if (description.type().isRecurrent()) {
      return List.of();
    }
    List<String> options = new ArrayList<>();
    if (!phases.isEmpty() && x.shape().size(1) == 1) {
      options.add("--phases");
    }
    if (spec.commandLine().getParseResult().hasMatchedOption("--lyapunov")) {
      options.add("--lyapunov");
    }
    return options.isEmpty()
        ? List.of()
        : List.of(
            String.join(", ", options)
                + ": not used, since a network of type "
                + description.type()
                + " does not step through time");
  }

  /** The read-out for the targets; what it and the network leave of the file is noted. */
  private Readout readout(Path path, Given given, TensorMap parameters, LoadedModel loaded) {
    List<String> left = new ArrayList<>(loaded.unused());
    notUsed.put(path, left);
    if (given.y == null) {
      return null;
    }
    String layer =
        readout != null ? readout : ReadoutLayer.find(parameters, loaded, given.y.shape().size(2));
    if (layer == null) {
      return null; // the targets are those of the output block
    }
    left.removeAll(List.of(layer + ".weight", layer + ".bias"));
    return ReadoutLayer.read(given.context, parameters, loaded, layer, given.dtype);
  }

  private AnalysisWriter writer(AnalysisResult result, Path path, Given given) {
    return new AnalysisWriter(
        result,
        given.marks,
        given.provenance.of(result.report(), path, notUsed.getOrDefault(path, List.of())));
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
