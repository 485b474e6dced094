use sse_core::{Event, EventStream};

fn main() {
    let _ = EventStream::new(vec![Event::message("one")]);
}
