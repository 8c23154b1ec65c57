import COneDNN
import Engine
import Networks
import Testing

/// Between the standard layout and the kernels' own, for odd channels, kernels and groups.
@Suite struct ParameterLayoutTests {
  private func layout(_ channels: Int, _ outputs: Int, _ kernel: [Int], groups: Int) throws -> ParameterLayout {
    let network = Network(name: "layout", input: .init(channels, 6, 5), classes: 3) { images in
      images.convolution(
        "conv", outputs: outputs, Window(kernel: kernel, stride: [1, 1], padding: [kernel[0] / 2, 0]), groups: groups
      )
      .batchNorm("bn").relu().flatten().innerProduct("fc", outputs: 3)
    }
    return try Planner.parameterLayout(for: network.traced(batchSize: 4).training())
  }

  static let shapes: [(channels: Int, outputs: Int, groups: Int)] =
    [1, 3, 8, 16, 17].flatMap { channels in [1, 5, 16, 24, 33].map { (channels, $0, 1) } }
    + [(4, 6, 2), (6, 6, 6), (16, 16, 16), (17, 17, 17), (32, 32, 2), (32, 48, 4), (9, 3, 3), (34, 68, 17)]

  @Test func everyLayoutGoesThereAndBack() throws {
    var orders = Set<String>()
    for shape in Self.shapes {
      for kernel in [[1, 1], [3, 2], [5, 5]] {
        let layout = try layout(shape.channels, shape.outputs, kernel, groups: shape.groups)
        let vector = try FloatBuffer(count: layout.count)
        // Padding must become zero, whatever was there.
        vector.values.update(repeating: .nan)
        var given: [[Float]] = []
        for (number, entry) in layout.entries.enumerated() {
          given.append((0..<entry.parameter.count).map { Float(1 + number * 100_000 + $0) })
          try layout.setStandardValues(given[number], of: entry, in: vector.pointer)
          orders.insert(entry.order)
        }
        for (values, entry) in zip(given, layout.entries) {
          #expect(
            try layout.standardValues(of: entry, in: vector.pointer) == values, "\(shape) \(kernel) \(entry.order)")
          // Each element once, and zeros.
          let stored = vector.values[entry.range]
          #expect(stored.filter { $0 != 0 }.sorted() == values, "\(shape) \(kernel) \(entry.order)")
        }
        expectSound(layout, "\(shape) \(kernel)")
      }
    }
    #expect(orders.count > 3, "only the layouts \(orders.sorted()) were met: are the shapes large enough?")
  }

  /// Kernels that are made once copy as those that are made for each tensor do, of the entries that they are for.
  @Test func reordersMadeOnceCopyTheSame() throws {
    for shape in Self.shapes {
      let layout = try layout(shape.channels, shape.outputs, [3, 2], groups: shape.groups)
      let entries = layout.entries.filter { $0.parameter.isTrainable }
      let reorder = try StandardReorder(entries)
      let (vector, standard) = (try FloatBuffer(count: layout.count), try FloatBuffer(count: layout.count))
      for (number, entry) in layout.entries.enumerated() {
        let values = (0..<entry.parameter.count).map { Float(1 + number * 100_000 + $0) }
        try layout.setStandardValues(values, of: entry, in: vector.pointer)
      }
      try reorder.toStandard(vector.pointer, standard.pointer)
      let back = try FloatBuffer(count: layout.count)
      back.values.update(repeating: .nan)
      try reorder.fromStandard(standard.pointer, back.pointer)
      for entry in entries {
        let start = entry.range.lowerBound
        let values = Array(standard.values[start..<start + entry.parameter.count])
        #expect(try layout.standardValues(of: entry, in: vector.pointer) == values, "\(shape) \(entry.order)")
        #expect(Array(back.values[entry.range]) == Array(vector.values[entry.range]), "\(shape) \(entry.order)")
      }
      // Others are left alone.
      for entry in layout.entries where !entry.parameter.isTrainable {
        #expect(standard.values[entry.range].allSatisfy { $0 == 0 })
      }
    }
  }

  /// Start values are copied by the calling thread, whose team for other work stays what it was.
  @Test func initialisationLeavesTheTeamAsItWas() throws {
    let layout = try layout(8, 16, [3, 3], groups: 1)
    let vector = try FloatBuffer(count: layout.count)
    let before = odn_threads()
    defer { odn_set_threads(before) }
    for team in [1, 3] as [Int32] {
      odn_set_threads(team)
      try layout.initialize(vector.pointer, seed: 1)
      #expect(odn_threads() == team)
    }
  }

  private func expectSound(_ layout: ParameterLayout, _ comment: String) {
    var end = 0
    for entry in layout.entries {
      #expect(entry.range.lowerBound % 16 == 0 && entry.range.lowerBound >= end, "\(comment)")
      #expect(entry.range.count >= entry.parameter.count, "\(comment)")
      end = entry.range.upperBound
    }
    #expect(layout.count >= end && layout.count % 16 == 0 && layout.extents.reduce(0, +) == layout.count, "\(comment)")
  }

  @Test func entriesStandInTheOrderOfFinishing() throws {
    let layout = try layout(8, 16, [3, 3], groups: 1)
    #expect(
      layout.entries.map(\.parameter.name) == [
        "fc.weight", "fc.bias", "bn.weight", "bn.bias", "bn.running_mean", "bn.running_var", "conv.weight", "conv.bias",
      ])
  }

  /// Start values are a function of seed and names, whatever the layouts.
  @Test func initialValuesDoNotDependOnTheLayout() throws {
    let layout = try layout(16, 24, [3, 3], groups: 1)
    let vector = try FloatBuffer(count: layout.count)
    try layout.initialize(vector.pointer, seed: 5)
    for entry in layout.entries {
      let parameter = entry.parameter
      let expected = parameter.initializer.values(count: parameter.count, seed: 5, name: parameter.name)
      #expect(try layout.standardValues(of: entry, in: vector.pointer) == expected, "\(parameter.name)")
    }
  }
}
