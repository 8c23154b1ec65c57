import Foundation

/// Seconds, from a number with a unit: `20us`, `0.1ns`, `120ms`, `2s`; nil for anything else.
func seconds(parsing text: String) -> Double? {
  quantity(text, units: [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1)])
}

/// Minutes, from hours and minutes: `4h`, `90m`, `3h50m`; nil for anything else.
func minutes(parsing text: String) -> Int? {
  guard let match = text.wholeMatch(of: /(?:([0-9]{1,4})h)?(?:([0-9]{1,6})m)?/), !text.isEmpty else { return nil }
  return 60 * (match.1.flatMap { Int($0) } ?? 0) + (match.2.flatMap { Int($0) } ?? 0)
}

/// Bytes a second, from bits a second as networks are sold by: `25gbit`, `100mbit`; nil for anything else.
func bytesPerSecond(parsing text: String) -> Double? {
  quantity(text, units: [("gbit", 1e9 / 8), ("mbit", 1e6 / 8), ("kbit", 1e3 / 8)])
}

private func quantity(_ text: String, units: [(name: String, factor: Double)]) -> Double? {
  guard let unit = units.first(where: { text.hasSuffix($0.name) }),
    let number = Double(text.dropLast(unit.name.count)), number.isFinite, number >= 0
  else { return nil }
  return number * unit.factor
}

/// Seconds as people read them: 3.2 µs, 41 ms.
func durationText(_ seconds: Double) -> String {
  switch seconds {
  case ..<1e-3: "\(figures(seconds * 1e6)) µs"
  case ..<1: "\(figures(seconds * 1e3)) ms"
  default: "\(figures(seconds)) s"
  }
}

/// Three figures.
private func figures(_ value: Double) -> String {
  value >= 100 ? String(format: "%.0f", value) : String(format: "%.3g", value)
}
