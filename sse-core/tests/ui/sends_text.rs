use sse_core::EventStream;

fn main() {
    let _ = EventStream::new(futures_util::stream::iter(["one", "two"]));
}
