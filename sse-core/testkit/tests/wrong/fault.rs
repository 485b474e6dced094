/// One broken promise; each represents a mistake of real servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// None: the application is correct.
    Nothing,
    AlwaysBeats,
    AlwaysFallsBack,
    BadIdIs400,
    BlankLineAfterKeepAlive,
    BreaksGzip,
    CommentsBare,
    CompressesForAll,
    CursorBeforeState,
    Cut,
    DropsCheckpoints,
    DropsEmptyData,
    DropsFinish,
    DropsGap,
    EndsAtFinish,
    EndsTokensAtOnce,
    ErrorIs500,
    ErrorIsText,
    FiltersOnlyLive,
    FinishedIs200,
    HeadHasBody,
    HeadIs405,
    HeadSubscribes,
    HeaderOnly,
    HoldsFirstBytes,
    IdsForAll,
    IgnoresAccept,
    IgnoresHost,
    IgnoresLease,
    IgnoresOrigin,
    IgnoresStart,
    Inclusive,
    KeepsItsTopics,
    KeepsTheDead,
    LateIs503,
    LetsBoth,
    LongIdIs400,
    LosesSpaces,
    Nameless,
    NeverEnds,
    NoAccelHeader,
    NoFetchMetadata,
    NoLastRetry,
    NoLimits,
    NoVary,
    NoWildcards,
    OneTenant,
    Pads,
    QueryWins,
    RawBreaks,
    ReadsAhead,
    RefusedIs503,
    Repeats,
    RunEndsWithItsReader,
    SameRetry,
    ShortRetryAfterError,
    SplitsChunks,
    StateAtEachConnect,
    StateOnlyOnce,
    StopsNothing,
    TakesAnyMethod,
    TellsAllEnds,
    TellsEveryOne,
    Truncates,
    WaitsForAll,
}

/// Breaks a stream's bytes on the way.
#[derive(Debug)]
pub(crate) struct Breaker {
    fault: Fault,
    chunks: usize,
    /// Text that is not sent before more comes.
    held: String,
}

impl Breaker {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, chunks: 0, held: String::new() }
    }

    /// The texts that are sent instead of a chunk.
    pub(crate) fn chunk(&mut self, bytes: &[u8]) -> Vec<String> {
        self.chunks += 1;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let lone_retry = text.starts_with("retry: ") && text.lines().count() == 1;
        let changed = match self.fault {
            Fault::BlankLineAfterKeepAlive if lone_retry && self.chunks > 1 => text + "\n",
            Fault::CommentsBare => without_retry_before_comments(&text),
            Fault::DropsCheckpoints => without_checkpoints(&text),
            Fault::CursorBeforeState if self.chunks == 1 => text + "event: sse.checkpoint\ndata: \nid: 1\n\n",
            Fault::DropsEmptyData => text.replace("data: \n", ""),
            Fault::DropsFinish => without_blocks(&text, "event: sse.end\n"),
            Fault::DropsGap => without_blocks(&text, "event: sse.gap\n"),
            Fault::IdsForAll => text.replace("\n\n", "\nid: 1\n\n"),
            Fault::LosesSpaces => text.replace("data: ", "data:"),
            Fault::Pads => format!(":\n{text}"),
            Fault::RawBreaks => text.replace("\ndata: ", "\r"),
            Fault::Repeats if text.contains("\nid: ") => text.repeat(2),
            Fault::SameRetry => with_retry(&text, "retry: 6000"),
            Fault::ShortRetryAfterError => text.replace("retry: 30000", "retry: 3000"),
            Fault::Truncates if text.len() > 1 << 20 => format!("{}\n\n", &text[..1 << 20]),
            Fault::HoldsFirstBytes if self.chunks == 1 => return self.hold(text),
            Fault::NoLastRetry if lone_retry && self.chunks > 1 => return self.hold(text),
            _ => text,
        };
        let text = std::mem::take(&mut self.held) + &changed;
        match self.fault {
            Fault::SplitsChunks if text.len() > 2 => {
                let middle =
                    (1..text.len()).rev().find(|at| *at <= text.len() / 2 && text.is_char_boundary(*at));
                let (first, second) = text.split_at(middle.unwrap_or(1));
                vec![first.to_owned(), second.to_owned()]
            }
            _ => vec![text],
        }
    }

    /// Whether to end after this.
    pub(crate) fn ends_after(&self, bytes: &[u8]) -> bool {
        self.fault == Fault::EndsAtFinish && String::from_utf8_lossy(bytes).contains("event: sse.end\n")
    }

    fn hold(&mut self, text: String) -> Vec<String> {
        self.held.push_str(&text);
        Vec::new()
    }
}

fn without_blocks(text: &str, with: &str) -> String {
    text.split_inclusive("\n\n").filter(|block| !block.contains(with)).collect()
}

/// The text without its checkpoints, also as lines of JSON; a `retry` line before one stays.
fn without_checkpoints(text: &str) -> String {
    if text.starts_with('{') {
        return text.split_inclusive('\n').filter(|line| !line.contains("sse.checkpoint")).collect();
    }
    let blocks =
        text.split_inclusive("\n\n").map(|block| match block.split_once("event: sse.checkpoint\n") {
            Some((before, _)) => before,
            None => block,
        });
    blocks.collect()
}

fn without_retry_before_comments(text: &str) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').collect();
    let next_is_comment = |at: usize| lines.get(at + 1).is_some_and(|next| next.starts_with(':'));
    let kept =
        lines.iter().enumerate().filter(|(at, line)| !(line.starts_with("retry: ") && next_is_comment(*at)));
    kept.map(|(_, line)| *line).collect()
}

fn with_retry(text: &str, retry: &str) -> String {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| if line.starts_with("retry: ") { format!("{retry}\n") } else { line.to_owned() })
        .collect()
}
