import Compression
import Engine

/// The tensors of a model as a codec takes them, and what stays dense.
struct CompressedTensors {
  /// A compressed tensor, and whether weight decay shrinks it.
  struct Member {
    let tensor: CodecTensor
    let decays: Bool
  }

  /// In the order of the flat vectors.
  let compressed: [Member]
  let entries: [ParameterLayout.Entry]
  /// Tensors that are summed as they are, running statistics among them.
  let dense: [Dense]

  /// A tensor that is not compressed.
  struct Dense {
    let tensor: CodecTensor
    let isTrainable: Bool
    let decays: Bool
  }

  /// - Parameter decays: whether weight decay is for an entry.
  init(_ layout: ParameterLayout, _ codec: any GradientCodec, decays: (ParameterLayout.Entry) -> Bool) {
    var (compressed, entries, dense) = ([Member](), [ParameterLayout.Entry](), [Dense]())
    for entry in layout.entries {
      let parameter = entry.parameter
      let logical = CodecTensor(
        name: parameter.name, elements: entry.range.lowerBound..<entry.range.lowerBound + parameter.count,
        shape: parameter.shape)
      if parameter.isTrainable, codec.compresses(logical) {
        // Codecs of elements take them in the kernels' order, the padding with them.
        let tensor =
          codec.wantsStandardLayout
          ? logical
          : CodecTensor(
            name: parameter.name, elements: entry.range, rows: entry.range.count, columns: 1, isCompressed: true)
        compressed.append(Member(tensor: tensor, decays: decays(entry)))
        entries.append(entry)
      } else {
        let tensor = CodecTensor(
          name: parameter.name, elements: entry.range, rows: entry.range.count, columns: 1, isCompressed: false)
        dense.append(
          Dense(tensor: tensor, isTrainable: parameter.isTrainable, decays: parameter.isTrainable && decays(entry)))
      }
    }
    (self.compressed, self.entries, self.dense) = (compressed, entries, dense)
  }
}
