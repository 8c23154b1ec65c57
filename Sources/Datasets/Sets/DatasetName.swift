/// The data sets that are known by name.
public enum DatasetName: String, Sendable, CaseIterable {
  case fashionMNIST = "fashion-mnist"
  case mnist
  case cifar10
  case cifar100
  case synthetic

  /// The data set that a user means. Throws `DataError` that lists the known names.
  public init(parsing name: String) throws {
    guard let known = DatasetName(rawValue: name) else {
      let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw DataError("There is no data set named “\(name)”; --dataset takes one of \(names).")
    }
    self = known
  }
}

/// Loads a data set by name.
///
/// `directory` is where its files lie; nil leaves that to the data set, which knows where a Debian package puts it
/// or says what it needs. `synthetic` is used by the data set of that name alone. Throws `DataError`.
public func loadDataset(
  named name: String, directory: String? = nil, synthetic: SyntheticImages = SyntheticImages(),
  observe: @escaping ReadingObserver = { _ in }
) throws -> ImageDataset {
  switch try DatasetName(parsing: name) {
  case .fashionMNIST: try loadIDXDataset(.fashionMNIST, directory: directory, observe: observe)
  case .mnist: try loadIDXDataset(.mnist, directory: directory, observe: observe)
  case .cifar10: try loadCIFAR(.cifar10, directory: directory, observe: observe)
  case .cifar100: try loadCIFAR(.cifar100, directory: directory, observe: observe)
  case .synthetic: try synthetic.dataset()
  }
}
