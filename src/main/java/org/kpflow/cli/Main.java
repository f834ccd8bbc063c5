package org.kpflow.cli;

import java.io.PrintWriter;
import java.util.Locale;
import org.kpflow.base.CancelledException;
import org.kpflow.base.InputException;
import org.kpflow.base.KpflowException;
import org.kpflow.base.MemoryException;
import org.kpflow.base.NumericalException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ScopeType;

/** The command line: {@code kpflow COMMAND …}. Exit codes are those of {@link Exit}. */
@Command(
    name = "kpflow",
    version = "kpflow " + Main.VERSION,
    mixinStandardHelpOptions = true,
    synopsisSubcommandLabel = "COMMAND",
    description = "Spectra of the global empirical neural tangent kernel of trained networks.",
    subcommands = {
      DemoCommand.class,
      TrainCommand.class,
      AnalyzeCommand.class,
      DescribeCommand.class,
      EvaluateCommand.class,
      VerifyCommand.class,
      ReproduceCommand.class,
      InfoCommand.class
    },
    footer = {
      "",
      "The launcher ./kpflow also knows: test (runs every test), bench (runs the benchmarks).",
      "Exit codes: 0 success, 1 a check failed, 2 usage or bad input, 3 numerical trouble, 4 internal."
    })
public final class Main implements Runnable {
  /** The version of library and command line. */
  public static final String VERSION = "0.1.0";

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Print stack traces of failures.")
  private boolean debug;

  @CommandLine.Spec private CommandLine.Model.CommandSpec spec;

  private Main() {}

  /** Runs a command and exits with its code. */
  public static void main(String[] arguments) {
    System.exit(run(arguments));
  }

  /** Runs a command; its exit code. */
  public static int run(String... arguments) {
    Main main = new Main();
    CommandLine line = new CommandLine(main);
    try {
      return main.execute(line, arguments);
    } catch (OutOfMemoryError full) {
      Runtime heap = Runtime.getRuntime();
      line.getErr()
          .printf(
              Locale.ROOT,
              "kpflow: out of memory: the Java heap has at most %d MiB (%s); use fewer trials or"
                  + " steps, or a larger heap (JAVA_TOOL_OPTIONS=-Xmx...)%n",
              heap.maxMemory() >> 20,
              oneLine(String.valueOf(full.getMessage())));
      return Exit.INPUT;
    } catch (Error failure) { // such as a library that cannot be loaded
      line.getErr().println("kpflow: " + describe(failure));
      if (main.debug) {
        failure.printStackTrace(line.getErr());
      }
      return Exit.INTERNAL;
    }
  }

  private int execute(CommandLine line, String... arguments) {
    return line.setCaseInsensitiveEnumValuesAllowed(true)
        .setParameterExceptionHandler((failure, given) -> refuse(failure))
        .setExecutionExceptionHandler((failure, given, parsed) -> explain(failure, given.getErr()))
        .execute(arguments);
  }

  @Override
  public void run() {
    throw new ParameterException(spec.commandLine(), "expected a command");
  }

  /** One line for a wrong command line, and where help is. */
  private static int refuse(ParameterException failure) {
    PrintWriter err = failure.getCommandLine().getErr();
    String name = failure.getCommandLine().getCommandSpec().qualifiedName();
    err.println("kpflow: " + oneLine(failure.getMessage()) + "; see " + name + " --help");
    return Exit.INPUT;
  }

  private int explain(Exception failure, PrintWriter err) {
    err.println("kpflow: " + describe(failure));
    if (debug) {
      failure.printStackTrace(err);
    }
    if (failure instanceof NumericalException || failure instanceof CancelledException) {
      return Exit.NUMERICAL;
    }
    boolean input =
        failure instanceof InputException
            || failure instanceof IllegalArgumentException
            || failure instanceof MemoryException;
    return input ? Exit.INPUT : Exit.INTERNAL;
  }

  /** Whether stack traces are wanted. */
  boolean debug() {
    return debug;
  }

  /** A failure in one line. */
  static String describe(Throwable failure) {
    boolean known =
        failure instanceof KpflowException || failure instanceof IllegalArgumentException;
    String message = oneLine(String.valueOf(failure.getMessage()));
    return known
        ? message
        : "internal error, "
            + failure.getClass().getSimpleName()
            + ": "
            + message
            + "; --debug shows where";
  }

  private static String oneLine(String message) {
    return message.replaceAll("\\s*\\R\\s*", " ");
  }
}
