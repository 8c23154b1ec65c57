import Determinism

extension Dataset {
  /// The elements in an order mixed by a buffer: it is filled with the first `bufferSize` elements; each one taken out,
  /// at random, makes room for the next; at the end the rest comes out at random.
  ///
  /// So place k of the output can only hold one of the first k + `bufferSize` elements: none comes more than
  /// `bufferSize − 1` places early, any may come late. A buffer of 1 changes nothing; one that holds the whole set
  /// gives every order equally often. After `batch` it is whole batches that are mixed. The order is a function of the
  /// seed and, with `reshuffleEachIteration`, of the iteration's number.
  public func shuffle(bufferSize: Int, seed: UInt64, reshuffleEachIteration: Bool = true) -> Dataset {
    precondition(bufferSize >= 1, "a shuffle needs a buffer of at least one element, not \(bufferSize)")
    let stream = RandomStream(seed: seed, purpose: "shuffle")
    return Dataset { iteration in
      let elements = start(iteration)
      let order = reshuffleEachIteration ? iteration : 0
      var buffer: [Element] = []
      var drawn = 0
      return AnyIterator {
        while buffer.count < bufferSize, let element = elements.next() { buffer.append(element) }
        guard let last = buffer.indices.last else { return nil }
        let chosen = Int(
          stream.integer(
            below: UInt32(buffer.count), drawn, step: UInt32(truncatingIfNeeded: order >> 32),
            epoch: UInt32(truncatingIfNeeded: order)))
        drawn += 1
        buffer.swapAt(chosen, last)
        return buffer.removeLast()
      }
    }
  }
}
