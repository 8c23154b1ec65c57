import COneDNN

/// One oneDNN kernel: a description until `build`, then code with arguments.
///
/// It belongs to the thread that makes it, because a description captures the size of that thread's OpenMP team.
final class Kernel {
  private let pointer: OpaquePointer

  init(_ pointer: OpaquePointer?, _ doing: @autoclosure () -> String) throws {
    guard let pointer else { throw EngineError.last(doing()) }
    self.pointer = pointer
  }

  deinit { odn_kernel_free(pointer) }

  typealias Argument = odn_argument

  /// The implementation's name, such as `jit:avx512_core`.
  var name: String { String(cString: odn_kernel_name(pointer)) }

  /// The layout the kernel wants for an argument; zero bytes where it takes none such.
  func layout(_ argument: Argument) throws -> Layout {
    guard let layout = odn_kernel_layout(pointer, Int32(argument.rawValue)) else {
      throw EngineError.last("layout of an argument of \(name)")
    }
    return Layout(owning: layout)
  }

  func build() throws {
    if odn_kernel_build(pointer) != 0 { throw EngineError.last("building \(name)") }
  }

  func bind(_ argument: Argument, to memory: UnsafeMutableRawPointer) throws {
    if odn_kernel_bind(pointer, Int32(argument.rawValue), memory) != 0 {
      throw EngineError.last("binding an argument of \(name)")
    }
  }

  func run() throws {
    if odn_kernel_run(pointer) != 0 { throw EngineError.last("running \(name)") }
  }

  /// How a rule ranks implementations of one operation: generated code, then matrix products, then plain loops.
  var rank: Int {
    let name = name
    if ["ref", "bnorm_ref", "simple", "nchw"].contains(where: name.hasPrefix) { return 2 }
    // `gemm:jit` and `x64:gemm:jit`.
    return name.contains("gemm") || name.hasPrefix("ncsp") ? 1 : 0
  }
}
