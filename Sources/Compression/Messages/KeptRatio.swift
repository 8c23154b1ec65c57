/// How many of a tensor's elements are kept.
enum KeptRatio {
  /// At least one of a tensor that has any.
  static func count(_ ratio: Double, of elements: Int) -> Int {
    min(max(Int((ratio * Double(elements)).rounded(.up)), min(1, elements)), elements)
  }
}
