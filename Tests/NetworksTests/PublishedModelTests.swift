import Foundation
import Models
import Networks
import TensorFiles
import Testing

/// The architectures of the literature: sizes, names and shapes are the published ones, as torchvision has them
/// (Tests/References/make-model-references.py).
@Suite struct PublishedModelTests {
  struct Size: Decodable, Sendable, CustomTestStringConvertible {
    let model: String
    let classes: Int
    let image: [Int]
    let trained, tracked, multiplyAdds: Int
    let digest: String
    let publishedParameters: Int?
    let publishedGigaMultiplyAdds: Double?
    var testDescription: String { model }

    func graph() throws -> Graph {
      let name = try #require(ModelName(rawValue: model))
      #expect(name.usualClasses == classes && name.usualInput == .init(3, image[0], image[1]))
      return name.network(input: name.usualInput, classes: classes).traced(batchSize: 1)
    }
  }

  static let sizes: [Size] = {
    struct File: Decodable { let models: [Size] }
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent(
      "References/models.json")
    return try! JSONDecoder().decode(File.self, from: Data(contentsOf: path)).models
  }()

  @Test(arguments: sizes) func sizesAreThePublishedOnes(_ size: Size) throws {
    let graph = try size.graph()
    #expect(graph.parameterCount == size.trained)
    #expect(graph.parameters.reduce(0) { $0 + $1.count } == size.trained + size.tracked)
    let multiplyAdds = graph.layers().reduce(0) { $0 + $1.multiplyAdds }
    #expect(multiplyAdds == size.multiplyAdds)
    if let published = size.publishedParameters { #expect(graph.parameterCount == published) }
    // torchvision states thousandths of a thousand million.
    if let published = size.publishedGigaMultiplyAdds {
      #expect(abs(Double(multiplyAdds) / 1e9 - published) < 0.00051)
    }
  }

  /// From the papers: ResNet's table 6 ("0.27M"), MobileNet's table 8 ("4.2" million, "569" million multiply-adds).
  @Test func sizesThatTorchvisionDoesNotState() throws {
    for (model, parameters) in [("resnet20-cifar", 270), ("mobilenet-v1", 4232)] {
      let size = try #require(Self.sizes.first { $0.model == model })
      #expect((size.trained + 500) / 1000 == parameters)
    }
    #expect(Self.sizes.first { $0.model == "mobilenet-v1" }?.multiplyAdds == 568_740_352)
  }

  /// torchvision's state dictionaries load: the same tensors under the same names, without `num_batches_tracked`.
  @Test(arguments: sizes) func namesAndShapesAreTorchvisions(_ size: Size) throws {
    let lines = try size.graph().parameters.sorted { $0.name < $1.name }
      .map { "\($0.name) \($0.shape.map(String.init).joined(separator: "x"))\n" }
    #expect("\(SHA256.hash(Array(lines.joined().utf8)))" == size.digest, "\(lines.prefix(5).joined())…")
  }

  /// Start values as torchvision's constructors give them.
  @Test func startValuesAreTorchvisions() throws {
    func initializers(_ model: ModelName) -> [String: Initializer] {
      let graph = model.network(input: model.usualInput, classes: 1000).traced(batchSize: 1)
      return Dictionary(uniqueKeysWithValues: graph.parameters.map { ($0.name, $0.initializer) })
    }
    let resnet = initializers(.resnext50)
    #expect(resnet["conv1.weight"] == .heNormal(fan: 64 * 49))
    #expect(resnet["layer2.0.conv2.weight"] == .heNormal(fan: 256 * 9))
    #expect(resnet["fc.weight"] == .fanInUniform(fan: 2048) && resnet["fc.bias"] == .fanInUniform(fan: 2048))
    let vgg = initializers(.vgg16)
    #expect(vgg["features.0.weight"] == .heNormal(fan: 64 * 9) && vgg["features.0.bias"] == .zeros)
    #expect(vgg["classifier.3.weight"] == .normal(deviation: 0.01) && vgg["classifier.3.bias"] == .zeros)
    let dense = initializers(.densenet121)
    #expect(dense["features.conv0.weight"] == .heNormal(fan: 3 * 49))
    #expect(dense["features.denseblock1.denselayer2.conv1.weight"] == .heNormal(fan: 96))
    #expect(dense["classifier.weight"] == .fanInUniform(fan: 1024) && dense["classifier.bias"] == .zeros)
    let mobile = initializers(.mobilenetV2)
    #expect(mobile["features.2.conv.1.0.weight"] == .heNormal(fan: 96 * 9))
    #expect(mobile["classifier.1.weight"] == .normal(deviation: 0.01) && mobile["classifier.1.bias"] == .zeros)
    let shuffle = initializers(.shufflenetV2)
    #expect(shuffle["stage2.0.branch2.0.weight"] == .fanInUniform(fan: 24))
    #expect(shuffle["stage2.0.branch2.3.weight"] == .fanInUniform(fan: 9))
    #expect(shuffle["fc.weight"] == .fanInUniform(fan: 1024) && shuffle["fc.bias"] == .fanInUniform(fan: 1024))
  }

  /// VGG takes what equal windows pool into 7×7.
  @Test func vggTakesSomeSizes() {
    #expect(
      (1...700).filter { ModelName.vgg16.takes(.init(3, 230, $0)) } == Array(224...287) + Array(448...511)
        + Array(672...700))
    #expect((1...700).filter { ModelName.vgg16.takes(.init(3, $0, 300)) } == [])
    #expect(ModelName.vgg16.wantedImages.contains("224 to 287"))
  }
}
