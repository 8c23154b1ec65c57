import Determinism

/// Shards in rows that follow one another and differ in length by at most one.
struct Grid {
  let rows: [Range<Int>]
  /// Shards of the longest row.
  let columns: Int

  /// - Parameter columns: shards of a row, where they divide all.
  init(shards: Int, columns: Int) {
    let count = (shards + columns - 1) / columns
    rows = (0..<count).map { part($0, of: count, in: shards) }
    self.columns = rows.map(\.count).max() ?? 0
  }

  /// Row y and column x, which in a shorter row is x modulo its length.
  struct Cell {
    let grid: Grid
    let row: Int
    let column: Int
  }

  /// Row by row.
  var cells: [Cell] {
    rows.indices.flatMap { row in (0..<columns).map { Cell(grid: self, row: row, column: $0) } }
  }
}
