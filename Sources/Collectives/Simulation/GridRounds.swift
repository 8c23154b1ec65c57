import Determinism

/// The rounds of a torus or a hierarchy of rings in a closed form, for as many shards as ranks in rows of one length.
///
/// Rank (r, c) is number c of row r; chunk (y, x) ends in row y. Rows add first, each as a ring; then columns (torus), or the
/// rows' first ranks (hierarchical), to which the finished sums of a row go in one round.
public struct GridRounds: RoundSequence {
  public let ranks: Int
  public let elements: Int
  public let columns: Int
  public let isHierarchical: Bool
  private let rows: Int
  private let reducingRounds: Int
  private let gatheringRounds: Int
  /// Elements of column x over all rows, and how many chunks they are.
  private let columnCounts: [Int]
  private let columnMessages: [Int]

  /// - Parameter columns: divides the ranks.
  public init(ranks: Int, elements: Int, columns: Int, isHierarchical: Bool) {
    precondition(ranks % columns == 0, "\(ranks) ranks in rows of \(columns)")
    (self.ranks, self.elements, self.columns, self.isHierarchical) = (ranks, elements, columns, isHierarchical)
    let rows = ranks / columns
    self.rows = rows
    var counts = Array(repeating: 0, count: columns)
    var messages = counts
    for chunk in 0..<ranks {
      let count = part(chunk, of: ranks, in: elements).count
      counts[chunk % columns] += count
      messages[chunk % columns] += count > 0 ? 1 : 0
    }
    (columnCounts, columnMessages) = (counts, messages)
    var (reducing, gathering) = (0, 0)
    for column in 0..<columns where counts[column] > 0 {
      let end = Self.lastHop(column, columns, rows, isHierarchical)
      reducing = max(reducing, end + 1)
      // The first of a row passes its sum of that column on later, so its hop in the row has no way back.
      let begin = isHierarchical && columns > 1 && column == columns - 1 ? 1 : 0
      gathering = max(gathering, end - begin + 1)
    }
    (reducingRounds, gatheringRounds) = (reducing, gathering)
  }

  public var rounds: Int { reducingRounds + gatheringRounds }

  /// Sums of a hierarchy's other columns take one hop more, to the first of the row.
  private static func lastHop(_ column: Int, _ columns: Int, _ rows: Int, _ isHierarchical: Bool) -> Int {
    columns - 1 + (isHierarchical && column > 0 ? 1 : 0) + rows - 2
  }

  private func count(_ row: Int, _ column: Int) -> Int {
    let row = row % rows
    return part((row < 0 ? row + rows : row) * columns + column, of: ranks, in: elements).count
  }

  public func fill(_ round: Int, into value: inout SimulatedRound) {
    let gathers = round >= reducingRounds
    if isHierarchical {
      fillHierarchical(gathers ? round - reducingRounds : round, gathers, &value)
    } else {
      // The gathering half is the mirror image.
      fillTorus(gathers ? 2 * reducingRounds - 1 - round : round, gathers, &value)
    }
  }

  // MARK: torus

  private func fillTorus(_ hop: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    let alongColumn = hop - (columns - 1)
    for rank in 0..<ranks {
      let (row, column) = (rank / columns, rank % columns)
      if alongColumn < 0 {
        let next = row * columns + (column + 1) % columns
        let sent = (column - 1 - hop + columns) % columns
        exchange(rank, next, sent, gathers, &value)
        if gathers { continue }
        // Of the finished sums of the row only what is sent next is added at once.
        let isHeld = hop == columns - 2 && rows > 1
        value.add(next, isHeld ? count(row - 1, sent) : columnCounts[sent])
      } else {
        let next = (row + 1) % rows * columns + column
        let count = count(row - 1 - alongColumn, column)
        if gathers { value.send(next, rank, count) } else { value.send(rank, next, count) }
        if gathers { continue }
        value.add(next, count)
        if alongColumn == 0 && columns > 1 { value.addMeanwhile(rank, columnCounts[column] - count) }
      }
    }
  }

  // MARK: hierarchical

  private func fillHierarchical(_ index: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    for group in [0..<1, 1..<columns] where !group.isEmpty {
      // The gathering half of a chunk runs its hops backwards, each chunk from its own last one.
      let end = Self.lastHop(group.lowerBound, columns, rows, isHierarchical)
      let hop = gathers ? end - index : index
      if hop < 0 || hop > end { continue }
      let along = hop - (columns - 1 + group.lowerBound)
      if along >= 0 {
        fillFirstRanks(group, along, gathers, &value)
      } else {
        for column in group { fillRows(column, hop, gathers, &value) }
      }
    }
    if value.transfers.count > 1 { mergeTransfers(&value) }
  }

  /// Among the rows' first ranks: from row r to the next one, the chunks of some columns that are at this hop.
  private func fillFirstRanks(_ group: Range<Int>, _ along: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    for row in 0..<rows {
      let (first, next) = (row * columns, (row + 1) % rows * columns)
      let count = group.reduce(0) { $0 + self.count(row - 1 - along, $1) }
      if gathers { value.send(next, first, count) } else { value.send(first, next, count) }
      if gathers { continue }
      value.add(next, count)
      if group.lowerBound == 0 && along == 0 && columns > 1 { value.addMeanwhile(first, columnCounts[0] - count) }
    }
  }

  /// Within all rows: the chunks of a column go on to the next rank or, finished, to the first one.
  private func fillRows(_ x: Int, _ hop: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    for first in stride(from: 0, to: ranks, by: columns) {
      if hop == columns - 1 {
        exchange(first + x, first, x, gathers, &value)
        continue
      }
      let (source, destination) = ((x + 1 + hop) % columns, (x + 2 + hop) % columns)
      if gathers && source == 0 { continue }
      exchange(first + source, first + destination, x, gathers, &value)
      if gathers { continue }
      // As in a torus, where the sum is where it goes on.
      let isHeld = x == 0 && hop == columns - 2 && rows > 1
      value.add(first + destination, isHeld ? count(first / columns - 1, x) : columnCounts[x])
    }
  }

  private func exchange(_ a: Int, _ b: Int, _ x: Int, _ gathers: Bool, _ value: inout SimulatedRound) {
    let (count, messages) = (columnCounts[x], columnMessages[x])
    if gathers { value.send(b, a, count, messages: messages) } else { value.send(a, b, count, messages: messages) }
  }

  /// Transfers of one round between the same ranks become one.
  private func mergeTransfers(_ value: inout SimulatedRound) {
    value.transfers.sort { ($0.source, $0.destination) < ($1.source, $1.destination) }
    var merged: [SimulatedRound.Transfer] = []
    for transfer in value.transfers {
      if let last = merged.last, last.source == transfer.source, last.destination == transfer.destination {
        merged[merged.count - 1].elements += transfer.elements
        merged[merged.count - 1].messages += transfer.messages
      } else {
        merged.append(transfer)
      }
    }
    value.transfers = merged
  }
}
