import Datasets
import Models
import Training

/// A bad value of a flag: what was given, and what to give.
func invalid(_ given: String, _ remedy: String) -> TrainingError {
  TrainingError(.badConfiguration, "\(given) cannot be: \(remedy).")
}

func check(_ isValid: Bool, _ given: String, _ remedy: String) throws {
  if !isValid { throw invalid(given, remedy) }
}

/// "a", "a or b", "a, b or c".
func alternatives(_ names: [String]) -> String {
  (names.count > 2 ? [names.dropLast(2).joined(separator: ", ")] : []).map { $0 + ", " }.joined()
    + names.suffix(2).joined(separator: " or ")
}

/// The case that a name stands for; the error lists the known names.
func known<Value: RawRepresentable & CaseIterable>(_ name: String, flag: String) throws -> Value
where Value.RawValue == String {
  if let value = Value(rawValue: name) { return value }
  let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
  throw TrainingError(.badConfiguration, "\(flag) \(name) is not known; give one of \(names).")
}

/// The images that a model is traced with: as given, else those that the model is known by.
func imageShape(_ text: String?, of model: ModelName, flag: String) throws -> ImageShape {
  let usual = model.usualInput
  guard let text else { return ImageShape(channels: usual.channels, height: usual.height, width: usual.width) }
  guard let shape = ImageShape(parsing: text) else {
    throw invalid("\(flag) \(text)", "give channels, height and width as 3x32x32")
  }
  try check(
    model.takes(.init(shape.channels, shape.height, shape.width)), "\(flag) \(text) with \(model.rawValue)",
    "give \(model.wantedImages)")
  return shape
}

/// Of `--delay`.
func injectedDelay(_ text: String) throws -> InjectedDelay {
  if let delay = InjectedDelay(text) { return delay }
  throw invalid(
    "--delay \(text)",
    "give RANK:MS, MS, random:MS or exponential:MS, or several as 20,1:60, each of at most 60000 milliseconds")
}
