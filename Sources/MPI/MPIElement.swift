import CMPI

/// A number that MPI can send and reduce.
public protocol MPIElement: BitwiseCopyable, Sendable {
  /// MPI's datatype of this number; ask for it only between initialisation and finalisation.
  static var datatype: cmpi_datatype { get }
}

extension Float: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_float() }
}
extension Double: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_double() }
}
extension UInt8: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_uint8() }
}
extension Int32: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_int32() }
}
extension UInt32: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_uint32() }
}
extension Int64: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_int64() }
}
extension UInt64: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_uint64() }
}
extension Int: MPIElement {
  public static var datatype: cmpi_datatype { cmpi_int64() }
}

/// How a reduction combines elements.
public enum ReductionOperation: Sendable, CaseIterable {
  /// MPI adds in an order of its own choice: floating-point sums need not have the same bits on another number of ranks.
  case sum
  case minimum
  case maximum
  /// For integers; MPI refuses floating-point numbers with an error.
  case bitwiseOr
  /// For integers; MPI refuses floating-point numbers with an error.
  case bitwiseAnd

  var handle: cmpi_op {
    switch self {
    case .sum: cmpi_sum()
    case .minimum: cmpi_min()
    case .maximum: cmpi_max()
    case .bitwiseOr: cmpi_bitwise_or()
    case .bitwiseAnd: cmpi_bitwise_and()
    }
  }
}

/// A count as the C interface takes it.
///
/// Whole buffers above 2³¹ − 1 elements are cut into pieces by the collectives that can be cut; everywhere else
/// such a count is a programmer's mistake.
func cCount(_ count: Int) -> Int32 {
  precondition(count >= 0 && count <= Int(Int32.max), "\(count) elements in one MPI call; the limit is \(Int32.max)")
  return Int32(count)
}

/// Calls `body` for consecutive ranges of at most 2³⁰ elements that cover `0..<count`; once, with an empty range, for 0.
///
/// Every rank cuts the same count the same way, so a collective called in `body` stays one.
func forEachPiece(of count: Int, _ body: (Range<Int>) throws -> Void) rethrows {
  let largest = 1 << 30
  var start = 0
  repeat {
    let end = min(start + largest, count)
    try body(start..<end)
    start = end
  } while start < count
}
