import Glibc
import MPI

/// Collects what does not hold on this rank, and prints each as one line.
final class Checks {
  private(set) var failures = 0
  private(set) var count = 0
  private let rank: Int

  init(rank: Int) { self.rank = rank }

  func expect(_ holds: Bool, _ what: @autoclosure () -> String) {
    count += 1
    if holds { return }
    failures += 1
    let line = Array("rank \(rank): \(what())\n".utf8)
    _ = line.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }

  func expectEqual<T: Equatable>(_ found: T, _ expected: T, _ what: @autoclosure () -> String) {
    expect(found == expected, "\(what()): \(found), expected \(expected)")
  }

  /// Expects an MPI error that names the function.
  func expectError(from function: String, _ body: () throws -> Void) {
    do {
      try body()
      expect(false, "\(function) should have failed")
    } catch let error as MPIError {
      expectEqual(error.function, function, "function of the error")
      expectEqual(error.rank, rank, "rank of the error of \(function)")
      expect(error.text.count > 5, "text of the error of \(function): \(error.text)")
    } catch {
      expect(false, "\(function) threw \(error)")
    }
  }
}
