/// What a rank wants of the job after the step that it is in. Of several ranks' wishes the greatest is done.
enum StopWish: Int, Sendable {
  case goOn
  /// To save the state and end, so that the run can go on later.
  case save
  /// To end the run here, as if it had no further steps.
  case finish
}
