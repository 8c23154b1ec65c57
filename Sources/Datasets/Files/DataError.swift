/// What is wrong with a data file, a data set's name or its parameters: a sentence or two with the file or flag, the
/// value found and the remedy. Ends a job with exit code 65.
public struct DataError: Error, Equatable, CustomStringConvertible {
  public let description: String

  public init(_ description: String) { self.description = description }
}
