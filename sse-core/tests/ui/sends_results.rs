use sse_core::{Event, EventStream};

fn main() {
    let events = [Ok::<_, std::io::Error>(Event::message("one"))];
    let _ = EventStream::new(futures_util::stream::iter(events));
}
