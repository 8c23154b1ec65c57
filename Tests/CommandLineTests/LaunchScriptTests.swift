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

  /// Slots are those that mpirun takes from the file, and it gets the rest of each line too. A host is asked as it is reached.
  @Test func hostFilesAreReadAsByMpirun() throws {
    let directory = try TemporaryDirectory()
    func write(_ text: String, _ name: String) throws {
      try Data(text.utf8).write(to: directory.url.appendingPathComponent(name))
    }
    try write(
      """
      # of a cluster
      node1 max-slots=8 slots=2  # both
      node2 max_slots=8
      node3 username=me port=2222
      node4 cpu = 08 cpu-max=9
      node5
      node6
      node6
      """, "hosts")
    // In place of ssh: hosts of three cores.
    try writeProgram(
      "#!/bin/sh\necho \"$*\" | sed 's/ {.*//' >>asked\necho 3\n", to: directory.url.appendingPathComponent("agent"))
    let job = try run(
      [
        "bash", "-c",
        """
        set -euo pipefail; source "$1"; source "$2"
        read_hostfile hosts; ask_hosts; write_hostfile written; cat written; count_slots; grep -e - asked
        """, "bash", library, launchScript("places.sh"),
      ], environment: ["OMPI_MCA_plm_rsh_agent": "./agent"], in: directory.url)
    #expect(
      job.standardOutput == """
        node1 max-slots=8 slots=2
        node2 max_slots=8 slots=8
        node3 username=me port=2222 slots=3
        node4 cpu-max=9 slots=8
        node5 slots=3
        node6 slots=2
        26
        -l me -p 2222 node3

        """, "\(job.transcript)")
  }
}
