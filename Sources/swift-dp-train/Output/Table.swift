import Training

/// Rows of text in aligned columns, two spaces apart.
struct Table {
  enum Alignment { case leading, trailing }

  private let alignments: [Alignment]
  private var rows: [[String]]

  /// - Parameter columns: headings, and on which side a column's cells are flush.
  init(_ columns: [(heading: String, alignment: Alignment)]) {
    alignments = columns.map(\.alignment)
    rows = [columns.map(\.heading)]
  }

  mutating func add(_ cells: [String]) {
    precondition(cells.count == alignments.count, "\(cells.count) cells in \(alignments.count) columns")
    rows.append(cells)
  }

  var lines: [String] {
    let widths = alignments.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    return rows.map { row in
      let cells = row.indices.map { column in
        alignments[column] == .leading ? padded(row[column], widths[column]) : leading(row[column], widths[column])
      }
      return trimmed(cells.joined(separator: "  "))
    }
  }
}

/// Headings with what they stand for, the texts one below the other. A line without a heading goes on with the one
/// above.
struct Facts {
  private var entries: [(heading: String, text: String)] = []

  mutating func add(_ heading: String, _ text: String) { entries.append((heading, text)) }

  /// Adds several lines under one heading.
  mutating func add(_ heading: String, _ texts: [String]) {
    for (index, text) in texts.enumerated() { add(index == 0 ? heading : "", text) }
  }

  var lines: [String] {
    let width = entries.map(\.heading.count).max() ?? 0
    return entries.map { trimmed(padded($0.heading, width + 2) + $0.text) }
  }
}

private func trimmed(_ line: String) -> String {
  var line = line
  while line.last == " " { line.removeLast() }
  return line
}

/// Prints lines of a result.
func show(_ lines: [String]) { for line in lines { print(line) } }
