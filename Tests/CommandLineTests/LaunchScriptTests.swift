import Foundation
import TestSupport
import Testing

@Suite struct LaunchScriptTests {
  private let library = launchScript("lib.sh")

  /// Segments that no process has mapped go, unless they are new; what is mapped, and what is not Open MPI's, stays.
  @Test func segmentsOfDeadJobsAreRemoved() throws {
    let directory = try TemporaryDirectory()
    func path(_ name: String) -> String { directory.url.appendingPathComponent(name).path }
    let old = Date(timeIntervalSinceNow: -600)
    for (name, date) in [
      ("vader_segment.a.0.1", old), ("vader_segment.b.0.2", Date()), ("vader_segment.c.0.3", old), ("other", old),
    ] {
      try Data(repeating: 1, count: 4096).write(to: URL(fileURLWithPath: path(name)))
      try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path(name))
    }
    let file = open(path("vader_segment.c.0.3"), O_RDONLY)
    let mapping = mmap(nil, 4096, PROT_READ, MAP_SHARED, file, 0)
    close(file)
    defer { munmap(mapping, 4096) }
    let job = try run(
      [
        "bash", "-c", "set -euo pipefail; source \"$1\"; remove_dead_segments \"$2\"", "bash", library,
        directory.url.path,
      ])
    #expect(job.exitCode == 0 && job.standardError == "", "\(job.transcript)")
    let left = try FileManager.default.contentsOfDirectory(atPath: directory.url.path)
    #expect(Set(left) == ["vader_segment.b.0.2", "vader_segment.c.0.3", "other"])
  }
}
