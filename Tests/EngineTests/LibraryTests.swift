import COneDNN
import Foundation
import Testing

/// The library that is loaded is the one whose headers the shim was compiled with, and its threads are ours to set.
@Suite struct LibraryTests {
  @Test func theLibraryIsOfTheHeadersMajorVersion() {
    let (library, headers) = (String(cString: odn_version()), String(cString: odn_header_version()))
    #expect(library.split(separator: ".").first == headers.split(separator: ".").first, "\(library), \(headers)")
    #expect(library.split(separator: ".").count == 3 && headers.split(separator: ".").count == 3)
  }

  /// The OpenMP runtime is found by name; where it were not, parts would run one after another on one thread.
  @Test func aTeamHasAThreadForEachPart() {
    for parts in 1...3 {
      var threads = [UInt](repeating: 0, count: parts)
      let before = odn_threads()
      odn_set_threads(Int32(parts))
      #expect(odn_threads() == parts)
      threads.withUnsafeMutableBufferPointer { buffer in
        odn_team(
          { context, part in
            context?.assumingMemoryBound(to: UInt.self)[Int(part)] = UInt(pthread_self())
          }, buffer.baseAddress, Int32(parts))
      }
      odn_set_threads(before)
      #expect(Set(threads).count == parts && !threads.contains(0), "\(threads)")
    }
  }
}
