import Foundation
import TestSupport
import Testing

/// Waits until no process of a run is left, eight seconds at most.
func expectNoProcesses(of directory: TemporaryDirectory) throws {
  for _ in 0..<80 where try !processes(of: directory.url.path).isEmpty { usleep(100_000) }
  #expect(try processes(of: directory.url.path) == [:], "processes are left")
}

/// Names in shared memory but for those that a killed Open MPI leaves, which launch/ removes.
func sharedMemoryNames() throws -> Set<String> {
  Set(try FileManager.default.contentsOfDirectory(atPath: "/dev/shm").filter { !$0.hasPrefix("vader_segment.") })
}
