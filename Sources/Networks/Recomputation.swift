/// Which activations of the forward pass a training step does not keep for the backward pass but computes again there.
///
/// The bits of a step do not depend on it: the same kernels run over the same numbers, only twice. PyTorch calls this
/// activation checkpointing; the two kinds have Megatron-LM's names (Korthikanti et al., "Reducing activation
/// recomputation in large transformer models", 2022), and `full` follows Chen, Xu, Zhang, Guestrin, "Training deep nets
/// with sublinear memory cost", 2016.
public enum Recomputation: String, Sendable, Hashable, CaseIterable {
  /// Everything is kept.
  case none
  /// What costs one pass over memory is computed again from what is kept anyway: normalisations, ReLUs, additions,
  /// average pools and whatever only moves elements. No product is.
  case selective
  /// Beside that, only the values at the ends of segments are kept; what lies between is computed again, products too,
  /// where that lowers the peak. At most one more forward pass.
  case full
}
