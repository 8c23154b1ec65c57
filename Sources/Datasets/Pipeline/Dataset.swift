import Synchronization

/// A lazy sequence of samples, or of batches, built by transformations that compose: the pipeline of tf.data.
///
/// ```swift
/// let batches = Dataset.fromTensorSlices(images, labels).shuffle(bufferSize: 60_000, seed: 1).batch(32).prefetch(2)
/// for epoch in 0..<5 {
///   for (images, labels) in batches { … }
/// }
/// ```
///
/// Nothing is computed before an iteration asks for it. An iteration has a number, from which a shuffle with
/// `reshuffleEachIteration` draws its order. `for … in` numbers them 0, 1, 2, … for each data set value (its copies
/// count along); `iteration(_:)` runs the one that is named, so a program that resumes needs no replay.
public struct Dataset<Element: Sendable>: Sequence, Sendable {
  private let make: @Sendable (_ iteration: UInt64) -> AnyIterator<Element>
  private let iterations = IterationCounter()

  /// A data set whose n-th iteration is what `make(n)` returns.
  public init(_ make: @escaping @Sendable (_ iteration: UInt64) -> AnyIterator<Element>) {
    self.make = make
  }

  /// Starts the next iteration.
  public func makeIterator() -> AnyIterator<Element> { make(iterations.next()) }

  /// The iteration of a number, whatever has been iterated before.
  public func iteration(_ number: UInt64) -> AnySequence<Element> {
    AnySequence { [make] in make(number) }
  }

  func start(_ iteration: UInt64) -> AnyIterator<Element> { make(iteration) }
}

extension Dataset {
  /// The slices of a value along its first axis: elements of an array, rows of a tensor.
  public static func fromTensorSlices<Values: TensorSlices & Sendable>(_ values: Values) -> Dataset
  where Values.Slice == Element {
    Dataset { _ in
      var next = 0
      return AnyIterator {
        guard next < values.sliceCount else { return nil }
        defer { next += 1 }
        return values.slice(next)
      }
    }
  }

  /// Slices of two values side by side, as images with their labels; both have as many.
  public static func fromTensorSlices<First: TensorSlices & Sendable, Second: TensorSlices & Sendable>(
    _ first: First, _ second: Second
  ) -> Dataset where Element == (First.Slice, Second.Slice) {
    precondition(
      first.sliceCount == second.sliceCount, "\(first.sliceCount) slices beside \(second.sliceCount)")
    return Dataset { _ in
      var next = 0
      return AnyIterator {
        guard next < first.sliceCount else { return nil }
        defer { next += 1 }
        return (first.slice(next), second.slice(next))
      }
    }
  }

  /// What `transform` makes of each element, when it is asked for.
  public func map<Result: Sendable>(_ transform: @escaping @Sendable (Element) -> Result) -> Dataset<Result> {
    Dataset<Result> { iteration in
      let elements = start(iteration)
      return AnyIterator { elements.next().map(transform) }
    }
  }

  /// Each element with its place in the iteration.
  public func enumerated() -> Dataset<(offset: Int, element: Element)> {
    Dataset<(offset: Int, element: Element)> { iteration in
      let elements = start(iteration)
      var offset = 0
      return AnyIterator {
        elements.next().map { element in
          defer { offset += 1 }
          return (offset, element)
        }
      }
    }
  }

  /// The first `count` elements of each iteration.
  public func take(_ count: Int) -> Dataset {
    precondition(count >= 0)
    return Dataset { iteration in
      let elements = start(iteration)
      var left = count
      return AnyIterator {
        guard left > 0 else { return nil }
        left -= 1
        return elements.next()
      }
    }
  }

  /// Each iteration without its first `count` elements.
  public func skip(_ count: Int) -> Dataset {
    precondition(count >= 0)
    return Dataset { iteration in
      let elements = start(iteration)
      var left = count
      return AnyIterator {
        while left > 0, elements.next() != nil { left -= 1 }
        return elements.next()
      }
    }
  }

  /// Every `count`-th element from number `index` on: what one of `count` workers takes.
  public func shard(count: Int, index: Int) -> Dataset {
    precondition(count >= 1 && index >= 0 && index < count, "shard \(index) of \(count)")
    return Dataset { iteration in
      let elements = start(iteration)
      var toSkip = index
      return AnyIterator {
        while toSkip > 0, elements.next() != nil { toSkip -= 1 }
        toSkip = count - 1
        return elements.next()
      }
    }
  }

  /// `count` iterations one after another, without end for nil. A shuffle before it takes another order in each; one
  /// after it mixes across their borders.
  public func `repeat`(_ count: Int? = nil) -> Dataset {
    precondition(count ?? 0 >= 0)
    return Dataset { iteration in
      // Numbers of inner iterations differ between outer ones too, up to 2³² of an endless repetition.
      let base = count.map { iteration &* UInt64($0) } ?? iteration << 32
      var done: UInt64 = 0
      var elements: AnyIterator<Element>?
      return AnyIterator {
        while true {
          if let current = elements {
            if let element = current.next() { return element }
            elements = nil
            done += 1
          }
          if let count, done >= UInt64(count) { return nil }
          let next = start(base &+ done)
          guard let first = next.next() else {
            // Nothing to repeat: an endless repetition of it ends.
            done += 1
            if count == nil { return nil }
            continue
          }
          elements = next
          return first
        }
      }
    }
  }
}

/// Counts the iterations begun by `for … in`.
private final class IterationCounter: Sendable {
  private let begun = Atomic<UInt64>(0)
  func next() -> UInt64 { begun.wrappingAdd(1, ordering: .relaxed).oldValue }
}
