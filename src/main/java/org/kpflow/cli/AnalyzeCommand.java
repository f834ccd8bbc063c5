package org.kpflow.cli;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.AnalysisWriter;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.io.Finite;
import org.kpflow.io.Npy;
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
      paramLabel = "FILE",
      description =
          "A .safetensors or .npz file, or a folder of .npy files, with PyTorch's parameter names.")
  private Path weights;

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
      description = "tanh, relu or linear, for rnn and leaky_rnn (default: ${DEFAULT-VALUE}).")
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
  public Integer call() throws IOException {
    if (readout != null && targets == null) {
      throw new InputException(
          "--readout: expected --targets with it; a read-out alone has no error");
    }
    DType dtype = device.dtype(DType.F32);
    List<View> wanted = new LinkedHashSet<>(views).stream().map(View::of).toList();
    List<Phase> marks = phases.stream().map(AnalyzeCommand::phase).toList();
    try (ExecutionContext context = device.context();
        TensorMap parameters = WeightFile.read(weights, null)) {
      for (String name : parameters.names()) {
        Finite.require(weights + ": " + name, parameters.get(name));
      }
      try (RecurrentModel model = model(parameters, dtype);
          Tensor x = trialsOf(inputs, 3);
          Tensor initial = initialState == null ? null : trialsOf(initialState, 2);
          Tensor y = targets == null ? null : trialsOf(targets, 3);
          Readout output = targets == null ? null : readout(context, parameters, model, y, dtype);
          ConsoleProgress progress = new ConsoleProgress()) {
        AnalysisRequest request =
            new AnalysisRequest(
                context,
                model,
                x,
                initial,
                output,
                y,
                wanted,
                modes,
                method,
                tolerance,
                samples,
                wholeSpectrum,
                RngState.of(seed));
        try (AnalysisResult result =
            StopOnInterrupt.during(() -> Analysis.run(request, progress))) {
          progress.stage("writing the report", 0);
          AnalysisWriter writer = new AnalysisWriter(result, marks, provenance(result));
          Path page = writer.write(out);
          if (json) {
            JsonWriter.write(System.out, result.report());
          } else {
            result
                .report()
                .warnings()
                .forEach(warning -> System.out.println("warning: " + warning));
            System.out.println(writer.summary());
            System.out.println("report: " + page);
          }
          return result.report().partial() ? Exit.NUMERICAL : Exit.OK;
        }
      }
    }
  }

  private RecurrentModel model(TensorMap parameters, DType dtype) {
    ModelOptions options = new ModelOptions(dtype, new LinkedHashSet<>(freeze), prefix);
    try {
      return switch (cell) {
        case rnn -> new Rnn(parameters.asMap(), Activation.of(activation), options);
        case leaky_rnn -> new LeakyRnn(parameters.asMap(), Activation.of(activation), dt, options);
        case gru -> new Gru(parameters.asMap(), options);
        case lstm -> new Lstm(parameters.asMap(), options);
      };
    } catch (InputException fault) {
      throw new InputException(weights + ": " + fault.getMessage(), fault);
    }
  }

  /** The read-out named, or the only weight matrix [n_out, H] that goes with the targets. */
  private Readout readout(
      ExecutionContext context, TensorMap parameters, RecurrentModel model, Tensor y, DType dtype) {
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
            weights
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
    return new Readout(context, weight, bias, dtype);
  }

  /** The wanted trials of an array whose leading axis is B. */
  private Tensor trialsOf(Path file, int axes) {
    Tensor all = Npy.read(file);
    try {
      Finite.require(file.toString(), all);
      if (all.shape().rank() != axes) {
        throw new InputException(file + ": expected " + axes + " axes, got shape " + all.shape());
      }
      if (trials == null) {
        return all;
      }
      try (all) {
        return select(all, file);
      }
    } catch (RuntimeException failure) {
      all.close();
      throw failure;
    }
  }

  private Tensor select(Tensor all, Path file) {
    long count = all.shape().size(0);
    long[] chosen;
    try {
      chosen =
          trials.contains(",")
              ? Arrays.stream(trials.split(","))
                  .mapToLong(text -> Long.parseLong(text.trim()))
                  .toArray()
              : java.util.stream.LongStream.range(0, Long.parseLong(trials.trim())).toArray();
    } catch (NumberFormatException wrong) {
      throw new InputException(
          "--trials: expected a number or a list such as 0,5,10, got '" + trials + "'", wrong);
    }
    Checks.that(chosen.length > 0, "--trials: expected at least one, got '%s'", trials);
    Tensor selected = Tensor.zeros(all.dtype(), all.shape().tail().block(chosen.length));
    for (int i = 0; i < chosen.length; i++) {
      if (chosen[i] < 0 || chosen[i] >= count) {
        selected.close();
        throw new InputException(
            "--trials: " + file + " has trials 0 to " + (count - 1) + ", got " + chosen[i]);
      }
      selected.slice(i).copyFrom(all.slice(chosen[i]));
    }
    return selected;
  }

  private Map<String, String> provenance(AnalysisResult result) {
    Map<String, String> facts = new LinkedHashMap<>();
    facts.put("version", "kpflow " + Main.VERSION);
    facts.put("cell", cell.toString());
    facts.put("weights", weights.toString());
    facts.put("inputs", inputs.toString());
    if (targets != null) {
      facts.put("targets", targets.toString());
    }
    facts.put("dtype", result.report().dtype());
    facts.put(
        "method",
        result.report().method()
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
