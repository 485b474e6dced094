use sse_core::{EventStream, Hub};

fn prices(hub: Hub) -> EventStream {
    EventStream::new(hub.subscribe("prices"))
}

fn main() {}
