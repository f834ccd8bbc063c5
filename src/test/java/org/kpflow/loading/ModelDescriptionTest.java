package org.kpflow.loading;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.kpflow.Refusals.refused;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.kpflow.base.InputException;
import org.kpflow.model.Activation;

/** What a model.json may say; every refusal names the file, the key and what would be right. */
class ModelDescriptionTest {
  @TempDir private Path directory;

  private static ModelDescription parse(String json) {
    return ModelDescription.parse(json.replace('\'', '"'), "model.json");
  }

  @Test
  void everyKeyIsRead() {
    ModelDescription description =
        parse(
            "{'type': 'transformer', 'heads': 4, 'causal': true, 'activation': 'gelu',"
                + " 'epsilon': 1e-6, 'norm_first': true, 'dropout': 0, 'embedding': 'embed',"
                + " 'prefix': 'net.', 'freeze': ['W_in'], 'ignore': ['head.*'],"
                + " 'state': ['X_l0'], 'steps': '0:30', 'layers': 2, 'inputs': 3, 'units': 8}");
    assertEquals(Architecture.TRANSFORMER, description.type());
    assertEquals(4, description.heads());
    assertEquals(true, description.causal());
    assertEquals(Activation.GELU, description.activation(null));
    assertEquals(1e-6, description.epsilon());
    assertEquals("net.", description.prefix());
    assertEquals(Set.of("W_in"), description.freeze());
    assertEquals(List.of("head.*"), description.ignore());
    assertEquals(List.of("X_l0"), description.state());
    assertEquals(List.of("0:30"), description.steps());
  }

  @Test
  void defaultsAreThoseOfTheDocuments() {
    ModelDescription description = parse("{'type': 'leaky_rnn'}");
    assertEquals(1, description.dt());
    assertEquals(Activation.TANH, description.activation(Activation.TANH));
    assertNull(description.prefix());
    assertNull(description.names());
    assertEquals(1e-5, parse("{'type': 'transformer'}").epsilon());
    assertEquals(false, parse("{'type': 'attention'}").causal());
    assertEquals(List.of(), description.state());
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "{'type': 'gruu'}                            | 'type' | one of rnn, | did you mean 'gru'",
        "{'heads': 2}                                | 'type' | one of rnn, | got nothing",
        "{'type': 3}                                 | 'type' | a text      | got 3",
        "{'type': 'attention', 'haeds': 2}           | 'haeds' | not known  | did you mean 'heads'",
        "{'type': 'attention', 'Heads': 2}           | 'Heads' | not known  | did you mean 'heads'",
        "{'type': 'gru', 'zzzzzzzz': 2}              | 'zzzzzzzz' | not known | the keys are type,",
        "{'type': 'gru', 'heads': 2}                 | 'heads' | type gru   | it takes type",
        "{'type': 'lstm', 'activation': 'tanh'}      | 'activation' | type lstm | it takes",
        "{'type': 'rnn', 'activation': 'tahn'}       | 'activation' | tanh, relu | did you mean 'tanh'",
        "{'type': 'attention', 'heads': '2'}         | 'heads' | integer    | got '2'",
        "{'type': 'attention', 'heads': 2.5}         | 'heads' | integer    | got 2.5",
        "{'type': 'attention', 'heads': 0}           | 'heads' | at least 1 | got 0",
        "{'type': 'attention', 'heads': null}        | 'heads' | number of attention heads | fill it in, got null",
        "{'type': 'gru', 'units': null}              | 'units' | at least 1; fill it in | got null",
        "{'type': 'gru', 'freeze': 'a,,b'}           | 'freeze' | not empty | got 'a,,b'",
        "{'type': 'gru', 'state': ['']}              | 'state' | not empty  | got",
        "{'type': 'attention', 'heads': 99999999999} | 'heads' | integer    | 99999999999",
        "{'type': 'attention', 'causal': 1}          | 'causal' | true or false | got 1",
        "{'type': 'attention', 'mlp': true}          | 'mlp' | or false     | got true",
        "{'type': 'leaky_rnn', 'dt': 'a'}            | 'dt' | a number      | got 'a'",
        "{'type': 'leaky_rnn', 'dt': 0}              | 'dt' | above 0       | got 0",
        "{'type': 'leaky_rnn', 'dt': 1.5}            | 'dt' | at most 1     | got 1.5",
        "{'type': 'leaky_rnn', 'dt': 1e999}          | 'dt' | a number      | got",
        "{'type': 'neural_ode', 'tau': [1, 0]}       | 'tau' | above 0      | got [1,0]",
        "{'type': 'neural_ode', 'tau': 'a'}          | 'tau' | a number     | got 'a'",
        "{'type': 'neural_ode', 'method': 'rk5'}     | 'method' | euler, rk4 | did you mean 'rk4'",
        "{'type': 'transformer', 'epsilon': -1}      | 'epsilon' | above 0  | got -1",
        "{'type': 'transformer', 'norm_first': false} | 'norm_first' | pre-norm | got false",
        "{'type': 'gru', 'dropout': 0.1}             | 'dropout' | eval mode | got 0.1",
        "{'type': 'gru', 'prefix': ['a']}            | 'prefix' | a text    | got ['a']",
        "{'type': 'gru', 'freeze': 3}                | 'freeze' | a list     | got 3",
        "{'type': 'gru', 'freeze': {'a': 'b'}}       | 'freeze' | a list     | got {'a'",
        "{'type': 'gru', 'freeze': ['a', 3]}         | 'freeze' | a list     | got ['a',3]",
        "{'type': 'gru', 'units': -3}                | 'units' | at least 1 | got -3",
        "{'type': 'mlp', 'units': 3}                 | 'units' | type mlp   | it takes",
        "{'type': 'gru', 'names': 3}                 | 'names' | an object  | got 3",
        "{'type': 'gru', 'names': {}}                | 'names' | at least one | got {}",
        "{'type': 'gru', 'names': {'a': 3}}          | 'names' | 'a'        | got 3",
        "{'type': 'gru', 'names': {'a': 'x', 'b': 'x'}} | 'names' | its own  | 'x' for 'a' and 'b'",
        "{'type': 'gru', 'names': {'a': 'x'}, 'prefix': ''} | 'prefix' | whole names | got ''",
        "{'type': 'gru', 'type': 'lstm'}             | not valid JSON | Duplicate | line 1",
        "{'type': 'gru',}                            | not valid JSON | line 1  | column",
        "{'type': 'gru'} {}                          | not valid JSON | line 1  | column",
        "['gru']                                     | expected a JSON object | got | ['gru']",
        "''                                          | expected a JSON object | got | ''",
      })
  void whatIsWrongIsNamed(String json, String key, String expected, String got) {
    refused(
        InputException.class,
        () -> parse(json),
        "model.json: ",
        key.strip().replace("['", "[\"").replace("']", "\"]"),
        expected.strip().replace("its own", "of its own"),
        got.strip()
            .replace("['gru']", "[\"gru\"]")
            .replace("['a'", "[\"a\"")
            .replace("{'a'", "{\"a\""));
  }

  @Test
  void aMappingFileStandsBesideTheDescription() throws IOException {
    Path file = directory.resolve("model.json");
    Files.writeString(file, "{\"type\": \"gru\", \"names\": \"names.json\"}");
    refused(
        InputException.class,
        () -> ModelDescription.read(file),
        directory.resolve("names.json") + ": no such file",
        "'names'",
        "model.json");
    Files.writeString(directory.resolve("names.json"), "{\"weight_hh_l0\": \"a\"}");
    assertEquals(Map.of("weight_hh_l0", "a"), ModelDescription.read(file).names());
    Files.writeString(directory.resolve("names.json"), "{\"weight_hh_l0\": 1}");
    refused(
        InputException.class,
        () -> ModelDescription.read(file),
        "names.json: key 'weight_hh_l0'",
        "text",
        "got 1");
    Files.writeString(directory.resolve("names.json"), "{\"a\": \"x\", \"a\": \"y\"}");
    refused(
        InputException.class, () -> ModelDescription.read(file), "names.json: not valid JSON", "a");
  }

  @Test
  void missingAndUnreadableFilesAreNamed() throws IOException {
    refused(
        InputException.class,
        () -> ModelDescription.read(directory.resolve("absent.json")),
        "absent.json: no such file",
        "{\"type\": \"gru\"}");
    refused(InputException.class, () -> ModelDescription.read(directory), "no such file");
    Path bytes = directory.resolve("bytes.json");
    Files.write(bytes, new byte[] {(byte) 0xff, (byte) 0xfe, 0});
    refused(InputException.class, () -> ModelDescription.read(bytes), "bytes.json");
    Path deep = directory.resolve("deep.json");
    Files.writeString(deep, "[".repeat(100_000));
    refused(InputException.class, () -> ModelDescription.read(deep), "deep.json: not valid JSON");
  }

  @Test
  void otherValuesTakeThePlaceOfSome() {
    ModelDescription description =
        parse("{'type': 'gru', 'freeze': ['a'], 'names': {'weight_hh_l0': 'x'}}")
            .with(Map.of("freeze", List.of("b")));
    assertEquals(Set.of("b"), description.freeze());
    assertEquals(Map.of("weight_hh_l0", "x"), description.names());
    refused(
        InputException.class,
        () -> description.with(Map.of("heads", 2)),
        "model.json",
        "'heads'",
        "gru");
  }

  @Test
  void aMapOfJavaValuesIsHeldToTheSame() {
    refused(
        InputException.class,
        () -> ModelDescription.of(Map.of("type", "attention", "heads", "4"), "my options"),
        "my options: key 'heads'",
        "got '4'");
    refused(() -> ModelDescription.of(null, "x"), "values", "null");
    refused(() -> ModelDescription.parse(null, "x"), "json", "null");
    refused(() -> ModelDescription.parse("{}", null), "source", "null");
  }

  /** The forms of --state, --steps and --freeze. */
  @Test
  void listsMayBeOneTextWithCommas() {
    ModelDescription description =
        parse("{'type': 'gru', 'state': 'h_l0, h_l1', 'steps': '0:3,5:7', 'freeze': 'a,b'}");
    assertEquals(List.of("h_l0", "h_l1"), description.state());
    assertEquals(List.of("0:3", "5:7"), description.steps());
    assertEquals(Set.of("a", "b"), description.freeze());
    ModelDescription all = parse("{'type': 'gru', 'state': 'all', 'steps': 'all'}");
    assertEquals(List.of(), all.state());
    assertEquals(List.of(), all.steps());
  }

  @Test
  void otherValuesKeepTheMappingsFile() throws IOException {
    Path file = directory.resolve("model.json");
    Files.writeString(file, "{\"type\": \"gru\", \"names\": \"names.json\"}");
    Files.writeString(directory.resolve("names.json"), "{\"weight_hh_l0\": \"a\"}");
    ModelDescription description = ModelDescription.read(file).with(Map.of("freeze", "b"));
    assertEquals(directory.resolve("names.json").toString(), description.namesSource());
    assertEquals(Map.of("weight_hh_l0", "a"), description.names());
  }
}
