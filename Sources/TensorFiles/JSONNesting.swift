/// How deep arrays and objects lie in each other in a text that may be JSON; brackets within strings do not count.
///
/// A reader asks before it hands a file to Foundation's JSON library: that one gives up at a depth of 512, and where the
/// text ends right there it crashes on the way to its error (Swift 6.3).
public func jsonNesting(_ text: some Sequence<UInt8>) -> Int {
  var (depth, greatest) = (0, 0)
  var (isInString, isEscaped) = (false, false)
  for byte in text {
    if isInString {
      if isEscaped {
        isEscaped = false
      } else if byte == UInt8(ascii: "\\") {
        isEscaped = true
      } else if byte == UInt8(ascii: "\"") {
        isInString = false
      }
      continue
    }
    switch byte {
    case UInt8(ascii: "\""): isInString = true
    case UInt8(ascii: "["), UInt8(ascii: "{"):
      depth += 1
      greatest = max(greatest, depth)
    case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
    default: break
    }
  }
  return greatest
}
