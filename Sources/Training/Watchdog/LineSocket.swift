import Glibc

/// A TCP connection that carries lines of text and is never waited for.
final class LineSocket: @unchecked Sendable {  // Used by one thread.
  private let descriptor: Int32
  private var buffer: [UInt8] = []
  private(set) var isClosed = false

  init(descriptor: Int32) {
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
  }

  deinit { close(descriptor) }

  /// Connects to one of several addresses, each tried for some seconds; nil if none answers.
  static func connect(toAnyOf addresses: [String], port: Int, seconds: Int32) -> LineSocket? {
    for text in addresses {
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = in_port_t(UInt16(port).bigEndian)
      guard inet_pton(AF_INET, text, &address.sin_addr) == 1 else { continue }
      let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
      guard descriptor >= 0 else { return nil }
      _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      var waited = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
      var code: Int32 = status == 0 ? 0 : errno
      if code == EINPROGRESS, poll(&waited, 1, 1000 * seconds) == 1 {
        var length = socklen_t(MemoryLayout<Int32>.size)
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
      }
      if code == 0 { return LineSocket(descriptor: descriptor) }
      close(descriptor)
    }
    return nil
  }

  /// Sends lines as far as the connection takes them. One that is stuck loses some.
  func send(_ lines: [String]) {
    if isClosed { return }
    let bytes = Array(lines.map { $0 + "\n" }.joined().utf8)
    let count = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    // Half a line is worse than none.
    if (count < 0 && errno != EAGAIN) || (count > 0 && count < bytes.count) { isClosed = true }
  }

  /// The lines that have come.
  func receive() -> [String] {
    var piece = [UInt8](repeating: 0, count: 4096)
    while !isClosed {
      let count = recv(descriptor, &piece, piece.count, Int32(MSG_DONTWAIT))
      if count > 0 {
        buffer += piece[..<count]
        // Nobody whom we talk to sends so much.
        if buffer.count > 1 << 20 { isClosed = true }
      } else {
        if count == 0 || (errno != EAGAIN && errno != EINTR) { isClosed = true }
        break
      }
    }
    guard let last = buffer.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    let lines = buffer[..<last].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    buffer.removeSubrange(...last)
    return lines
  }
}

/// A port of this host that others connect to.
final class ListeningSocket: @unchecked Sendable {  // Used by one thread.
  private let descriptor: Int32
  let port: Int

  /// Nil where there can be none.
  init?() {
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | O_CLOEXEC, 0)
    guard number >= 0 else { return nil }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let isBound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(number, $0, length) == 0 && listen(number, 1024) == 0 && getsockname(number, $0, &length) == 0
      }
    }
    guard isBound else {
      close(number)
      return nil
    }
    descriptor = number
    port = Int(UInt16(bigEndian: address.sin_port))
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
  }

  deinit { close(descriptor) }

  /// A connection that somebody has made.
  func accept() -> LineSocket? {
    let connection = Glibc.accept(descriptor, nil, nil)
    return connection >= 0 ? LineSocket(descriptor: connection) : nil
  }

  /// The IPv4 addresses of this host, but for those that only it sees.
  static func addresses() -> [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var found: [String] = []
    for entry in sequence(first: list, next: { $0?.pointee.ifa_next }) {
      guard let entry, let address = entry.pointee.ifa_addr, address.pointee.sa_family == sa_family_t(AF_INET) else {
        continue
      }
      var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
      address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { pointer in
        var inside = pointer.pointee.sin_addr
        inet_ntop(AF_INET, &inside, &text, socklen_t(INET_ADDRSTRLEN))
      }
      let name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if !name.hasPrefix("127.") { found.append(name) }
    }
    return found
  }
}
