import CKernels
import COneDNN

/// What activations and their gradients are stored as, and multiplied in.
///
/// Parameters, their gradients and optimizer slots are 32-bit floats whatever it is, and so are sums, batch-norm
/// statistics, logits and the loss (Micikevicius et al., "Mixed precision training", ICLR 2018, with bfloat16, whose
/// range needs no loss scaling: Kalamkar et al., "A study of BFLOAT16 for deep learning training", 2019).
public enum Precision: String, Sendable, Hashable, Codable, CaseIterable {
  case float32
  case bf16

  /// Of values.
  var stored: Layout.Element { self == .float32 ? .float32 : .bfloat16 }

  var storage: ck_storage { self == .float32 ? CK_IN_FLOAT32 : CK_IN_BFLOAT16 }

  /// Of the operands of the library's kernels: where it knows no bfloat16, operands are widened and results rounded.
  var computed: Layout.Element { self == .bf16 && odn_has_bfloat16() != 0 ? .bfloat16 : .float32 }

  /// Whether the machine multiplies bfloat16 faster than floats; otherwise that is emulated, correct and slow.
  public var isNative: Bool { self == .float32 || ck_has_dots() != 0 }
}
