/// Part `index` of `total` things cut into `count` parts: `index·total/count ..< (index+1)·total/count` in integer
/// division (numerics contract, rule 3).
///
/// Samples of a global batch over shards, elements of a bucket over chunks, blocks over ranks and shards over ranks are
/// all cut by this one rule. Parts differ in size by at most one and may be empty.
@inlinable
public func part(_ index: Int, of count: Int, in total: Int) -> Range<Int> {
  precondition(count > 0 && index >= 0 && index < count && total >= 0, "part \(index) of \(count) in \(total)")
  // In 128 bits, because index·total may pass 2⁶³ for the largest buckets times shards.
  func bound(_ i: Int) -> Int {
    let wide = UInt(i).multipliedFullWidth(by: UInt(total))
    return Int(UInt(count).dividingFullWidth(wide).quotient)
  }
  return bound(index)..<bound(index + 1)
}

/// The part that holds thing number `element`: the inverse of `part(_:of:in:)`.
@inlinable
public func partIndex(holding element: Int, of count: Int, in total: Int) -> Int {
  precondition(element >= 0 && element < total)
  // The smallest i with (i+1)·total/count > element.
  var index = Int(UInt(total).dividingFullWidth(UInt(element).multipliedFullWidth(by: UInt(count))).quotient)
  while !part(index, of: count, in: total).contains(element) { index += 1 }
  return index
}
