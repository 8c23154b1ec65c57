extension Dataset {
  /// The same elements, computed ahead by a thread: at most `bufferSize` wait for their turn.
  ///
  /// The thread belongs to the iteration. It ends with the elements or with the iterator, whichever is first: leaving
  /// a loop early waits for the element under way and for no more.
  public func prefetch(_ bufferSize: Int) -> Dataset {
    precondition(bufferSize >= 1, "a buffer of \(bufferSize) elements")
    return Dataset { iteration in
      let ahead = Prefetcher(bufferSize: bufferSize) { start(iteration) }
      return AnyIterator { ahead.next() }
    }
  }
}

/// One iteration with its thread.
private final class Prefetcher<Element: Sendable> {
  private struct Queue: Sendable {
    var elements: [Element] = []
    var isExhausted = false
    var isStopped = false
  }

  private let queue = Monitor(Queue())
  private let thread: WorkerThread?
  /// Where the system has no thread left, elements are computed when they are asked for.
  private let direct: AnyIterator<Element>?

  init(bufferSize: Int, _ start: @escaping @Sendable () -> AnyIterator<Element>) {
    let queue = queue
    thread = try? WorkerThread {
      let elements = start()
      while true {
        let element = elements.next()
        let isOver = queue.update(when: { $0.elements.count < bufferSize || $0.isStopped }) { queue in
          if let element { queue.elements.append(element) } else { queue.isExhausted = true }
          return queue.isExhausted || queue.isStopped
        }
        if isOver { return }
      }
    }
    direct = thread == nil ? start() : nil
  }

  deinit {
    queue.update { $0.isStopped = true }
    thread?.join()
  }

  func next() -> Element? {
    if let direct { return direct.next() }
    return queue.update(when: { !$0.elements.isEmpty || $0.isExhausted }) { queue in
      queue.elements.isEmpty ? nil : queue.elements.removeFirst()
    }
  }
}
