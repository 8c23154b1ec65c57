/// Makes vectors orthonormal by Gram and Schmidt, in float64 and one after another, so that all ranks get the same bits.
///
/// What is left of a vector that depends on those before it is rounding; it becomes zero, and so does a vector of zeros.
enum Orthogonalisation {
  /// Of a vector's length, that must be left. More would be safer against rounding and lose what is small beside the first
  /// vector; a direction that is rounding only costs nothing, because it is orthogonal to the others all the same.
  private static let leastRest = 1e-7

  /// - Parameter vectors: `count` vectors of `length` elements, one behind the other.
  static func run(_ vectors: UnsafeMutablePointer<Float>, count: Int, length: Int) {
    for index in 0..<count {
      let vector = vectors + index * length
      let before = norm(vector, length)
      // Twice, because the first time leaves what its rounding made.
      for _ in 0..<2 {
        for other in 0..<index {
          let earlier = vectors + other * length
          var product = 0.0
          for i in 0..<length { product += Double(earlier[i]) * Double(vector[i]) }
          for i in 0..<length { vector[i] = Float(Double(vector[i]) - product * Double(earlier[i])) }
        }
      }
      let rest = norm(vector, length)
      if rest == 0 || rest < leastRest * before {
        for i in 0..<length { vector[i] = 0 }
      } else {
        // What is not a number stays so, and an infinity becomes so.
        let scale = rest.isFinite ? 1 / rest : .nan
        for i in 0..<length { vector[i] = Float(Double(vector[i]) * scale) }
      }
    }
  }

  private static func norm(_ vector: UnsafePointer<Float>, _ length: Int) -> Double {
    var sum = 0.0
    for i in 0..<length { sum += Double(vector[i]) * Double(vector[i]) }
    return sum.squareRoot()
  }
}
