import Foundation

/// Seconds, from a number with a unit: `20us`, `0.1ns`, `120ms`, `2s`; nil for anything else.
func seconds(parsing text: String) -> Double? {
  quantity(text, units: [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1)])
}

/// Seconds, from days, hours, minutes and seconds as `3h50m`, `90s`, `1d`; nil for anything else.
func timeSpan(parsing text: String) -> Double? {
  let units: [Character: Double] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
  var seconds = 0.0
  var number = ""
  for character in text {
    if let unit = units[character], let value = Int(number), value >= 0 {
      seconds += Double(value) * unit
      number = ""
    } else {
      number.append(character)
    }
  }
  return number.isEmpty && seconds > 0 ? seconds : nil
}

/// Whole minutes, written so; nil for anything else.
func minutes(parsing text: String) -> Int? {
  timeSpan(parsing: text).flatMap { $0.truncatingRemainder(dividingBy: 60) == 0 ? Int($0 / 60) : nil }
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
