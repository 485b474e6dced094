use sse_core::Event;

fn main() {
    let _ = Event::message("one").id(1.5);
}
