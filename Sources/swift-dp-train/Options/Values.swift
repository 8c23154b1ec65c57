import Training

/// A bad value of a flag: what was given, and what to give.
func invalid(_ given: String, _ remedy: String) -> TrainingError {
  TrainingError(.badConfiguration, "\(given) cannot be: \(remedy).")
}

func check(_ isValid: Bool, _ given: String, _ remedy: String) throws {
  if !isValid { throw invalid(given, remedy) }
}

/// The case that a name stands for; the error lists the known names.
func known<Value: RawRepresentable & CaseIterable>(_ name: String, flag: String) throws -> Value
where Value.RawValue == String {
  if let value = Value(rawValue: name) { return value }
  let names = Value.allCases.map(\.rawValue).joined(separator: ", ")
  throw TrainingError(.badConfiguration, "\(flag) \(name) is not known; give one of \(names).")
}
