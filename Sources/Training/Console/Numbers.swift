import Foundation

/// How numbers look on screen.

package func decimal(_ value: Double, _ places: Int) -> String { String(format: "%.\(places)f", value) }

package func significant(_ value: Double) -> String { String(format: "%.4g", value) }

package func percent(_ share: Double) -> String { "\(Int((100 * share).rounded()))%" }

package func milliseconds(_ seconds: Double) -> String { String(format: "%5.1f ms", 1000 * seconds) }

package func padded(_ text: String, _ width: Int) -> String {
  text + String(repeating: " ", count: max(0, width - text.count))
}

package func leading(_ text: String, _ width: Int) -> String {
  String(repeating: " ", count: max(0, width - text.count)) + text
}

/// 7 as 0007, so that names sort as numbers do.
package func zeroPadded(_ number: Int, _ digits: Int) -> String {
  let text = String(number)
  return String(repeating: "0", count: max(0, digits - text.count)) + text
}

/// 5 s, 1m36s, 3h50m.
package func duration(_ seconds: Double) -> String {
  let whole = Int(seconds.rounded())
  if whole < 60 { return seconds < 10 ? "\(decimal(seconds, 1)) s" : "\(whole) s" }
  if whole < 3600 { return String(format: "%dm%02ds", whole / 60, whole % 60) }
  return String(format: "%dh%02dm", whole / 3600, whole / 60 % 60)
}

/// 64×3×3×3.
package func shapeText(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "×") }

/// Sixteen digits.
package func hexadecimal(_ value: UInt64) -> String {
  let digits = String(value, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}

/// Bytes as 1.50 MiB or 12.25 GiB.
package func size(_ bytes: Int) -> String {
  bytes < 1 << 30 ? decimal(Double(bytes) / 0x1p20, 2) + " MiB" : decimal(Double(bytes) / 0x1p30, 2) + " GiB"
}
