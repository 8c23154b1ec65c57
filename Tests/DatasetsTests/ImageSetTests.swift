import Datasets
import Testing

@Suite struct ImageSetTests {
  let shape = ImageShape(channels: 2, height: 3, width: 5)

  private func dataset(_ count: Int) -> ImageDataset {
    ImageDataset(
      name: "test", classCount: 10, normalisation: Normalisation(mean: [0, 0], deviation: [1, 1]),
      train: countingSet(count, shape: shape), test: countingSet(3, shape: shape))
  }

  @Test func shapesAreParsed() {
    #expect(ImageShape(parsing: "3x32x17") == ImageShape(channels: 3, height: 32, width: 17))
    for wrong in ["", "3", "3x32", "3x32x32x1", "0x1x1", "-1x2x2", "axbxc", "3x32x", "3x65537x1"] {
      #expect(ImageShape(parsing: wrong) == nil, "\(wrong)")
    }
  }

  @Test func heldOutSamplesKeepTheirIds() throws {
    let dataset = dataset(40)
    for held in 1..<40 {
      let (train, heldOut) = try dataset.split(holdOut: held)
      #expect(train.count == 40 - held && heldOut.count == held)
      let ids = (0..<train.count).map { train.id(of: $0) }
      let heldIDs = (0..<held).map { heldOut.id(of: $0) }
      #expect(ids == ids.sorted() && heldIDs == heldIDs.sorted())
      #expect((ids + heldIDs).sorted() == (0..<40).map { UInt32($0) })
      for (index, id) in heldIDs.enumerated() {
        #expect(heldOut.pixels(of: index) == dataset.train.pixels(of: Int(id)))
        #expect(heldOut.label(of: index) == dataset.train.label(of: Int(id)))
        heldOut.withSample(index) { pixels, label, given in
          #expect(Array(pixels) == dataset.train.pixels(of: Int(id)) && label == Int32(id % 10) && given == id)
        }
      }
    }
    // The rule: those at the last places of the permutation; a larger part holds every smaller one.
    let five = try dataset.split(holdOut: 5).heldOut
    let permutation = KeyedPermutation(count: 40, seed: 0, purpose: "hold-out")
    #expect((0..<5).map { Int(five.id(of: $0)) } == (35..<40).map { permutation[$0] }.sorted())
    #expect(try dataset.split(holdOut: 5, seed: 1).heldOut.digest != five.digest)
  }

  @Test func impossibleSplits() {
    for wrong in [-1, 0, 40, 41] {
      #expect(
        error { try dataset(40).split(holdOut: wrong) }
          == "\(wrong) of 40 training samples cannot be held out: choose a number from 1 to 39.")
    }
  }

  @Test func digestSeesEveryPart() {
    let pixels = (0..<60).map { UInt8($0) }
    func digest(_ pixels: [UInt8], _ labels: [Int32], _ shape: ImageShape) -> UInt64 {
      ImageSet(shape: shape, pixels: pixels, labels: labels).digest
    }
    let base = digest(pixels, [1, 2], shape)
    #expect(base == digest(pixels, [1, 2], shape))
    var digests: Set<UInt64> = [base, digest(pixels, [2, 1], shape)]
    digests.insert(digest(pixels, [1, 2], ImageShape(channels: 2, height: 5, width: 3)))
    for place in pixels.indices {
      var other = pixels
      other[place] ^= 128
      digests.insert(digest(other, [1, 2], shape))
    }
    #expect(digests.count == 3 + 60)
    let set = ImageSet(shape: shape, pixels: pixels, labels: [1, 2])
    #expect(set.selecting([0, 1]).digest == base && set.selecting([1, 0]).digest != base)
  }

  @Test func syntheticImagesAreAFunctionOfTheirParameters() throws {
    let parameters = SyntheticImages(
      shape: ImageShape(channels: 2, height: 9, width: 7), classCount: 3, trainCount: 50, testCount: 20, seed: 4)
    let first = try parameters.dataset()
    #expect(first.digest == (try loadDataset(named: "synthetic", synthetic: parameters).digest))
    #expect(first.train.count == 50 && first.test.count == 20 && first.classCount == 3 && first.name == "synthetic")
    var other = parameters
    other.seed = 5
    #expect(try other.dataset().digest != first.digest)
    // More samples do not change the ones before.
    other = parameters
    other.trainCount = 80
    #expect(try other.dataset().train.selecting(Array(0..<50)).digest == first.train.digest)
  }

  /// The nearest class mean of the training set tells every test image's class; the stated mean and deviation hold.
  @Test func syntheticImagesCanBeLearned() throws {
    let dataset = try SyntheticImages(classCount: 7, trainCount: 700, testCount: 200, seed: 1).dataset()
    let size = dataset.shape.elementCount
    var means = [[Double]](repeating: .init(repeating: 0, count: size), count: 7)
    let counts = dataset.train.labelCounts(classes: 7)
    var sum = 0.0
    var squares = 0.0
    for index in 0..<700 {
      dataset.train.withSample(index) { pixels, label, _ in
        for (element, pixel) in pixels.enumerated() {
          means[Int(label)][element] += Double(pixel) / Double(counts[Int(label)])
          sum += Double(pixel) / 255
          squares += Double(pixel) / 255 * Double(pixel) / 255
        }
      }
    }
    var correct = 0
    for index in 0..<200 {
      dataset.test.withSample(index) { pixels, label, _ in
        let distances = means.map { mean in
          zip(mean, pixels).reduce(0.0) { $0 + ($1.0 - Double($1.1)) * ($1.0 - Double($1.1)) }
        }
        if distances.indices.min(by: { distances[$0] < distances[$1] }) == Int(label) { correct += 1 }
      }
    }
    #expect(correct == 200)
    let mean = sum / Double(700 * size)
    #expect(abs(mean - 0.5) < 0.02 && abs((squares / Double(700 * size) - mean * mean).squareRoot() - 0.2) < 0.02)
  }

  @Test func impossibleSyntheticSets() {
    #expect(
      error { try SyntheticImages(trainCount: 0).dataset() }
        == "A synthetic data set cannot have 0 training samples: give a number of at least 1.")
    #expect(
      error {
        try SyntheticImages(shape: ImageShape(channels: 3, height: 4096, width: 4096), trainCount: 1 << 30).dataset()
      }?.hasPrefix(
        "A synthetic data set of 1073741824 training and 1000 test samples of 3x4096x4096 in 10 classes does not fit "
          + "into the machine's ") == true)
  }
}
