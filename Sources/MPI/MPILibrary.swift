import CMPI

/// What the linked MPI says of itself and of the machine.
public enum MPILibrary {
  /// The library's text about its version, one line, such as `Open MPI v4.1.4, package: …`; needs no initialisation.
  public static var version: String {
    let text = cString(capacity: cmpi_max_library_version_string()) { MPI_Get_library_version($0, $1) } ?? ""
    // MPICH's text is a page with tabs, of which the first line tells.
    return text.prefix { $0 != "\n" && $0 != "\0" }.split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }

  /// The library and version whose header this program was compiled with, such as `Open MPI 4.1.4`.
  public static var headerVersion: String { String(cString: cmpi_header_version()) }

  /// The version of the MPI standard that the header states, such as `3.1`.
  public static var standard: String { String(cString: cmpi_standard()) }

  /// Whether MPI functions can be called: inside `withMPI`.
  private static var isRunning: Bool {
    var (initialised, finalised): (Int32, Int32) = (0, 0)
    _ = MPI_Initialized(&initialised)
    _ = MPI_Finalized(&finalised)
    return initialised != 0 && finalised == 0
  }

  /// The thread level that the library granted: `funneled`, `serialized`, …; `none` outside `withMPI`.
  public static var threadLevel: String {
    guard isRunning else { return "none" }
    var level: Int32 = -1
    _ = MPI_Query_thread(&level)
    return String(cString: cmpi_thread_level_name(level))
  }

  /// The name of the machine this rank runs on; empty outside `withMPI`.
  public static var processorName: String {
    guard isRunning else { return "" }
    return cString(capacity: cmpi_max_processor_name()) { MPI_Get_processor_name($0, $1) } ?? ""
  }

  /// Seconds since some moment in the past, the same moment for this rank's whole life.
  public static var seconds: Double { MPI_Wtime() }
}
