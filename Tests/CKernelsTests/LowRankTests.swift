import CKernels
import Testing

/// Products with thin factors against their definitions, under every instruction set.
@Suite struct LowRankTests {
  @Test func sameBitsAsTheDefinitionsUnderEveryInstructionSet() async {
    await #expect(processExitsWith: .success) {
      for set in CodecInput.sets {
        ck_limit_instruction_set(set)
        for rows in [0, 1, 3, 4, 5, 9] {
          for columns in [1, 2, 15, 16, 17, 40] {
            for rank in 1...7 {
              #expect(Self.agrees(rows, columns, rank), "set \(set.rawValue), \(rows) × \(columns), rank \(rank)")
            }
          }
        }
      }
    }
  }

  private static func agrees(_ rows: Int, _ columns: Int, _ rank: Int) -> Bool {
    let matrix = CodecInput.values(rows * columns, salt: 1)
    let right = CodecInput.values(rank * columns, salt: 2), left = CodecInput.values(rank * rows, salt: 3)

    var products = [Float](repeating: 7, count: rank * rows)
    ck_multiply_right(matrix, rows, columns, right, rank, &products)
    for r in 0..<rank {
      for i in 0..<rows {
        var lanes = [Float](repeating: 0, count: 16)
        for j in 0..<columns { lanes[j % 16] += matrix[i * columns + j] * right[r * columns + j] }
        if products[r * rows + i] != lanes.reduce(0, +) { return false }
      }
    }

    products = [Float](repeating: 7, count: rank * columns)
    ck_multiply_left(matrix, rows, columns, left, rank, &products)
    for r in 0..<rank {
      for j in 0..<columns {
        let sum = (0..<rows).reduce(Float(0)) { $0 + left[r * rows + $1] * matrix[$1 * columns + j] }
        if products[r * columns + j] != sum { return false }
      }
    }

    var (whole, rest) = (matrix, matrix)
    ck_multiply_factors(&whole, rows, columns, left, right, rank)
    ck_subtract_factors(&rest, rows, columns, left, right, rank)
    for i in 0..<rows {
      for j in 0..<columns {
        let sum = (0..<rank).reduce(Float(0)) { $0 + left[$1 * rows + i] * right[$1 * columns + j] }
        let at = i * columns + j
        if whole[at] != sum || rest[at] != matrix[at] - sum { return false }
      }
    }
    return true
  }
}
