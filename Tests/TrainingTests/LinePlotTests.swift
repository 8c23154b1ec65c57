import Foundation
import Testing
import Training

#if canImport(FoundationXML)
  import FoundationXML
#endif

@Suite struct LinePlotTests {
  /// What a reader of XML sees.
  private final class Reader: NSObject, XMLParserDelegate {
    var elements: [(name: String, attributes: [String: String])] = []
    var texts: [String] = []
    private var isInText = false

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes: [String: String]
    ) {
      elements.append((name, attributes))
      isInText = name == "text"
      if isInText { texts.append("") }
    }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) { isInText = false }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
      if isInText { texts[texts.count - 1] += string }
    }
  }

  private func read(_ plot: LinePlot) throws -> Reader {
    let (reader, parser) = (Reader(), XMLParser(data: Data(plot.svg.utf8)))
    parser.delegate = reader
    try #require(parser.parse(), "\(plot.svg)")
    return reader
  }

  private func numbers(_ text: String?) -> [Double] {
    (text ?? "").split { " ,".contains($0) }.compactMap { Double($0) }
  }

  private func expectPointsInsideOfTheFrame(_ reader: Reader, count: Int) throws {
    let frame = try #require(reader.elements.first { $0.attributes["class"] == "frame" }).attributes
    let (x, y) = (Double(frame["x"] ?? "") ?? .nan, Double(frame["y"] ?? "") ?? .nan)
    let (width, height) = (Double(frame["width"] ?? "") ?? .nan, Double(frame["height"] ?? "") ?? .nan)
    let points = reader.elements.filter { $0.name == "circle" }.map(\.attributes)
    #expect(points.count == count)
    for point in points {
      let (cx, cy) = (Double(point["cx"] ?? "") ?? .nan, Double(point["cy"] ?? "") ?? .nan)
      #expect((x...x + width).contains(cx) && (y...y + height).contains(cy), "\(point)")
    }
    for line in reader.elements where line.name == "polyline" {
      let values = numbers(line.attributes["points"])
      for index in stride(from: 0, to: values.count, by: 2) {
        #expect((x...x + width).contains(values[index]) && (y...y + height).contains(values[index + 1]))
      }
    }
  }

  @Test func logarithmicAxes() throws {
    let plot = LinePlot(
      "times & <sizes>", x: .init("bytes"), y: .init("seconds"),
      series: [
        .init("ring", [(4, 1e-6), (64, 1.1e-6), (1_048_576, 3e-3), (268_435_456, 0.9)]),
        .init("tree", [(4, 2e-7), (268_435_456, 12)]),
      ])
    let reader = try read(plot)
    try expectPointsInsideOfTheFrame(reader, count: 6)
    for text in ["times & <sizes>", "ring", "tree", "bytes", "seconds", "1e-05", "1e+08"] {
      #expect(reader.texts.contains(text), "\(text): \(reader.texts)")
    }
    // Equal factors are equal distances: 4 to 64 as 16 to 256 would be.
    let places = numbers(reader.elements.first { $0.name == "polyline" }?.attributes["points"])
    let perFactorOf16 = places[2] - places[0]
    #expect(abs((places[4] - places[2]) / perFactorOf16 - 3.5) < 0.02)
    // Less is lower, which is a greater y.
    #expect(places[1] > places[3] && places[3] > places[5])
  }

  @Test func linearAxisBeginsAtZero() throws {
    let plot = LinePlot(
      "efficiency", x: .init("ranks"), y: .init("%", isLogarithmic: false),
      series: [.init("a", [(1, 100), (8, 75), (64, 50), (512, 0)])])
    let reader = try read(plot)
    try expectPointsInsideOfTheFrame(reader, count: 4)
    let places = numbers(reader.elements.first { $0.name == "polyline" }?.attributes["points"])
    #expect(abs((places[7] - places[5]) - 2 * (places[5] - places[3])) < 0.2)
    #expect(reader.texts.contains("0") && reader.texts.contains("100"))
  }

  /// An axis that need not begin at zero spans what it shows, and a short logarithmic one has marks between powers of ten.
  @Test func axesThatShowLittle() throws {
    let reader = try read(
      LinePlot(
        "accuracy", x: .init("bytes"), y: .init("%", isLogarithmic: false, beginsAtZero: false),
        series: [.init("a", [(30, 90.5), (400, 91.65)])]))
    try expectPointsInsideOfTheFrame(reader, count: 2)
    #expect(reader.texts.contains("90.4") && reader.texts.contains("91.8") && !reader.texts.contains("0"))
    for mark in ["20", "50", "100", "200", "500"] { #expect(reader.texts.contains(mark), "\(reader.texts)") }
    #expect(!reader.texts.contains("10") && !reader.texts.contains("1000"))
  }

  /// Further lines have the colour of their series and no name of their own; long lines have no dots.
  @Test func severalLinesOfASeries() throws {
    let long = (0..<100).map { (x: Double($0), y: Double($0)) }
    let axis = LinePlot.Axis("x", isLogarithmic: false)
    let reader = try read(
      LinePlot(
        "seeds", x: axis, y: axis,
        series: [.init("a", [(1, 1), (2, 2)], further: [[(1, 2), (2, 3)]]), .init("b", long)]))
    try expectPointsInsideOfTheFrame(reader, count: 4)
    let colours = reader.elements.filter { $0.name == "polyline" }.map { $0.attributes["stroke"] }
    #expect(colours.count == 3 && colours[0] == colours[1] && colours[1] != colours[2])
    #expect(reader.texts.count { $0 == "a" } == 1)
  }

  /// A legend of many and long names makes the picture larger.
  @Test func longLegends() throws {
    let axis = LinePlot.Axis("x", isLogarithmic: false)
    let series = (0..<30).map { LinePlot.Series("a name of forty characters, number \(1000 + $0)", [(1, 1)]) }
    let reader = try read(LinePlot("many", x: axis, y: axis, series: series))
    let box = numbers(reader.elements.first?.attributes["viewBox"])
    #expect(box[2] >= 600 + 39 * 7 && box[3] >= 50 + 30 * 18)
  }

  /// One point, equal points, no points, and points that the axis cannot show.
  @Test func oddData() throws {
    func plot(_ points: [(x: Double, y: Double)]) -> LinePlot {
      LinePlot("odd", x: .init("x"), y: .init("y"), series: [.init("a", points)])
    }
    try expectPointsInsideOfTheFrame(try read(plot([(64, 1e-5)])), count: 1)
    try expectPointsInsideOfTheFrame(try read(plot([(10, 10), (10, 10)])), count: 2)
    try expectPointsInsideOfTheFrame(try read(plot([])), count: 0)
    try expectPointsInsideOfTheFrame(
      try read(plot([(0, 1), (-1, 1), (1, .infinity), (.nan, 2), (5, 5), (1e-300, 1e300)])), count: 2)
  }
}
