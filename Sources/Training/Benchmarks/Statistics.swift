/// The least, the middle and the 99th percentile of some measurements.
struct Statistics {
  let least: Double
  let median: Double
  let percentile99: Double

  /// - Parameter values: at least one.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    least = sorted[0]
    median = sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    percentile99 = sorted[min(sorted.count - 1, sorted.count * 99 / 100)]
  }
}
