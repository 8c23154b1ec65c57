#if canImport(Glibc)
  import Glibc
#else
  import Musl
#endif

/// What is particular to a data set in MNIST's four IDX files.
struct IDXDataset: Sendable {
  let name: String
  let classNames: [String]
  let normalisation: Normalisation
  /// Where a package installs it.
  let installed: String?
  /// Directories to look into below the one given; as other libraries lay the files out.
  let subdirectories: [String]
  /// How to get the files.
  let remedy: String

  /// Xiao, Rasul, Vollgraf, "Fashion-MNIST", 2017: 60,000 and 10,000 images of 28×28 in ten classes.
  static let fashionMNIST = IDXDataset(
    name: "fashion-mnist",
    classNames: [
      "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    ],
    normalisation: Normalisation(mean: [0.2860], deviation: [0.3530]),
    installed: "/usr/share/datasets/fashion-mnist",
    subdirectories: ["fashion-mnist", "FashionMNIST/raw"],
    remedy: "install Debian's package dataset-fashion-mnist, or give --data-dir the directory that holds it")

  /// LeCun, Cortes, Burges, the MNIST database of handwritten digits: 60,000 and 10,000 images of 28×28.
  static let mnist = IDXDataset(
    name: "mnist", classNames: (0...9).map(String.init),
    normalisation: Normalisation(mean: [0.1307], deviation: [0.3081]), installed: nil,
    subdirectories: ["mnist", "MNIST/raw"], remedy: "give --data-dir the directory that holds it")
}

/// Where the system's package has put Fashion-MNIST; nil if it is not installed.
public func installedFashionMNIST() -> String? {
  guard let directory = IDXDataset.fashionMNIST.installed else { return nil }
  return idxNames("train-images", axes: 3).contains { fileExists("\(directory)/\($0)") } ? directory : nil
}

/// Loads a data set in MNIST's files: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`,
/// `t10k-labels-idx1-ubyte`, each plain or with `.gz`.
func loadIDXDataset(
  _ description: IDXDataset, directory: String?, observe: @escaping ReadingObserver = { _ in }
) throws -> ImageDataset {
  guard let root = directory ?? description.installed else {
    throw DataError("\(description.name) is not installed with the system: \(description.remedy).")
  }
  let first = idxNames("train-images", axes: 3)
  let places = [root] + description.subdirectories.map { root + "/" + $0 }
  guard let place = places.first(where: { place in first.contains { fileExists("\(place)/\($0)") } }) else {
    throw DataError("No \(first[0]) or \(first[1]) in \(root): \(description.remedy).")
  }
  var files: [String] = []
  func load(_ part: String) throws -> ImageSet {
    func path(_ stem: String, axes: Int) -> String {
      let names = idxNames(stem, axes: axes)
      return place + "/" + (names.first { fileExists("\(place)/\($0)") } ?? names[1])
    }
    let (images, labels) = (path("\(part)-images", axes: 3), path("\(part)-labels", axes: 1))
    files += [images, labels]
    return try loadIDXImages(
      images: images, labels: labels, classes: description.classNames.count, observe: observe)
  }
  let train = try load("train")
  let test = try load("t10k")
  guard train.shape == test.shape else {
    throw DataError(
      "\(place) mixes two data sets: images to train with are \(train.shape), those to test with \(test.shape).")
  }
  return ImageDataset(
    name: description.name, classCount: description.classNames.count, classNames: description.classNames,
    normalisation: description.normalisation, train: train, test: test, files: files)
}

/// The images of one IDX file with the labels of another. Throws `DataError` if their numbers differ or a label is not
/// below `classes`.
public func loadIDXImages(
  images imagePath: String, labels labelPath: String, classes: Int, observe: @escaping ReadingObserver = { _ in }
) throws -> ImageSet {
  // The small file first: most mistakes show there.
  let labels = try IDXFile(path: labelPath, axes: 1, observe: observe)
  let images = try IDXFile(path: imagePath, axes: 3, observe: observe)
  guard images.extents[0] == labels.extents[0] else {
    throw DataError(
      "\(imagePath) holds \(images.extents[0]) images, but \(labelPath) \(labels.extents[0]) labels: "
        + "they do not belong together.")
  }
  if let index = labels.elements.firstIndex(where: { $0 >= classes }) {
    throw DataError(labelError(path: labelPath, index: index, label: labels.elements[index], classes: classes))
  }
  return ImageSet(
    shape: ImageShape(channels: 1, height: images.extents[1], width: images.extents[2]), pixels: images.elements,
    labels: labels.elements.map(Int32.init))
}

func labelError(path: String, index: Int, label: UInt8, classes: Int) -> String {
  "\(path) gives sample \(index) the label \(label), but labels are 0…\(classes - 1): it is damaged or of another "
    + "data set."
}

/// The names that an IDX file goes by.
private func idxNames(_ stem: String, axes: Int) -> [String] {
  ["\(stem)-idx\(axes)-ubyte", "\(stem)-idx\(axes)-ubyte.gz", "\(stem).idx\(axes)-ubyte"]
}

func fileExists(_ path: String) -> Bool { access(path, F_OK) == 0 }
