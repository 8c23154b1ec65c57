/// Places for buffers whose lifetimes are known, so that those which live at different times share memory.
package struct ArenaPacking {
  package struct Storage {
    package var bytes: Int
    /// First and last node, inclusive, during which the contents matter.
    package var first: Int
    package var last: Int

    package init(bytes: Int, first: Int, last: Int) { (self.bytes, self.first, self.last) = (bytes, first, last) }
  }

  package private(set) var offsets: [Int]
  package private(set) var bytes = 0

  package static let alignment = 64

  /// Largest first, each at the lowest place that is free for its whole life: first fit by decreasing size.
  package init(_ storages: [Storage]) {
    offsets = [Int](repeating: 0, count: storages.count)
    var placed: [Int] = []
    let order = storages.indices.sorted { (storages[$1].bytes, $0) < (storages[$0].bytes, $1) }
    for index in order {
      let storage = storages[index]
      if storage.bytes == 0 { continue }
      let neighbours = placed.filter { storages[$0].first <= storage.last && storage.first <= storages[$0].last }
        .map { (start: offsets[$0], end: offsets[$0] + storages[$0].bytes) }
        .sorted { $0.start < $1.start }
      var place = 0
      for neighbour in neighbours {
        if place + storage.bytes <= neighbour.start { break }
        place = max(place, (neighbour.end + Self.alignment - 1) / Self.alignment * Self.alignment)
      }
      offsets[index] = place
      placed.append(index)
      bytes = max(bytes, place + storage.bytes)
    }
  }
}
