/// Where a reader without a cursor begins. Its response starts with that cursor, as an `sse.checkpoint`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Start {
    /// With events published from now on.
    #[default]
    Live,
    /// With all stored events.
    Earliest,
    /// With the newest stored events, at most this number, counted over all requested topics together.
    Latest(usize),
}
