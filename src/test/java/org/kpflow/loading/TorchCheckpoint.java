package org.kpflow.loading;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;
import org.kpflow.RandomModels;
import org.kpflow.base.DType;
import org.kpflow.io.Npz;
import org.kpflow.io.Safetensors;
import org.kpflow.io.TensorMap;
import org.kpflow.tensor.Tensor;

/** A state_dict with PyTorch's names and layouts and random numbers. */
public final class TorchCheckpoint implements AutoCloseable {
  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final Random random = new Random(5);

  /** Adds a parameter. */
  public TorchCheckpoint with(String name, long... shape) {
    Tensor before = tensors.put(name, RandomModels.gaussian(random, 0.4, shape));
    if (before != null) {
      before.close();
    }
    return this;
  }

  /** Leaves one out again. */
  public TorchCheckpoint without(String name) {
    tensors.remove(name).close();
    return this;
  }

  /** nn.RNN (gates 1), nn.GRU (3) or nn.LSTM (4), layer l. */
  public TorchCheckpoint recurrent(String prefix, int gates, int layer, long inputs, long units) {
    return with(prefix + "weight_ih_l" + layer, gates * units, inputs)
        .with(prefix + "weight_hh_l" + layer, gates * units, units)
        .with(prefix + "bias_ih_l" + layer, gates * units)
        .with(prefix + "bias_hh_l" + layer, gates * units);
  }

  /** nn.Linear. */
  public TorchCheckpoint linear(String name, long outputs, long inputs) {
    return with(name + ".weight", outputs, inputs).with(name + ".bias", outputs);
  }

  /** nn.MultiheadAttention. */
  public TorchCheckpoint attention(String prefix, long width) {
    return with(prefix + "in_proj_weight", 3 * width, width)
        .with(prefix + "in_proj_bias", 3 * width)
        .linear(prefix + "out_proj", width, width);
  }

  /** nn.TransformerEncoderLayer. */
  public TorchCheckpoint block(String prefix, long width, long hidden) {
    return attention(prefix + "self_attn.", width)
        .linear(prefix + "linear1", hidden, width)
        .linear(prefix + "linear2", width, hidden)
        .norm(prefix + "norm1", width)
        .norm(prefix + "norm2", width);
  }

  /** nn.LayerNorm. */
  public TorchCheckpoint norm(String name, long width) {
    return with(name + ".weight", width).with(name + ".bias", width);
  }

  public Tensor get(String name) {
    return tensors.get(name);
  }

  /** Writes the file: .npz, or .safetensors. */
  public Path write(Path file) {
    if (file.toString().endsWith(".npz")) {
      Npz.write(file, tensors, false);
    } else {
      Safetensors.write(file, tensors, Map.of());
    }
    return file;
  }

  /** The model of a description, as {@code {"type": ...}} with single quotes. */
  public LoadedModel load(String json) {
    return load(ModelDescription.parse(json.replace('\'', '"'), "model.json"));
  }

  /** The model of a description. */
  public LoadedModel load(ModelDescription description) {
    TensorMap map = new TensorMap("net.npz");
    tensors.forEach(map::put);
    return ModelLoader.load(description, map, DType.F64, null);
  }

  @Override
  public void close() {
    tensors.values().forEach(Tensor::close);
  }
}
