import CKernels
import Networks

/// A pool, or its gradient, over images in blocks of channels (CKernels/pooling.h).
struct BlockedPool: OwnKernel {
  enum Kind: String { case max, average }

  let kind: Kind
  let shape: ck_pool
  let isBackward: Bool
  /// Of a max pool, one byte for each element of the result: where the largest elements stood. None in inference.
  let places: Plan.Location?
  /// The source, or the gradient of the result.
  let input: Plan.Location
  let output: Plan.Location
  private let team = KernelTeam()

  init(
    _ kind: Kind, _ shape: ck_pool, isBackward: Bool, places: Plan.Location?, input: Plan.Location,
    output: Plan.Location
  ) {
    (self.kind, self.shape, self.isBackward) = (kind, shape, isBackward)
    (self.places, self.input, self.output) = (places, input, output)
  }

  var name: String { "own" }
  var scratchBytes: Int { 0 }

  func run(scratch: UnsafeMutablePointer<Float>, _ place: (Plan.Location) -> UnsafeMutableRawPointer) {
    let (from, to) = (floats(place(input)), mutableFloats(place(output)))
    // Memory of the arena that holds nothing but these bytes, forward to backward.
    let bytes = places.map { place($0).assumingMemoryBound(to: UInt8.self) }
    withUnsafePointer(to: shape) { shape in
      switch (kind, isBackward) {
      case (.max, false): ck_max_pool_forward(shape, from, to, bytes, team.run, team.parts)
      case (.max, true): ck_max_pool_backward(shape, bytes, from, to, team.run, team.parts)
      case (.average, false): ck_average_pool_forward(shape, from, to, team.run, team.parts)
      case (.average, true): ck_average_pool_backward(shape, from, to, team.run, team.parts)
      }
    }
  }
}

extension BlockedPool {
  static func shape(input: [Int], output: [Int], _ window: Window) -> ck_pool {
    ck_pool(
      batch: input[0], channels: input[1], height: input[2], width: input[3], out_height: output[2],
      out_width: output[3], kernel_height: window.kernel[0], kernel_width: window.kernel[1],
      stride_height: window.stride[0], stride_width: window.stride[1], padding_top: window.padding[0],
      padding_left: window.padding[1])
  }

  /// Whether it can do a pool at all: places must fit into bytes, and every window must overlap the image.
  static func canDo(_ kind: Kind, _ window: Window) -> Bool {
    (kind == .average || window.kernel[0] * window.kernel[1] <= Int(CK_LARGEST_MAX_POOL))
      && zip(window.padding, window.kernel).allSatisfy { $0 < $1 }
  }

  /// Whether both passes together are faster than the library's: of an average, small windows; of a maximum, all but
  /// with AVX-512, for which the library's code waits for memory as ours does.
  static func isFaster(_ kind: Kind, _ window: Window) -> Bool {
    switch kind {
    case .max: ck_effective_instruction_set() != CK_AVX512
    case .average: window.kernel[0] * window.kernel[1] <= 4
    }
  }
}
