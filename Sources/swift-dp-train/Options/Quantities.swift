import Foundation
import Training

/// The most that a flag takes of what is counted: its square is a number of 64 bits still.
let mostCounted = Int(Int32.max)

/// Refuses a number that is too small or too large to count something.
func checkCount(_ value: Int, _ flag: String, from least: Int = 1, to most: Int = mostCounted) throws {
  try check(value >= least, "\(flag) \(value)", least == 0 ? "give 0 or more" : "give at least \(least)")
  try check(value <= most, "\(flag) \(value)", "give at most \(most)")
}

/// Refuses a number of classes that no model has: its last layer would be all that there is room for.
func checkClasses(_ classes: Int) throws { try checkCount(classes, "--classes", to: 1_000_000) }

/// Refuses a model that images or classes make larger than machines are.
func checkSize(_ model: String, parameters: Int) throws {
  try check(
    parameters <= 1 << 34, "--model \(model) of \(grouped(parameters)) parameters",
    "give smaller images or fewer classes")
}

/// Refuses a time to measure for that never ends.
func checkSeconds(_ seconds: Double) throws {
  try check(seconds > 0, "--seconds \(seconds)", "give more than 0")
  try check(seconds <= 1e6, "--seconds \(seconds)", "give at most 1000000")
}

/// Seconds, from a number with a unit: `20us`, `0.1ns`, `120ms`, `2s`; nil for anything else, and beyond 1,000,000 seconds.
func seconds(parsing text: String) -> Double? {
  quantity(text, units: [("ns", 1e-9), ("us", 1e-6), ("µs", 1e-6), ("ms", 1e-3), ("s", 1)], upTo: 1e6)
}

/// Seconds, from days, hours, minutes and seconds as `3h50m`, `90s`, `1d`; nil for anything else, and beyond 30 years.
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
  return number.isEmpty && seconds > 0 && seconds <= 1e9 ? seconds : nil
}

/// Whole minutes, written so; nil for anything else.
func minutes(parsing text: String) -> Int? {
  timeSpan(parsing: text).flatMap { $0.truncatingRemainder(dividingBy: 60) == 0 ? Int($0 / 60) : nil }
}

/// Bytes a second, from bits a second as networks are sold by: `25gbit`, `100mbit`; nil for anything else, beyond a billion
/// gigabits, and below a byte but for 0.
func bytesPerSecond(parsing text: String) -> Double? {
  let rate = quantity(text, units: [("gbit", 1e9 / 8), ("mbit", 1e6 / 8), ("kbit", 1e3 / 8)], upTo: 1e18 / 8)
  return rate.flatMap { $0 == 0 || $0 >= 1 ? $0 : nil }
}

private func quantity(_ text: String, units: [(name: String, factor: Double)], upTo most: Double) -> Double? {
  guard let unit = units.first(where: { text.hasSuffix($0.name) }),
    let number = Double(text.dropLast(unit.name.count)), number >= 0, number * unit.factor <= most
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
