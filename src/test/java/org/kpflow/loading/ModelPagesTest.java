package org.kpflow.loading;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Every JSON of docs/models and of README.md describes a model that loads. */
class ModelPagesTest {
  private static final Pattern BLOCK = Pattern.compile("(?s)```json\n(.*?)```");

  @TempDir private Path directory;

  private static List<String> blocks(Path page) throws IOException {
    List<String> blocks = new ArrayList<>();
    Matcher found = BLOCK.matcher(Files.readString(page));
    while (found.find()) {
      blocks.add(found.group(1));
    }
    return blocks;
  }

  private static List<Path> pages() throws IOException {
    try (Stream<Path> models = Files.list(Path.of("docs", "models"))) {
      return Stream.concat(models.sorted(), Stream.of(Path.of("README.md"))).toList();
    }
  }

  /** A file that holds what the examples speak of. */
  private static TorchCheckpoint checkpoint(Architecture type, boolean named) {
    TorchCheckpoint net = new TorchCheckpoint();
    return switch (type) {
      case RNN -> net.recurrent("rnn.", 1, 0, 3, 4);
      case LEAKY_RNN ->
          net.recurrent("rnn.", 1, 0, 3, 4).without("rnn.bias_ih_l0").without("rnn.bias_hh_l0");
      case GRU ->
          named
              ? net.with("core/w_in", 12, 3).with("core/w_rec", 12, 4)
              : net.recurrent("encoder.", 3, 0, 3, 4);
      case LSTM -> net.recurrent("", 4, 0, 3, 4).recurrent("", 4, 1, 4, 4);
      case NEURAL_ODE -> net.recurrent("", 1, 0, 3, 4);
      case MLP -> net.linear("net.0", 5, 3).linear("net.2", 2, 5);
      case ATTENTION ->
          named
              ? net.with("attn/query", 8, 8)
                  .with("attn/key", 8, 8)
                  .with("attn/value", 8, 8)
                  .with("attn/out", 8, 8)
              : net.attention("attn.", 8).linear("mlp.0", 5, 8).linear("mlp.2", 2, 5);
      case TRANSFORMER ->
          net.linear("embed", 8, 3).block("layers.0.", 8, 6).with("pos_embed", 9, 8);
    };
  }

  @Test
  void everyExampleLoads() throws IOException {
    Set<Architecture> shown = EnumSet.noneOf(Architecture.class);
    for (Path page : pages()) {
      for (String block : blocks(page)) {
        if (!block.contains("\"type\"")) {
          Files.writeString(directory.resolve("names.json"), block); // for the one before it
        }
      }
      for (String block : blocks(page)) {
        if (block.contains("\"type\"")) {
          Path file = Files.writeString(directory.resolve("model.json"), block);
          ModelDescription description = ModelDescription.read(file);
          shown.add(description.type());
          load(description, block, page);
        }
      }
    }
    assertEquals(EnumSet.allOf(Architecture.class), shown);
  }

  private static void load(ModelDescription description, String json, Path page) {
    try (TorchCheckpoint net = checkpoint(description.type(), description.names() != null)) {
      if (description.type() == Architecture.TRANSFORMER && description.ignore().isEmpty()) {
        net.without("pos_embed");
      }
      try (LoadedModel loaded = net.load(description)) {
        assertTrue(loaded.model().parameterCount() > 0, () -> page + ": " + json);
      }
    }
  }

  /** The table of keys has every key, and no other. */
  @Test
  void everyKeyIsDocumented() throws IOException {
    String page = Files.readString(Path.of("docs", "models", "model-json.md"));
    List<String> rows =
        page.lines()
            .filter(line -> line.matches("\\| `[a-z_]+` \\|.*"))
            .map(line -> line.substring(3, line.indexOf('`', 3)))
            .toList();
    assertEquals(ModelDescription.KEYS.stream().sorted().toList(), rows.stream().sorted().toList());
  }

  @Test
  void theOverviewNamesEveryType() throws IOException {
    String page = Files.readString(Path.of("docs", "models", "README.md"));
    for (Architecture type : Architecture.values()) {
      assertTrue(page.contains("| `" + type + "` |"), type.toString());
    }
  }
}
